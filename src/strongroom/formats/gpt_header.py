# SPDX-License-Identifier: Apache-2.0
"""The two headers of a GUID partition table, and the partition entries that they vouch for (UEFI 2.10, section 5.3.2).

A firmware that finds one copy broken repairs it from the other, or uses the other. So both have to be whole, each
where the other says, and they have to say the same.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats.mbr import expect_protective_mbr

SIGNATURE = b"EFI PART"
SECTOR_SIZES = (512, 4096)
"""Logical block sizes of disks, in bytes. A raw image does not say which is meant; the place of the table does."""
MAX_ENTRY_ARRAY_BYTES = 1 << 20
"""64 times what the specification asks room for (128 entries of 128 bytes)."""
LEAST_ENTRY_BYTES = 128
SPEC = "UEFI 2.10 section 5.3"

_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_CRC_OFFSET, _CRC_END = 16, 20
_OTHER_LBA_OFFSET = 32
_REVISION = 0x0001_0000
_REPAIR = (
    "A firmware may repair this from the other copy of the table, or use that one. Write the table again with a "
    "partitioning tool: sfdisk --dump DISK > table, then sfdisk DISK < table."
)


@dataclass(frozen=True, slots=True)
class GptHeader:
    """Where one copy stands, and its fields in the order of the specification. Places in sectors (LBA)."""

    sector_bytes: int
    offset: int
    """Of the header, in bytes."""
    own_lba: int
    other_lba: int
    first_usable: int
    last_usable: int
    disk: bytes
    entries_lba: int
    entry_count: int
    entry_bytes: int
    entries_crc: int

    @property
    def array_bytes(self) -> int:
        """Size of the partition entry array."""
        return self.entry_count * self.entry_bytes

    @property
    def array_sectors(self) -> int:
        """How many sectors the partition entry array takes."""
        return -(-self.array_bytes // self.sector_bytes)

    @property
    def shared(self) -> tuple[int | bytes, ...]:
        """What both copies have to say alike."""
        return (self.first_usable, self.last_usable, self.disk, self.entry_count, self.entry_bytes, self.entries_crc)


def read_headers(disk: memoryview) -> tuple[GptHeader, bytes]:
    """Return the first header of a whole disk and the partition entries, after comparing both copies of each.

    Raises FormatError.
    """
    sector_bytes = _sector_bytes(disk)
    sectors, odd = divmod(len(disk), sector_bytes)
    _expect_not_cut_off(disk, sector_bytes)
    if odd:
        raise _refused("size", f"expected whole sectors of {sector_bytes} bytes, found {odd} bytes more", len(disk))
    expect_protective_mbr(disk, sectors=sectors)
    primary = _header(disk, sector_bytes, 1, "primary")
    backup = _header(disk, sector_bytes, sectors - 1, "backup")
    _expect_places(primary, 1, sectors - 1)
    _expect_places(backup, sectors - 1, 1)
    _expect_arrays_outside(primary, backup)
    entries = _entries(disk, primary)
    if primary.shared != backup.shared or entries != _entries(disk, backup):
        raise _refused("disagreement", "expected two tables that say the same, found different ones", backup.offset)
    return primary, entries


def _expect_not_cut_off(disk: memoryview, sector_bytes: int) -> None:
    """Refuse a disk that ends before the place that its first header gives for the other, whatever else is wrong."""
    at = sector_bytes + _OTHER_LBA_OFFSET
    if len(disk) < at + 8:
        return  # too short for a header: refused as such
    (other,) = struct.unpack_from("<Q", disk, at)
    if (other + 1) * sector_bytes > len(disk):
        raise FormatError(
            "gpt.cut-off",
            f"the disk image is shorter than its partition table says: was the copy cut off? Expected "
            f"{(other + 1) * sector_bytes} bytes, found {len(disk)}",
            offset=at,
            spec=SPEC,
            remedy="Copy the disk again, and compare the sizes.",
        )


def _sector_bytes(disk: memoryview) -> int:
    found = [size for size in SECTOR_SIZES if _begins(disk, size)]
    if len(found) > 1:
        raise _refused("two-tables", "expected one table, found one for sectors of 512 bytes and one for 4096", 4096)
    if found:
        return found[0]
    if any(_begins(disk, len(disk) // size * size - size) for size in SECTOR_SIZES if len(disk) >= size):
        raise _refused("no-primary", "expected a GPT header in the second sector, found its backup only", 512)
    raise FormatError("gpt.none", "expected a GPT header in the second sector, found none", offset=512, spec=SPEC)


def _begins(disk: memoryview, offset: int) -> bool:
    return bytes(disk[offset : offset + len(SIGNATURE)]) == SIGNATURE


def _header(disk: memoryview, sector_bytes: int, lba: int, which: str) -> GptHeader:
    offset = lba * sector_bytes
    if not _begins(disk, offset):
        raise _refused("no-backup", f"expected the backup GPT header in the last sector ({lba}), found none", offset)
    sector = bytes(disk[offset : offset + sector_bytes])
    _, revision, size, crc, reserved, *fields = _HEADER.unpack_from(sector)
    if revision != _REVISION or not _HEADER.size <= size <= sector_bytes or reserved:
        raise _refused(
            "header",
            f"expected a {which} GPT header of revision 1.0 and {_HEADER.size} to {sector_bytes} bytes, "
            f"found revision {revision:#010x} and {size} bytes",
            offset + 8,
        )
    computed = zlib.crc32(sector[:_CRC_OFFSET] + bytes(4) + sector[_CRC_END:size])
    if computed != crc:
        raise _refused(
            "header-crc",
            f"expected CRC32 {computed:#010x} of the {which} GPT header, found {crc:#010x}",
            offset + _CRC_OFFSET,
        )
    header = GptHeader(sector_bytes, offset, *fields)
    _expect_bounded_array(header, which)
    return header


def _expect_bounded_array(header: GptHeader, which: str) -> None:
    size = header.entry_bytes
    if size < LEAST_ENTRY_BYTES or size & (size - 1) or not 0 < header.array_bytes <= MAX_ENTRY_ARRAY_BYTES:
        raise _refused(
            "entry-size",
            f"expected entries of 128 bytes times a power of two, {MAX_ENTRY_ARRAY_BYTES} bytes in all at most, "
            f"found {header.entry_count} of {size} bytes in the {which} GPT header",
            header.offset + 80,
        )


def _expect_places(header: GptHeader, own: int, other: int) -> None:
    if (header.own_lba, header.other_lba) != (own, other):
        raise _refused(
            "place",
            f"expected the GPT header of sector {own} to say so and to name {other} as the place of the other copy, "
            f"found {header.own_lba} and {header.other_lba}",
            header.offset + 24,
        )


def _expect_arrays_outside(primary: GptHeader, backup: GptHeader) -> None:
    """Refuse entries that lie where partitions may be: they belong behind the first header, before the second one."""
    needed = primary.array_sectors
    if not primary.own_lba < primary.entries_lba <= primary.first_usable - needed:
        raise _refused(
            "array-place",
            f"expected {needed} sectors of entries before the first usable sector ({primary.first_usable}), "
            f"found them at {primary.entries_lba}",
            primary.offset + 72,
        )
    if not primary.first_usable <= primary.last_usable < backup.entries_lba <= backup.own_lba - backup.array_sectors:
        raise _refused(
            "array-place",
            f"expected usable sectors from {primary.first_usable} on, then {needed} sectors of entries, then the "
            f"header ({backup.own_lba}), found usable ones up to {primary.last_usable}, entries at "
            f"{backup.entries_lba}",
            backup.offset + 72,
        )


def _entries(disk: memoryview, header: GptHeader) -> bytes:
    offset = header.entries_lba * header.sector_bytes
    entries = bytes(disk[offset : offset + header.array_bytes])
    if zlib.crc32(entries) != header.entries_crc:
        raise _refused(
            "entries-crc",
            f"expected CRC32 {header.entries_crc:#010x} of the partition entries, found {zlib.crc32(entries):#010x}",
            offset,
        )
    return entries


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"gpt.{code}", message, offset=offset, spec=SPEC, remedy=_REPAIR)
