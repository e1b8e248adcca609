# SPDX-License-Identifier: Apache-2.0
"""Master boot records (UEFI 2.10, section 5.2): those that divide a disk, and the one that protects a GPT.

Firmware reads them in the first sector of a disk and, in EDK II, in the first sector of every partition too.
`seen_records` says what EDK II makes of a sector; the others refuse what readers are known to read in different ways.
"""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass

from strongroom.errors import FormatError

SECTOR_BYTES = 512
"""The size of the record itself, whatever the sectors of the disk are."""
KIND_GPT_PROTECTIVE = 0xEE
KIND_EFI_SYSTEM = 0xEF
_EXTENDED = frozenset({0x05, 0x0F, 0x85})

_SPEC = "UEFI 2.10 section 5.2"
_RECORDS = range(446, 510, 16)
_SIGNATURE = b"\x55\xaa"
_ADDRESS_SPACE = 1 << 32


@dataclass(frozen=True, slots=True)
class MbrRecord:
    """One of the four partition records. Places and sizes in sectors."""

    number: int
    """1 to 4."""
    kind: int
    """OSType."""
    first_lba: int
    sectors: int
    offset: int
    """Of the record, in bytes."""

    @property
    def last_lba(self) -> int:
        """The last sector, as EDK II computes it: in 32 bits."""
        return (self.first_lba + self.sectors - 1) % _ADDRESS_SPACE


def seen_records(volume: memoryview) -> tuple[MbrRecord, ...]:
    """Return the records that firmware would take for partitions in `volume`: none, where it sees no valid record.

    The protective record of a GPT counts only where one is looked for: it is left out here.
    """
    records = _used(_records(volume))
    within = all(record.last_lba < len(volume) // SECTOR_BYTES for record in records)
    if not _signed(volume) or not within or _overlapping(records):
        return ()
    return tuple(record for record in records if record.kind != KIND_GPT_PROTECTIVE)


def protects_gpt(volume: memoryview) -> tuple[MbrRecord, ...]:
    """Return the records that make firmware look for a GPT: type 0xEE, from sector 1. It asks for no signature."""
    return tuple(r for r in _records(volume) if r.kind == KIND_GPT_PROTECTIVE and r.first_lba == 1)


def parse_mbr(disk: memoryview) -> tuple[MbrRecord, ...]:
    """Return the partitions of a disk that a master boot record divides. Raises FormatError, also where there is none.

    A record does not say which sectors it counts in; 512 bytes are taken. Extended partitions are refused: what is
    inside them is found by other rules in every reader.
    """
    records = _used(_records(disk))
    if not _signed(disk) or not records:
        raise _refused("none", "expected a partition in the master boot record, found none", 0)
    sectors = len(disk) // SECTOR_BYTES
    for record in records:
        if not 0 < record.first_lba < record.first_lba + record.sectors <= sectors:
            raise _refused(
                "bounds",
                f"expected partition {record.number} within sectors 1 to {sectors - 1}, "
                f"found {record.sectors} from {record.first_lba}",
                record.offset + 8,
            )
        if record.kind in _EXTENDED:
            raise _refused(
                "extended",
                f"expected a primary partition, found an extended one (type {record.kind:#04x})",
                record.offset + 4,
            )
    for before, after in _overlapping(records):
        raise _refused(
            "overlap",
            f"expected partitions apart, found {after.number} over {before.number}",
            after.offset + 8,
        )
    return records


def expect_protective_mbr(disk: memoryview, *, sectors: int) -> None:
    """Refuse a disk of so many sectors whose first one does not protect its GPT, and nothing else (section 5.2.3)."""
    first, *others = _records(disk)
    if not _signed(disk):
        raise _refused("signature", "expected the bytes 55 aa at the end of the first sector, found others", 510)
    if first.kind != KIND_GPT_PROTECTIVE or first.first_lba != 1:
        raise _refused(
            "not-protective",
            f"expected a protective record (type 0xee, from sector 1) before the GPT, found type {first.kind:#04x} "
            f"from sector {first.first_lba}: firmware would not look for the GPT",
            first.offset,
        )
    if first.sectors not in {min(sectors - 1, _ADDRESS_SPACE - 1), _ADDRESS_SPACE - 1}:
        raise _refused(
            "protective-size",
            f"expected a protective record over {sectors - 1} sectors, found {first.sectors}",
            first.offset + 12,
        )
    for record in others:
        if any(disk[record.offset : record.offset + 16]):
            raise _refused(
                "hybrid",
                f"expected the protective record alone, found record {record.number} beside it (a hybrid MBR)",
                record.offset,
            )


def _records(volume: memoryview) -> tuple[MbrRecord, ...]:
    if len(volume) < SECTOR_BYTES:
        raise _refused("truncated", f"expected at least {SECTOR_BYTES} bytes, found {len(volume)}", len(volume))
    return tuple(_record(volume, number, offset) for number, offset in enumerate(_RECORDS, 1))


def _record(volume: memoryview, number: int, offset: int) -> MbrRecord:
    kind, first_lba, sectors = struct.unpack_from("<4xB3xII", volume, offset)
    return MbrRecord(number, kind, first_lba, sectors, offset)


def _used(records: tuple[MbrRecord, ...]) -> tuple[MbrRecord, ...]:
    return tuple(record for record in records if record.kind and record.sectors)


def _overlapping(records: tuple[MbrRecord, ...]) -> list[tuple[MbrRecord, MbrRecord]]:
    pairs = itertools.combinations(records, 2)
    return [(a, b) for a, b in pairs if b.last_lba >= a.first_lba and b.first_lba <= a.last_lba]


def _signed(volume: memoryview) -> bool:
    return bytes(volume[510:512]) == _SIGNATURE


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"mbr.{code}", message, offset=offset, spec=_SPEC)
