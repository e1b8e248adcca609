# SPDX-License-Identifier: Apache-2.0
"""TPML_PCR_SELECTION: PCRs by bank (Part 2, sections 10.5.2 and 10.9.7)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.handles import PCR_COUNT
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, listed, u8, u16

SELECT_BYTES = PCR_COUNT // 8
"""sizeofSelect of a PC client: PCR_SELECT_MIN and PCR_SELECT_MAX alike."""
MAX_BANKS = 16
"""HASH_COUNT has room for more banks than a TPM has."""


@dataclass(frozen=True, slots=True)
class PcrSelection:
    """TPMS_PCR_SELECTION: some PCRs of one bank. `mask` has bit n set for PCR n."""

    bank: Alg
    mask: int

    @classmethod
    def of(cls, bank: Alg, indices: Iterable[int]) -> PcrSelection:
        """Build from indices, 0 to 23."""
        mask = 0
        for index in indices:
            mask |= 1 << index
        return cls(bank, mask)

    @property
    def indices(self) -> tuple[int, ...]:
        """The PCRs, ascending."""
        return tuple(index for index in range(PCR_COUNT) if self.mask >> index & 1)

    def encode(self) -> bytes:
        """Return the bytes."""
        return u16(self.bank) + u8(SELECT_BYTES) + self.mask.to_bytes(SELECT_BYTES, "little")


def read_pcr_selections(reader: Reader, *, most: int = MAX_BANKS) -> tuple[PcrSelection, ...]:
    """Take a list of selections off. Raises TpmFormatError for unknown banks and other sizes than a PC client's."""
    return tuple(_read(reader) for _ in range(reader.count(most, "PCR selections")))


def encode_pcr_selections(selections: Iterable[PcrSelection]) -> bytes:
    """Return the bytes of a list."""
    return listed(selection.encode() for selection in selections)


def _read(reader: Reader) -> PcrSelection:
    bank = Alg(reader.choice(HASH_BYTES, Rc.HASH, "hash algorithm of a PCR bank"))
    size_bytes = reader.u8("the size of a PCR selection")
    if size_bytes != SELECT_BYTES:
        raise reader.refused(Rc.VALUE, f"expected a PCR selection of {SELECT_BYTES} bytes, found {size_bytes}")
    return PcrSelection(bank, int.from_bytes(reader.take(size_bytes, "a PCR selection"), "little"))
