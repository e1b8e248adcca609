# SPDX-License-Identifier: Apache-2.0
"""Extended attributes of ext4: behind the fields of an inode, and in a block of their own."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from strongroom.errors import FormatError
from strongroom.formats.ext4_layout import SPEC, Ext4Layout, Inode

Attributes: TypeAlias = Mapping[str, bytes]

_MAGIC = 0xEA02_0000
_BLOCK_HEADER_BYTES = 32
_ENTRY = struct.Struct("<BBHIII")
_PREFIXES = {1: "user.", 4: "trusted.", 6: "security.", 7: "system."}


def read_attributes(data: memoryview, layout: Ext4Layout, inode: Inode) -> Attributes:
    """Return the attributes of an inode. Raises FormatError."""
    found = dict(_in_inode(inode))
    if inode.attribute_block:
        start = inode.attribute_block * layout.block_bytes
        block = data[start : start + layout.block_bytes]
        if len(block) < layout.block_bytes or _word(block, 0) != _MAGIC:
            raise _refused(f"expected a block of attributes for inode {inode.number}, found none", inode)
        found |= dict(_entries(block, _BLOCK_HEADER_BYTES, 0, inode))
    return found


def _in_inode(inode: Inode) -> Iterator[tuple[str, bytes]]:
    if _word(inode.extra, 0) == _MAGIC:
        yield from _entries(inode.extra, 4, 4, inode)


def _entries(area: memoryview, at: int, base: int, inode: Inode) -> Iterator[tuple[str, bytes]]:
    """Yield the entries from `at` on. Where their values are counts from `base`."""
    while at + 4 <= len(area) and _word(area, at):
        if at + _ENTRY.size > len(area):
            raise _refused(f"expected attributes of inode {inode.number} to end with zeros", inode)
        name_bytes, prefix, value_at, elsewhere, value_bytes, _ = _ENTRY.unpack_from(area, at)
        name = bytes(area[at + _ENTRY.size : at + _ENTRY.size + name_bytes])
        start = base + value_at
        if elsewhere or start + value_bytes > len(area) or len(name) < name_bytes:
            raise _refused(f"expected the value of an attribute of inode {inode.number} beside it", inode)
        shown = _PREFIXES.get(prefix, f"{prefix}:") + name.decode("utf-8", "surrogateescape")
        yield shown, bytes(area[start : start + value_bytes])
        at += -(-(_ENTRY.size + name_bytes) // 4) * 4


def _word(area: memoryview, at: int) -> int:
    return int.from_bytes(area[at : at + 4], "little")


def _refused(message: str, inode: Inode) -> FormatError:
    return FormatError("ext.attribute", message, offset=inode.offset, spec=SPEC)
