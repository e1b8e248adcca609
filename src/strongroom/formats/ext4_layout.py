# SPDX-License-Identifier: Apache-2.0
"""The superblock, the group descriptors and the inodes of ext4 (Linux, Documentation/filesystems/ext4)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from strongroom.errors import FormatError

SPEC = "Linux filesystems/ext4"
MAGIC = 0xEF53
SUPERBLOCK = 1_024
"""Where the superblock is, in bytes."""
ROOT = 2
"""The inode of the root."""

_SUPERBLOCK_BYTES = 1_024
_SIZES = struct.Struct("<I16xII12xI12xH")
"""s_inodes_count, s_first_data_block, s_log_block_size, s_inodes_per_group, s_magic."""
_NEEDS_RECOVERY, _WIDE = 0x4, 0x80
_KNOWN = 0x2 | 0x40 | _WIDE | 0x100 | 0x200 | 0x2000 | 0x4000 | 0x8000 | _NEEDS_RECOVERY
"""filetype, extents, 64bit, mmp, flex_bg, csum_seed, largedir, inline_data."""
_MAX_BLOCK_BITS = 6
_LEAST_INODE_BYTES = 128
_WIDE_DESCRIPTOR_BYTES = 64


@dataclass(frozen=True, slots=True)
class Ext4Layout:
    """Where things are."""

    block_bytes: int
    inodes: int
    inodes_per_group: int
    inode_bytes: int
    descriptors: int
    """Where the group descriptors begin, in bytes."""
    descriptor_bytes: int


@dataclass(frozen=True, slots=True)
class Inode:
    """An inode. `block` are the 60 bytes that hold a map of blocks, a short link, a device, or contents."""

    number: int
    offset: int
    """In the file system, in bytes."""
    mode: int
    uid: int
    gid: int
    size: int
    flags: int
    block: bytes
    attribute_block: int
    extra: memoryview
    """What follows the fields, up to the end of the inode: attributes."""


def parse_layout(data: memoryview) -> Ext4Layout:
    """Read the superblock. Raises FormatError; `ext.unclean` when the journal would have to be replayed first."""
    if len(data) < SUPERBLOCK + _SUPERBLOCK_BYTES:
        raise _refused("superblock", "expected a superblock, found the end", SUPERBLOCK)
    inodes, first_block, bits, inodes_per_group, magic = _SIZES.unpack_from(data, SUPERBLOCK)
    inode_bytes = int.from_bytes(data[SUPERBLOCK + 88 : SUPERBLOCK + 90], "little")
    revision = int.from_bytes(data[SUPERBLOCK + 76 : SUPERBLOCK + 80], "little")
    incompatible = int.from_bytes(data[SUPERBLOCK + 96 : SUPERBLOCK + 100], "little")
    descriptor_bytes = int.from_bytes(data[SUPERBLOCK + 254 : SUPERBLOCK + 256], "little")
    inode_bytes = inode_bytes if revision else _LEAST_INODE_BYTES
    if magic != MAGIC or bits > _MAX_BLOCK_BITS or not inodes_per_group or inode_bytes < _LEAST_INODE_BYTES:
        raise _refused("superblock", "expected a superblock with blocks of 1 to 64 KiB and inodes", SUPERBLOCK)
    if incompatible & ~_KNOWN:
        raise _refused("feature", f"expected features within {_KNOWN:#x}, found {incompatible:#x}", SUPERBLOCK + 96)
    if incompatible & _NEEDS_RECOVERY:
        raise _refused("unclean", "expected a file system that was unmounted cleanly", SUPERBLOCK + 96)
    if incompatible & _WIDE and descriptor_bytes < _WIDE_DESCRIPTOR_BYTES:
        raise _refused("descriptor", f"expected descriptors of 64 bytes, found {descriptor_bytes}", SUPERBLOCK + 254)
    return Ext4Layout(
        block_bytes=1_024 << bits,
        inodes=inodes,
        inodes_per_group=inodes_per_group,
        inode_bytes=inode_bytes,
        descriptors=(first_block + 1) * (1_024 << bits),
        descriptor_bytes=descriptor_bytes if incompatible & _WIDE else 32,
    )


def read_inode(data: memoryview, layout: Ext4Layout, number: int) -> Inode:
    """Read an inode by its number. Raises FormatError."""
    if not 0 < number <= layout.inodes:
        raise _refused("inode", f"expected an inode of 1 to {layout.inodes}, found {number}", SUPERBLOCK)
    group, index = divmod(number - 1, layout.inodes_per_group)
    descriptor = _bytes(data, layout.descriptors + group * layout.descriptor_bytes, layout.descriptor_bytes)
    table = int.from_bytes(descriptor[8:12], "little")
    if layout.descriptor_bytes >= _WIDE_DESCRIPTOR_BYTES:
        table |= int.from_bytes(descriptor[40:44], "little") << 32
    at = table * layout.block_bytes + index * layout.inode_bytes
    raw = _bytes(data, at, layout.inode_bytes)
    extra_bytes = int.from_bytes(raw[128:130], "little") if layout.inode_bytes > _LEAST_INODE_BYTES else 0
    return Inode(
        number=number,
        offset=at,
        mode=_half(raw, 0),
        uid=_half(raw, 2) | _half(raw, 120) << 16,
        gid=_half(raw, 24) | _half(raw, 122) << 16,
        size=_word(raw, 4) | _word(raw, 108) << 32,
        flags=_word(raw, 32),
        block=bytes(raw[40:100]),
        attribute_block=_word(raw, 104) | _half(raw, 118) << 32,
        extra=raw[_LEAST_INODE_BYTES + extra_bytes :],
    )


def _half(raw: memoryview, at: int) -> int:
    return int.from_bytes(raw[at : at + 2], "little")


def _word(raw: memoryview, at: int) -> int:
    return int.from_bytes(raw[at : at + 4], "little")


def _bytes(data: memoryview, start: int, size: int) -> memoryview:
    if start + size > len(data):
        raise _refused("bounds", f"expected {size} bytes, found the file system to end before", start)
    return data[start : start + size]


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"ext.{code}", message, offset=offset, spec=SPEC)
