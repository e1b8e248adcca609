# SPDX-License-Identifier: Apache-2.0
"""Hand-made disks, written independently of the code under test: GUID partition tables and master boot records.

A table is described by a `Table`, whose fields are those of the specification; a fault is one field changed.
"""

import struct
import uuid
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ESP = uuid.UUID("C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
LINUX = uuid.UUID("0FC63DAF-8483-4772-8E79-3D69D8477DE4")
VAR = uuid.UUID("4D21B016-B534-45C2-A9FB-5C16E091FD2D")
DISK = uuid.UUID("33333333-4444-5555-6666-777777777777")


@dataclass(frozen=True)
class Part:
    """One entry; `content` is written at its first sector."""

    first: int
    last: int
    name: str = ""
    kind: uuid.UUID = ESP
    unique: uuid.UUID | None = None
    attributes: int = 0
    content: bytes = b""
    raw_name: bytes | None = None

    def entry(self, number: int, size: int) -> bytes:
        unique = self.unique or uuid.UUID(int=number)
        name = self.raw_name if self.raw_name is not None else self.name.encode("utf-16-le")
        head = self.kind.bytes_le + unique.bytes_le + struct.pack("<QQQ", self.first, self.last, self.attributes)
        return (head + name.ljust(72, b"\0")).ljust(size, b"\0")


@dataclass(frozen=True)
class Table:
    """A whole disk. `primary` and `backup` change header fields of one copy, before its checksum is made."""

    parts: Sequence[Part] = ()
    sectors: int = 64
    sector: int = 512
    entries: int = 16
    entry_bytes: int = 128
    primary: Mapping[str, object] = field(default_factory=dict)
    backup: Mapping[str, object] = field(default_factory=dict)
    backup_parts: Sequence[Part] | None = None

    def array_sectors(self) -> int:
        return -(-self.entries * self.entry_bytes // self.sector)

    def array(self, parts: Sequence[Part]) -> bytes:
        rows = b"".join(part.entry(number, self.entry_bytes) for number, part in enumerate(parts, 1))
        return rows.ljust(self.entries * self.entry_bytes, b"\0")

    def header(self, own: int, other: int, array_lba: int, array: bytes, changes: Mapping[str, object]) -> bytes:
        fields: dict[str, object] = {
            "signature": b"EFI PART",
            "revision": 0x10000,
            "size": 92,
            "crc": 0,
            "reserved": 0,
            "own": own,
            "other": other,
            "first_usable": 2 + self.array_sectors(),
            "last_usable": self.sectors - 2 - self.array_sectors(),
            "disk": DISK.bytes_le,
            "array": array_lba,
            "entries": self.entries,
            "entry_bytes": self.entry_bytes,
            "array_crc": zlib.crc32(array),
        } | dict(changes)
        packed = struct.pack("<8sIIIIQQQQ16sQIII", *fields.values())
        size = min(int(str(fields["size"])), self.sector)
        crc = zlib.crc32(packed.ljust(self.sector, b"\0")[:size]) if fields["crc"] == 0 else fields["crc"]
        return (packed[:16] + struct.pack("<I", crc) + packed[20:]).ljust(self.sector, b"\0")

    def build(self) -> bytes:
        disk = bytearray(self.sectors * self.sector)
        disk[:512] = protective_mbr(self.sectors)
        last, count = self.sectors - 1, self.array_sectors()
        for part in self.parts:
            start = part.first * self.sector
            disk[start : start + len(part.content)] = part.content
        copies = (
            (1, last, 2, self.parts, self.primary),
            (last, 1, last - count, self.parts if self.backup_parts is None else self.backup_parts, self.backup),
        )
        for own, other, place, parts, changes in copies:
            array = self.array(parts)
            disk[place * self.sector : place * self.sector + len(array)] = array
            disk[own * self.sector : (own + 1) * self.sector] = self.header(own, other, place, array, changes)
        return bytes(disk)


def record(kind: int, first: int, count: int) -> bytes:
    """A partition record of a master boot record, without the old addresses by cylinder."""
    return struct.pack("<4xB3xII", kind, first, count)


def make_mbr(*records: bytes, code: bytes = b"") -> bytes:
    return code.ljust(446, b"\0") + b"".join(records).ljust(64, b"\0") + b"\x55\xaa"


def protective_mbr(sectors: int) -> bytes:
    return make_mbr(record(0xEE, 1, min(sectors - 1, 0xFFFF_FFFF)))


def gpt_disk(*parts: Part, **fields: object) -> bytes:
    """A disk with these partitions, as large as they need."""
    table = Table(parts, **fields)  # type: ignore[arg-type]
    end = max((part.last for part in parts), default=20)
    return Table(parts, **{"sectors": end + 3 + table.array_sectors(), **fields}).build()  # type: ignore[arg-type]


def partition(content: bytes, *, first: int = 64, sector: int = 512, **fields: object) -> Part:
    """A partition from sector `first` on that is just as large as its content."""
    return Part(first, first + -(-len(content) // sector) - 1, content=content, **fields)  # type: ignore[arg-type]


def mbr_disk(*parts: tuple[int, bytes], first: int = 63) -> bytes:
    """A disk that a master boot record divides: types and contents of partitions."""
    records, body, place = [], bytearray(), first
    for kind, content in parts:
        count = -(-len(content) // 512)
        records.append(record(kind, place, count))
        body.extend(content.ljust(count * 512, b"\0"))
        place += count
    return make_mbr(*records).ljust(first * 512, b"\0") + bytes(body)
