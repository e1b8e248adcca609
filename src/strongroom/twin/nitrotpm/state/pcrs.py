# SPDX-License-Identifier: Apache-2.0
"""The PCRs of a PC client's TPM: values by bank, and who may extend and reset which (TCG PC Client PTP 1.05, 4.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from strongroom.crypto.tpm import HASHES, pcr_digest
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.handles import PCR_COUNT
from strongroom.formats.tpm.pcr_selection import PcrSelection
from strongroom.twin.nitrotpm.profile import LOCALITIES

DYNAMIC = range(17, 23)
"""PCRs of a dynamic launch: all ones until there is one."""
SAVED = range(16)
"""What Shutdown(STATE) keeps."""
UNCOUNTED = frozenset({16, 21, 22, 23})
"""A change of these leaves the update counter alone, so policies over other PCRs hold on."""
ALL_PCRS = (1 << PCR_COUNT) - 1

EXTENDED_FROM: Mapping[int, frozenset[int]] = {
    17: frozenset({2, 3, 4}),
    18: frozenset({2, 3, 4}),
    19: frozenset({2, 3}),
    20: frozenset({1, 2, 3}),
    21: frozenset({2}),
    22: frozenset({2}),
}
"""The localities that may extend a PCR, where not all may."""
RESET_FROM: Mapping[int, frozenset[int]] = {
    16: frozenset(range(4)),
    17: frozenset({4}),
    18: frozenset({4}),
    19: frozenset({4}),
    20: frozenset({2, 4}),
    21: frozenset({2, 4}),
    22: frozenset({2, 4}),
    23: frozenset(range(4)),
}
"""The localities that reset a PCR. Those left out cannot be reset."""
_DYNAMIC_LAUNCH = 4
"""Only hardware speaks from this locality: it resets by beginning a dynamic launch, not by a command."""


class PcrStore:
    """All PCRs of all banks, as after power came. `allocation` has a bit for each PCR that a bank has.

    `counter` counts the updates that policies over PCRs care for.
    """

    def __init__(self, allocation: Mapping[Alg, int]) -> None:
        self.allocation = allocation
        self.counter = 0
        self.values = {
            (bank, index): _initial(bank, index)
            for bank, mask in allocation.items()
            for index in range(PCR_COUNT)
            if mask >> index & 1
        }

    def count_start(self, before: int, *, resumed: bool) -> None:
        """Set the counter at a start: what it was, and one for each PCR that did not keep its value."""
        kept = SAVED if resumed else ()
        self.counter = before + sum(index not in UNCOUNTED and index not in kept for index in range(PCR_COUNT))

    def started_from(self, locality: int) -> None:
        """Put into PCR 0 where Startup came from: it tells a measured start from others (Part 1, section 34.3)."""
        for bank in self.allocation:
            if (bank, 0) in self.values:
                self.values[bank, 0] = locality.to_bytes(HASH_BYTES[bank])

    def saved(self) -> dict[tuple[Alg, int], bytes]:
        """Return what Shutdown(STATE) keeps."""
        return {(bank, index): value for (bank, index), value in self.values.items() if index in SAVED}

    def may_extend(self, index: int, locality: int) -> bool:
        """Say whether a command from this locality may extend a PCR."""
        return locality in EXTENDED_FROM.get(index, LOCALITIES)

    def may_reset(self, index: int, locality: int) -> bool:
        """Say whether a command from this locality may reset a PCR."""
        return locality != _DYNAMIC_LAUNCH and locality in RESET_FROM.get(index, ())

    def extend(self, index: int, digests: Iterable[tuple[Alg, bytes]]) -> None:
        """Extend a PCR in each bank that has it."""
        values, updates = self.values, 0
        for bank, by in digests:
            key = bank, index
            value = values.get(key)
            if value is not None:
                values[key] = HASHES[bank](value + by).digest()  # Part 1, section 17.3
                updates += 1
        self._count(index, updates)

    def reset(self, index: int) -> None:
        """Set a PCR to zeros in every bank."""
        for bank in self.allocation:
            if (bank, index) in self.values:
                self.values[bank, index] = bytes(HASH_BYTES[bank])
        self._count(index, 1)

    def present(self, selections: Iterable[PcrSelection]) -> tuple[PcrSelection, ...]:
        """Return the selections without the PCRs that a bank does not have."""
        return tuple(PcrSelection(each.bank, each.mask & self.allocation.get(each.bank, 0)) for each in selections)

    def digest(self, algorithm: Alg, selections: Iterable[PcrSelection]) -> bytes:
        """Return the digest over what is there of the selections."""
        return pcr_digest(algorithm, self.present(selections), self.values)

    def _count(self, index: int, updates: int) -> None:
        if index not in UNCOUNTED:
            self.counter += updates


def _initial(bank: Alg, index: int) -> bytes:
    return (b"\xff" if index in DYNAMIC else b"\0") * HASH_BYTES[bank]
