# SPDX-License-Identifier: Apache-2.0
"""The PCRs of a PC client's TPM: values by bank, and who may extend and reset which (TCG PC Client PTP 1.05, 4.6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from strongroom.crypto.tpm import digest, pcr_digest
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.handles import PCR_COUNT
from strongroom.formats.tpm.pcr_selection import PcrSelection

_DYNAMIC = range(17, 23)
"""PCRs of a dynamic launch: all ones until there is one."""
_SAVED = range(16)
"""What Shutdown(STATE) keeps."""
_UNCOUNTED = frozenset({16, 21, 22, 23})
"""A change of these leaves the update counter alone, so policies over other PCRs hold on."""
_ANY = frozenset(range(5))

EXTENDED_FROM: Mapping[int, frozenset[int]] = {
    17: frozenset({3, 4}),
    18: frozenset({2, 3, 4}),
    19: frozenset({2, 3}),
    20: frozenset({1, 2, 3}),
    21: frozenset({2}),
    22: frozenset({2}),
}
"""The localities that may extend a PCR, where not all may."""
RESET_FROM: Mapping[int, frozenset[int]] = {
    16: _ANY,
    17: frozenset({4}),
    18: frozenset({4}),
    19: frozenset({4}),
    20: frozenset({2, 4}),
    21: frozenset({2}),
    22: frozenset({2}),
    23: _ANY,
}
"""The localities that may reset a PCR. Those left out cannot be reset."""


class PcrStore:
    """All PCRs of all banks. `counter` counts the updates that policies over PCRs care for."""

    def __init__(self, banks: tuple[Alg, ...]) -> None:
        self.banks = banks
        self.counter = 0
        self.values: dict[tuple[Alg, int], bytes] = {}
        self.clear()

    def clear(self) -> None:
        """Set every PCR to what it has after power came."""
        self.values = {(bank, index): _initial(bank, index) for bank in self.banks for index in range(PCR_COUNT)}
        self.counter = 0

    def saved(self) -> dict[tuple[Alg, int], bytes]:
        """Return what Shutdown(STATE) keeps."""
        return {(bank, index): value for (bank, index), value in self.values.items() if index in _SAVED}

    def may_extend(self, index: int, locality: int) -> bool:
        """Say whether a command from this locality may extend a PCR."""
        return locality in EXTENDED_FROM.get(index, _ANY)

    def may_reset(self, index: int, locality: int) -> bool:
        """Say whether a command from this locality may reset a PCR."""
        return locality in RESET_FROM.get(index, ())

    def extend(self, index: int, digests: Iterable[tuple[Alg, bytes]]) -> None:
        """Extend a PCR in each bank that is active."""
        for bank, value in digests:
            if bank in self.banks:
                self.values[bank, index] = digest(bank, self.values[bank, index], value)
        self._changed(index)

    def reset(self, index: int) -> None:
        """Set a PCR to zeros in every bank."""
        for bank in self.banks:
            self.values[bank, index] = bytes(HASH_BYTES[bank])
        self._changed(index)

    def present(self, selections: Iterable[PcrSelection]) -> tuple[PcrSelection, ...]:
        """Return the selections without the PCRs of banks that are not active."""
        return tuple(PcrSelection(each.bank, each.mask if each.bank in self.banks else 0) for each in selections)

    def digest(self, algorithm: Alg, selections: Iterable[PcrSelection]) -> bytes:
        """Return the digest over what is there of the selections."""
        return pcr_digest(algorithm, self.present(selections), self.values)

    def _changed(self, index: int) -> None:
        if index not in _UNCOUNTED:
            self.counter += 1


def _initial(bank: Alg, index: int) -> bytes:
    return (b"\xff" if index in _DYNAMIC else b"\0") * HASH_BYTES[bank]
