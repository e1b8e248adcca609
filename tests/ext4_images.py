# SPDX-License-Identifier: Apache-2.0
"""A small ext4, made by hand: blocks of 1 KiB, 32 inodes of 256 bytes, so that each field can be made wrong."""

from __future__ import annotations

import stat
import struct
from collections.abc import Mapping, Sequence

from tests.small_trees import FILE, FOLDER, LINK

BLOCK_BYTES, INODE_BYTES, INODES = 1024, 256, 32
TABLE, FIRST_DATA = 3, 11
EXTENTS, INLINE, ENCRYPTED = 0x8_0000, 0x1000_0000, 0x800


class Ext4:
    """Inodes and blocks are added one by one. Inode 2 is the root."""

    def __init__(self, blocks: int = 64) -> None:
        self.data = bytearray(blocks * BLOCK_BYTES)
        self.next_block = FIRST_DATA
        self.next_inode = 11

    def block(self, contents: bytes) -> int:
        """Put contents into blocks one after another. Return the first."""
        first = self.next_block
        self.data[first * BLOCK_BYTES : first * BLOCK_BYTES + len(contents)] = contents
        self.next_block += max(-(-len(contents) // BLOCK_BYTES), 1)
        return first

    def inode(self, mode: int, contents: bytes = b"", *, number: int = 0, **fields) -> int:
        """Add an inode. `fields`: size, uid, gid, flags, block (its 60 bytes), attribute_block, extra (attributes)."""
        number = number or self.next_inode
        self.next_inode = max(self.next_inode, number + 1)
        block = fields.get("block")
        if block is None:
            block = extents((0, self.block(contents), -(-len(contents) // BLOCK_BYTES))) if contents else extents()
        size, uid, gid = fields.get("size", len(contents)), fields.get("uid", 0), fields.get("gid", 0)
        raw = bytearray(INODE_BYTES)
        struct.pack_into("<HHI", raw, 0, mode, uid & 0xFFFF, size & 0xFFFF_FFFF)
        struct.pack_into("<H6xI", raw, 24, gid & 0xFFFF, fields.get("flags", EXTENTS))
        raw[40:100] = block.ljust(60, b"\0")
        struct.pack_into("<II", raw, 104, fields.get("attribute_block", 0), size >> 32)
        struct.pack_into("<HHHH", raw, 120, uid >> 16, gid >> 16, 0, 0)
        struct.pack_into("<H", raw, 128, 32)
        extra = fields.get("extra", b"")
        raw[160 : 160 + len(extra)] = extra
        at = TABLE * BLOCK_BYTES + (number - 1) * INODE_BYTES
        self.data[at : at + INODE_BYTES] = raw
        return number

    def folder(self, names: Mapping[bytes, int], *, number: int = 0, **fields) -> int:
        return self.inode(FOLDER, dirents(names), number=number, **fields)

    def root(self, names: Mapping[bytes, int]) -> bytes:
        """Add the root. Return the file system."""
        self.folder({b".": 2, b"..": 2, **names}, number=2)
        return self.image()

    def image(self, **fields) -> bytes:
        """Return the file system. `fields` of the superblock: magic, bits, per_group, inode_bytes, features, wide."""
        head = bytearray(BLOCK_BYTES)
        struct.pack_into("<II", head, 0, INODES, len(self.data) // BLOCK_BYTES)
        struct.pack_into("<II", head, 20, 1, fields.get("bits", 0))
        struct.pack_into("<I", head, 40, fields.get("per_group", INODES))
        struct.pack_into("<H", head, 56, fields.get("magic", 0xEF53))
        struct.pack_into("<II", head, 76, fields.get("revision", 1), 0)
        struct.pack_into("<H", head, 88, fields.get("inode_bytes", INODE_BYTES))
        struct.pack_into("<I", head, 96, fields.get("features", 0x42))
        struct.pack_into("<H", head, 254, fields.get("wide", 0))
        self.data[BLOCK_BYTES : 2 * BLOCK_BYTES] = head
        struct.pack_into("<I", self.data, 2 * BLOCK_BYTES + 8, TABLE)
        return bytes(self.data)


def extents(*rows: tuple[int, int, int], depth: int = 0, magic: int = 0xF30A, entries: int | None = None) -> bytes:
    """Return a node: rows of (block of the file, of the file system, how many); an index has no last one."""
    head = struct.pack("<HHHHI", magic, len(rows) if entries is None else entries, 4, depth, 0)
    if depth:
        return head + b"".join(struct.pack("<IIHH", logical, physical, 0, 0) for logical, physical, _ in rows)
    return head + b"".join(struct.pack("<IHHI", logical, count, 0, physical) for logical, physical, count in rows)


def dirents(names: Mapping[bytes, int]) -> bytes:
    """Return one block of a folder; its last entry goes to the end."""
    block = b""
    for number, (name, inode) in enumerate(names.items(), 1):
        length = -(-(8 + len(name)) // 4) * 4 if number < len(names) else BLOCK_BYTES - len(block)
        block += (struct.pack("<IHBB", inode, length, len(name), 0) + name).ljust(length, b"\0")
    return block.ljust(BLOCK_BYTES, b"\0")


def attribute_entries(rows: Sequence[tuple[int, bytes, bytes]], *, start: int, end: int, elsewhere: int = 0) -> bytes:
    """Return the bytes from `start` to `end`: entries, and values from the end backwards. Rows: prefix, name, value."""
    entries, values = b"", b""
    for prefix, name, value in rows:
        values = value + values
        row = struct.pack("<BBHIII", len(name), prefix, end - len(values), elsewhere, len(value), 0) + name
        entries += row.ljust(-(-len(row) // 4) * 4, b"\0")
    return entries.ljust(end - start - len(values), b"\0") + values


def in_inode(*rows: tuple[int, bytes, bytes]) -> bytes:
    magic = struct.pack("<I", 0xEA02_0000)
    return magic + attribute_entries(rows, start=0, end=INODE_BYTES - 160 - 4)


def in_block(*rows: tuple[int, bytes, bytes], magic: int = 0xEA02_0000) -> bytes:
    return struct.pack("<I28x", magic) + attribute_entries(rows, start=32, end=BLOCK_BYTES)


def small_ext4() -> bytes:
    """Return a file system with every kind of entry, and contents stored in every way."""
    made = Ext4()
    caps = (6, b"capability", b"caps")
    file = made.inode(FILE, b"canary", uid=0x1_0007, gid=0x2_0008, extra=in_inode(caps))
    short = made.inode(LINK, size=8, block=b"etc/file", flags=0)
    long = made.inode(LINK, b"x" * 70)
    device = made.inode(stat.S_IFCHR | 0o600, block=struct.pack("<II", 0, 0x0010_3405), flags=0)
    old = made.inode(stat.S_IFBLK | 0o600, block=struct.pack("<II", 0x0801, 0), flags=0)
    tail = made.block(b"tail")
    holes = made.inode(FILE, block=extents((1, tail, 1), (3, tail, (1 << 15) + 1)), size=3 * 1024 + 9)
    leaf = made.block(extents((0, tail, 1)))
    deep = made.inode(FILE, block=extents((0, leaf, 0), depth=1), size=4)
    numbers = made.block(struct.pack("<II", tail, 0))
    mapped = made.inode(FILE, block=struct.pack("<15I", tail, *[0] * 11, numbers, 0, 0), size=13 * 1024, flags=0)
    inline = made.inode(FILE, block=b"i" * 60, size=64, flags=INLINE, extra=in_inode((7, b"data", b"more")))
    names = (struct.pack("<IIHBB", 2, file, 56, 3, 0) + b"one").ljust(60, b"\0")
    folded = made.inode(FOLDER, block=names, size=60, flags=INLINE)
    other = made.block(in_block((1, b"x", b"y"), caps))
    blocked = made.inode(FILE, b"z", attribute_block=other)
    etc = made.folder({b"file": file, b"hard": file, b"blocked": blocked, b"inline": inline})
    return made.root(
        {
            b"blk": old,
            b"deep": deep,
            b"dev": device,
            b"etc": etc,
            b"folded": folded,
            b"holes": holes,
            b"link": short,
            b"long": long,
            b"mapped": mapped,
        }
    )
