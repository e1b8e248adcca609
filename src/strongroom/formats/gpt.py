# SPDX-License-Identifier: Apache-2.0
"""Strict reader of GUID partition tables (UEFI 2.10, section 5.3), for sectors of 512 and of 4096 bytes.

Input is hostile (ATTACKS B5, B19). Refused is what readers take in different ways: copies of the table that differ
(gpt_header.py), a protective MBR that names more than the GPT (mbr.py), and overlapping partitions, which firmware
leaves out and Linux does not.
"""

from __future__ import annotations

import itertools
import struct
import uuid
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats.gpt_header import SPEC, GptHeader, read_headers

ATTRIBUTE_NO_BLOCK_IO = 1 << 1
"""Bit 1: firmware must not offer this partition (UEFI 2.10, table 5.8)."""

_ENTRY = struct.Struct("<16s16sQQQ72s")
_UNUSED = bytes(16)


@dataclass(frozen=True, slots=True)
class GptPartition:
    """One used entry of the table. Places in sectors (LBA) of the table's size."""

    number: int
    """From 1: the place in the array."""
    kind: uuid.UUID
    """PartitionTypeGUID."""
    unique: uuid.UUID
    """UniquePartitionGUID."""
    first_lba: int
    last_lba: int
    attributes: int
    name: str
    entry_offset: int
    """Of the entry in the first copy, in bytes."""


@dataclass(frozen=True, slots=True)
class GuidPartitionTable:
    """What both copies of the table say."""

    sector_bytes: int
    disk: uuid.UUID
    partitions: tuple[GptPartition, ...]


def parse_gpt(disk: memoryview) -> GuidPartitionTable:
    """Read the partition table of a whole disk; of the disk nothing else is looked at. Raises FormatError."""
    header, entries = read_headers(disk)
    start = header.entries_lba * header.sector_bytes
    partitions = []
    for number, at in enumerate(range(0, len(entries), header.entry_bytes), 1):
        entry = entries[at : at + _ENTRY.size]
        if not entry.startswith(_UNUSED):
            partitions.append(_partition(entry, number, start + at, header))
    _expect_apart(partitions)
    _expect_own_guids(partitions)
    return GuidPartitionTable(header.sector_bytes, uuid.UUID(bytes_le=header.disk), tuple(partitions))


def _partition(entry: bytes, number: int, offset: int, header: GptHeader) -> GptPartition:
    kind, unique, first, last, attributes, name = _ENTRY.unpack(entry)
    if not header.first_usable <= first <= last <= header.last_usable:
        raise _refused(
            "bounds",
            f"expected partition {number} within sectors {header.first_usable} to {header.last_usable}, "
            f"found it from {first} to {last}",
            offset + 32,
        )
    return GptPartition(
        number=number,
        kind=uuid.UUID(bytes_le=kind),
        unique=uuid.UUID(bytes_le=unique),
        first_lba=first,
        last_lba=last,
        attributes=attributes,
        name=_name(name, number, offset + 56),
        entry_offset=offset,
    )


def _name(units: bytes, number: int, offset: int) -> str:
    try:
        return units.decode("utf-16-le").partition("\0")[0]
    except UnicodeDecodeError as error:
        raise _refused("name", f"expected the name of partition {number} in UTF-16: {error.reason}", offset) from error


def _expect_apart(partitions: list[GptPartition]) -> None:
    for before, after in itertools.pairwise(sorted(partitions, key=lambda partition: partition.first_lba)):
        if after.first_lba <= before.last_lba:
            raise _refused(
                "overlap",
                f"expected partitions apart, found {after.number} from sector {after.first_lba} on, "
                f"where {before.number} goes on to {before.last_lba}",
                after.entry_offset + 32,
            )


def _expect_own_guids(partitions: list[GptPartition]) -> None:
    numbers: dict[uuid.UUID, int] = {}
    for partition in partitions:
        first = numbers.setdefault(partition.unique, partition.number)
        if first != partition.number:
            raise _refused(
                "duplicate-guid",
                f"expected a GUID of its own for partition {partition.number}, found that of partition {first}",
                partition.entry_offset + 16,
            )


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"gpt.{code}", message, offset=offset, spec=SPEC)
