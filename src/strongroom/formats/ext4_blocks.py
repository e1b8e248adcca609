# SPDX-License-Identifier: Apache-2.0
"""Where the contents of an ext4 inode are: a tree of extents, or the older map of blocks.

Blocks have to come in the order of the file, each once: so no tree takes longer to read than its file is large.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats.ext4_layout import SPEC, Ext4Layout, Inode

_EXTENTS = 0x8_0000
_HEADER = struct.Struct("<HHHHI")
_MAGIC = 0xF30A
_ENTRY = struct.Struct("<IHHI")
_INDEX = struct.Struct("<IIHH")
_ENTRY_BYTES = 12
_MAX_DEPTH = 5
_MAX_WRITTEN = 1 << 15
"""A longer one is not written yet, and reads as zeros; its length is beyond this."""
_DIRECT = 12
MAX_MAPPED_BLOCKS = 1 << 22
"""Of a file with a map of blocks."""


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of blocks: where it is in the file, where in the file system."""

    logical: int
    physical: int
    blocks: int
    is_written: bool = True


@dataclass(frozen=True, slots=True)
class _Reader:
    data: memoryview
    layout: Ext4Layout
    inode: Inode

    def extents(self) -> Iterator[Extent]:
        if self.inode.flags & _EXTENTS:
            return self.of_tree(memoryview(self.inode.block), _MAX_DEPTH, least_entries=0)
        return self.of_map()

    def of_tree(self, node: memoryview, deepest: int, *, least_entries: int = 1) -> Iterator[Extent]:
        """Yield the extents of a tree. Only its root may be empty: others could lead to nothing without end."""
        magic, entries, _, depth, _ = _HEADER.unpack_from(node)
        end = _ENTRY_BYTES * (entries + 1)
        if magic != _MAGIC or depth > deepest or end > len(node) or entries < least_entries:
            raise self.refused("extents", "expected a node of extents")
        for at in range(_ENTRY_BYTES, end, _ENTRY_BYTES):
            if depth:
                _, low, high, _ = _INDEX.unpack_from(node, at)
                yield from self.of_tree(self.block(low | high << 32), depth - 1)
            else:
                yield self.extent(*_ENTRY.unpack_from(node, at))

    def extent(self, logical: int, length: int, high: int, low: int) -> Extent:
        written = length <= _MAX_WRITTEN
        if not length:
            raise self.refused("extents", "expected extents of one block or more")
        return Extent(logical, low | high << 32, length if written else length - _MAX_WRITTEN, is_written=written)

    def of_map(self) -> Iterator[Extent]:
        """Yield the blocks of ext2 and ext3: twelve, then those in blocks of numbers, of one to three levels."""
        pointers = struct.unpack("<15I", self.inode.block)
        blocks = -(-self.inode.size // self.layout.block_bytes)
        if blocks > MAX_MAPPED_BLOCKS:
            raise self.refused("sparse", f"expected at most {MAX_MAPPED_BLOCKS} blocks, found {blocks}")
        yield from (Extent(at, block, 1) for at, block in enumerate(pointers[:_DIRECT]) if block and at < blocks)
        first = _DIRECT
        for level, block in enumerate(pointers[_DIRECT:], 1):
            if block and first < blocks:
                yield from self.of_numbers(block, level, range(first, blocks))
            first += (self.layout.block_bytes // 4) ** level

    def of_numbers(self, block: int, level: int, covered: range) -> Iterator[Extent]:
        """Yield what a block of numbers leads to. `covered` are the blocks of the file from its first on."""
        span = (self.layout.block_bytes // 4) ** (level - 1)
        for (number,), at in zip(struct.iter_unpack("<I", self.block(block)), covered[::span], strict=False):
            if number and level == 1:
                yield Extent(at, number, 1)
            elif number:
                yield from self.of_numbers(number, level - 1, range(at, covered.stop))

    def block(self, number: int) -> memoryview:
        start = number * self.layout.block_bytes
        if start + self.layout.block_bytes > len(self.data):
            raise self.refused("bounds", f"expected a block at {start}, found the file system to end before")
        return self.data[start : start + self.layout.block_bytes]

    def refused(self, code: str, message: str) -> FormatError:
        return FormatError(f"ext.{code}", f"{message}: inode {self.inode.number}", offset=self.inode.offset, spec=SPEC)


def read_extents(data: memoryview, layout: Ext4Layout, inode: Inode) -> tuple[Extent, ...]:
    """Return where the contents are, in the order of the file. Raises FormatError."""
    reader = _Reader(data, layout, inode)
    found: list[Extent] = []
    end = 0
    for extent in reader.extents():
        if extent.logical < end:
            raise reader.refused("order", "expected blocks in their order")
        end = extent.logical + extent.blocks
        found.append(extent)
    return tuple(found)
