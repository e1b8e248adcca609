# SPDX-License-Identifier: Apache-2.0
"""Platform Configuration Registers: indices, digests of one bank, and the values that mean something by themselves."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NewType

from strongroom.errors import FormatError

PcrIndex = NewType("PcrIndex", int)
"""0 to 31."""

SHA384_BYTES = 48
PCR_COUNT = 32
ZERO_SHA384 = bytes(SHA384_BYTES)
"""A PCR nothing was extended into. PCR 12 and 13 must be this (no command line, credential or extension was added)."""
SEPARATOR_ONLY_SHA384 = bytes.fromhex(
    "518923b0f955d08da077c96aaba522b9decede61c599cea6c41889cfbea4ae4d50529d96fe4d1afdafb65e7f95bf23c4"
)
"""One EV_SEPARATOR and nothing else: what genuine NitroTPM documents show in PCR 2, 3 and 6."""
SECURE_BOOT_OFF_PCR7_SHA384 = bytes.fromhex(
    "98441c7f7625d10058c47683aec486ce311c633235eb555593a7ee791121e3578ae72d04ecef661f272d59058b77af35"
)
"""PCR 7 of every machine with Secure Boot off and no keys: it says nothing about what booted."""

GATES = tuple(map(PcrIndex, (2, 4, 7, 12, 13)))
"""The gate set (docs/concepts.md); 7 counts only for releases that use Secure Boot."""
ALWAYS_GATED = tuple(map(PcrIndex, (2, 4, 12, 13)))
"""What every policy has to name."""
ALWAYS_MEASURED = tuple(map(PcrIndex, (4, 7)))
"""A boot through UEFI measures into these, always: zeros there say that nothing was measured."""
RESETTABLE = frozenset(map(PcrIndex, (16, 23)))
"""Software can set these to anything (TCG PC Client PTP, section 4.6): they never gate."""


class PcrBank(enum.StrEnum):
    """Hash algorithm of a bank, named as in attestation documents, which know SHA-384 only (TCG Algorithm Registry)."""

    SHA1 = "SHA1"
    SHA256 = "SHA256"
    SHA384 = "SHA384"
    SHA512 = "SHA512"
    SM3_256 = "SM3_256"
    SHA3_256 = "SHA3_256"
    SHA3_384 = "SHA3_384"
    SHA3_512 = "SHA3_512"

    @property
    def algorithm_id(self) -> int:
        """TPM_ALG_ID."""
        return _ALGORITHMS[self][0]

    @property
    def size_bytes(self) -> int:
        """How long its digests are."""
        return _ALGORITHMS[self][1]


_ALGORITHMS = {
    PcrBank.SHA1: (0x0004, 20),
    PcrBank.SHA256: (0x000B, 32),
    PcrBank.SHA384: (0x000C, SHA384_BYTES),
    PcrBank.SHA512: (0x000D, 64),
    PcrBank.SM3_256: (0x0012, 32),
    PcrBank.SHA3_256: (0x0027, 32),
    PcrBank.SHA3_384: (0x0028, 48),
    PcrBank.SHA3_512: (0x0029, 64),
}


@dataclass(frozen=True, slots=True)
class PcrDigests(Mapping[PcrIndex, bytes]):
    """Digests by index, all of one length. Immutable and in ascending order."""

    items_: tuple[tuple[PcrIndex, bytes], ...]

    @classmethod
    def of(
        cls, digests: Mapping[int, bytes] | Mapping[PcrIndex, bytes], *, size_bytes: int = SHA384_BYTES
    ) -> PcrDigests:
        """Build from any mapping. Raises FormatError for an index or a length that cannot be."""
        for index, digest in digests.items():
            if not 0 <= index < PCR_COUNT:
                raise FormatError("pcr.index", f"expected a PCR index from 0 to {PCR_COUNT - 1}, found {index}")
            if len(digest) != size_bytes:
                raise FormatError("pcr.length", f"expected PCR{index} to have {size_bytes} bytes, found {len(digest)}")
        return cls(tuple(sorted((PcrIndex(index), bytes(digest)) for index, digest in digests.items())))

    def __getitem__(self, index: PcrIndex) -> bytes:
        for known, digest in self.items_:
            if known == index:
                return digest
        raise KeyError(index)

    def __iter__(self) -> Iterator[PcrIndex]:
        return (index for index, _ in self.items_)

    def __len__(self) -> int:
        return len(self.items_)
