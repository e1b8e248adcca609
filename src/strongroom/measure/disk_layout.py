# SPDX-License-Identifier: Apache-2.0
"""How a raw disk is divided, as a firmware sees it: by a GPT, by a master boot record, or not at all.

UEFI 2.10, section 13.3.2, has firmware look for a GPT first, then for a master boot record, and for a file system on
the whole disk beside them. EDK II, of which EC2's firmware is taken to be a build, looks into partitions in the same
way. A disk on which two of these could be found is refused: what its firmware takes depends on the order of drivers.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats.fat_layout import resembles_fat
from strongroom.formats.gpt import ATTRIBUTE_NO_BLOCK_IO, GptPartition, GuidPartitionTable, parse_gpt
from strongroom.formats.gpt_header import SECTOR_SIZES, SIGNATURE
from strongroom.formats.mbr import KIND_EFI_SYSTEM, SECTOR_BYTES, MbrRecord, parse_mbr, protects_gpt, seen_records
from strongroom.formats.partition_types import EFI_SYSTEM, is_mounted_by_type, partition_words
from strongroom.measure.wording.words import quoted

_SPEC = "UEFI 2.10 section 13.3"
_OPTICAL_MARKS = (b"CD001", b"BEA01")
"""ISO 9660 and UDF (ECMA-119 section 8.1, ECMA-167 part 2 section 9.1), one byte into a sector of 2048 bytes."""
_OPTICAL_SECTORS = range(16 * 2048, 32 * 2048, 2048)


class Scheme(enum.StrEnum):
    """What divides the disk."""

    GPT = "gpt"
    MBR = "mbr"
    WHOLE_DISK = "whole-disk"


@dataclass(frozen=True, slots=True)
class DiskPartition:
    """A part of a disk that may hold a file system. Texts are empty where the scheme has no such thing."""

    number: int
    """From 1; zero is the whole disk."""
    name: str
    kind: str
    """The type: a GUID, or a number such as `0xef`."""
    words: str
    """The type in words."""
    unique: str
    offset: int
    """In bytes, on the disk."""
    size_bytes: int
    is_efi_system: bool = False
    is_mounted_by_type: bool = False
    is_withheld: bool = False
    """Whether its attributes forbid firmware to offer it (UEFI 2.10, table 5.8, bit 1)."""

    def __str__(self) -> str:
        if not self.number:
            return "the whole disk"
        return f"partition {self.number} ({quoted(self.name)})" if self.name else f"partition {self.number}"


@dataclass(frozen=True, slots=True)
class DiskLayout:
    """The partitions of a disk, in the order of their numbers."""

    scheme: Scheme
    sector_bytes: int
    partitions: tuple[DiskPartition, ...]


def parse_disk(disk: memoryview) -> DiskLayout:
    """Return how a raw disk is divided. Raises FormatError, also where more than one way could be found."""
    if protects_gpt(disk) or any(bytes(disk[size : size + len(SIGNATURE)]) == SIGNATURE for size in SECTOR_SIZES):
        layout = _of_gpt(parse_gpt(disk))
        _expect_no_file_system(disk, layout)
        return layout
    if resembles_fat(disk):
        _expect_no_records(disk)
        return DiskLayout(Scheme.WHOLE_DISK, SECTOR_BYTES, (_whole(disk),))
    return DiskLayout(Scheme.MBR, SECTOR_BYTES, tuple(_of_record(record) for record in parse_mbr(disk)))


def offered_volumes(disk: memoryview, layout: DiskLayout) -> Iterator[tuple[DiskPartition, memoryview]]:
    """Yield what firmware offers to file system drivers.

    Raises FormatError for a part that holds partitions of its own, or a file system of optical discs: firmware may
    boot from either, and neither is read here.
    """
    _expect_no_disc(_whole(disk), disk)
    for partition in layout.partitions:
        volume = disk[partition.offset : partition.offset + partition.size_bytes]
        if partition.number and not partition.is_withheld:
            _expect_no_disc(partition, volume)
            _expect_no_table(partition, volume)
        if not partition.is_withheld:
            yield partition, volume


def _whole(disk: memoryview) -> DiskPartition:
    return DiskPartition(number=0, name="", kind="", words="", unique="", offset=0, size_bytes=len(disk))


def _of_gpt(table: GuidPartitionTable) -> DiskLayout:
    partitions = tuple(_of_entry(entry, table.sector_bytes) for entry in table.partitions)
    return DiskLayout(Scheme.GPT, table.sector_bytes, partitions)


def _of_entry(entry: GptPartition, sector_bytes: int) -> DiskPartition:
    return DiskPartition(
        number=entry.number,
        name=entry.name,
        kind=str(entry.kind),
        words=partition_words(entry.kind),
        unique=str(entry.unique),
        offset=entry.first_lba * sector_bytes,
        size_bytes=(entry.last_lba - entry.first_lba + 1) * sector_bytes,
        is_efi_system=entry.kind == EFI_SYSTEM,
        is_mounted_by_type=is_mounted_by_type(entry.kind),
        is_withheld=bool(entry.attributes & ATTRIBUTE_NO_BLOCK_IO),
    )


def _of_record(record: MbrRecord) -> DiskPartition:
    system = record.kind == KIND_EFI_SYSTEM
    return DiskPartition(
        number=record.number,
        name="",
        kind=f"{record.kind:#04x}",
        words=partition_words(EFI_SYSTEM) if system else f"type {record.kind:#04x}",
        unique="",
        offset=record.first_lba * SECTOR_BYTES,
        size_bytes=record.sectors * SECTOR_BYTES,
        is_efi_system=system,
    )


def _expect_no_file_system(disk: memoryview, layout: DiskLayout) -> None:
    if resembles_fat(disk):
        raise _refused(
            "two-layouts", f"expected a {layout.scheme} alone, found a FAT boot sector in its first sector", 0
        )


def _expect_no_records(disk: memoryview) -> None:
    for record in seen_records(disk):
        raise _refused(
            "two-layouts",
            f"expected a FAT volume over the whole disk, found partition {record.number} in its boot sector",
            record.offset,
        )


def _expect_no_disc(partition: DiskPartition, volume: memoryview) -> None:
    for sector in _OPTICAL_SECTORS:
        if bytes(volume[sector + 1 : sector + 6]) in _OPTICAL_MARKS:
            raise _refused(
                "optical",
                f"expected no ISO 9660 or UDF file system on {partition}, found one: firmware may boot from it, and "
                "this version does not read it",
                partition.offset + sector,
            )


def _expect_no_table(partition: DiskPartition, volume: memoryview) -> None:
    for record in (*seen_records(volume), *protects_gpt(volume)):
        raise _refused(
            "nested",
            f"expected no partitions inside {partition}, found number {record.number}: firmware may look into it",
            partition.offset + record.offset,
        )


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"disk.{code}", message, offset=offset, spec=_SPEC)
