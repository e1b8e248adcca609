# SPDX-License-Identifier: Apache-2.0
"""Reader of EROFS file systems: names, modes, owners, links, attributes; contents where they are not compressed.

Layout: Linux, Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h. Input is hostile (ATTACKS B19). What lies
on several devices, and folders that are compressed, are refused.
"""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from strongroom.errors import FormatError

SPEC = "Linux erofs_fs.h"
MAGIC = 0xE0F5E1E2
SUPERBLOCK = 1024
"""Where the superblock is, in bytes."""
MAX_ENTRIES = 500_000
MAX_TARGET_BYTES = 4_096
MAX_FOLDER_BYTES = 1 << 30
"""Of all folders together: several may name the same blocks."""

_SUPERBLOCK = struct.Struct("<I4xIBxH8x12x4xII32xI6xB")
_BLOCK_BITS = range(9, 17)
_KNOWN_FEATURES = 0x1 | 0x2 | 0x4 | 0x10 | 0x20
"""Of feature_incompat: padding, big clusters, chunks, packed tails, fragments. All concern contents alone."""
_COMPACT = struct.Struct("<HHHHII II HHI")
_EXTENDED = struct.Struct("<HHHHQIIII32x")
_PLAIN, _INLINE = 0, 2
"""Layouts of contents that stand as they are."""
_SLOT_BYTES = 32
_DIRENT = struct.Struct("<QHBx")
_XATTR_HEADER_BYTES = 12
_XATTR = struct.Struct("<BBH")
_XATTR_PREFIXES = {1: "user.", 4: "trusted.", 6: "security."}
_LONG_PREFIX = 0x80


@dataclass(frozen=True, slots=True)
class ErofsEntry:
    """One name in the file system. Several may share an inode (`nid`)."""

    path: bytes
    """With its leading slash; the root is `/`."""
    nid: int
    mode: int
    uid: int
    gid: int
    size: int
    target: bytes
    device: tuple[int, int] | None
    attributes: Mapping[str, bytes]
    parts: tuple[memoryview, ...] | None
    """A file's contents, in pieces; None where they are compressed or lie in chunks."""


@dataclass(frozen=True, slots=True)
class _Super:
    block_bytes: int
    root: int
    meta: int
    attributes: int


@dataclass(frozen=True, slots=True)
class _Inode:
    nid: int
    layout: int
    mode: int
    uid: int
    gid: int
    size: int
    union: int
    """Where the contents begin, in blocks; of a device node its number."""
    attributes_at: int
    attributes_bytes: int

    @property
    def tail(self) -> int:
        """Where contents lie that are stored behind the inode, in bytes."""
        return self.attributes_at + self.attributes_bytes


def resembles_erofs(data: memoryview) -> bool:
    """Tell whether there is the mark of this file system."""
    return bytes(data[SUPERBLOCK : SUPERBLOCK + 4]) == MAGIC.to_bytes(4, "little")


def parse_erofs(data: memoryview) -> Iterator[ErofsEntry]:
    """Yield every name, folders before what is in them. Raises FormatError."""
    found = _super(data)
    pending = [(b"/", found.root)]
    folders: set[int] = set()
    count = folder_bytes = 0
    while pending:
        path, nid = pending.pop()
        inode = _inode(data, found, nid)
        yield _entry(data, found, inode, path)
        count += 1
        if stat.S_ISDIR(inode.mode):
            folder_bytes += inode.size
            if nid in folders or folder_bytes > MAX_FOLDER_BYTES:
                raise _refused("folder-twice", f"expected folder {nid} once, and folders of a sane size", inode.tail)
            folders.add(nid)
            pending += [(path.rstrip(b"/") + b"/" + name, child) for name, child in _folder(data, found, inode)]
        if count + len(pending) > MAX_ENTRIES:
            raise _refused("too-many", f"expected at most {MAX_ENTRIES} entries, found more", SUPERBLOCK)


def _super(data: memoryview) -> _Super:
    if len(data) < SUPERBLOCK + _SUPERBLOCK.size:
        raise _refused("superblock", "expected a superblock, found the end", SUPERBLOCK)
    magic, _, bits, root, meta, attributes, features, folder_bits = _SUPERBLOCK.unpack_from(data, SUPERBLOCK)
    if magic != MAGIC or bits not in _BLOCK_BITS or folder_bits:
        raise _refused("superblock", "expected a superblock with blocks of 512 bytes to 64 KiB", SUPERBLOCK)
    if features & ~_KNOWN_FEATURES:
        raise _refused(
            "feature", f"expected features within {_KNOWN_FEATURES:#x}, found {features:#x}", SUPERBLOCK + 80
        )
    return _Super(1 << bits, root, meta << bits, attributes << bits)


def _inode(data: memoryview, found: _Super, nid: int) -> _Inode:
    at = found.meta + nid * _SLOT_BYTES
    kind = _COMPACT if not _bytes(data, at, 2)[0] & 1 else _EXTENDED
    fields = kind.unpack(_bytes(data, at, kind.size))
    form, attributes, mode = fields[:3]
    if kind is _COMPACT:
        size, _, union, _, uid, gid, _ = fields[4:]
    else:
        size, union, _, uid, gid = fields[4:]
    return _Inode(
        nid=nid,
        layout=form >> 1 & 7,
        mode=mode,
        uid=uid,
        gid=gid,
        size=size,
        union=union,
        attributes_at=at + kind.size,
        attributes_bytes=_XATTR_HEADER_BYTES + (attributes - 1) * 4 if attributes else 0,
    )


def _entry(data: memoryview, found: _Super, inode: _Inode, path: bytes) -> ErofsEntry:
    is_device = stat.S_ISCHR(inode.mode) or stat.S_ISBLK(inode.mode)
    return ErofsEntry(
        path=path,
        nid=inode.nid,
        mode=inode.mode,
        uid=inode.uid,
        gid=inode.gid,
        size=inode.size if stat.S_ISREG(inode.mode) else 0,
        target=_target(data, found, inode) if stat.S_ISLNK(inode.mode) else b"",
        device=(inode.union >> 8 & 0xFFF, inode.union & 0xFF | inode.union >> 12 & 0xFFF00) if is_device else None,
        attributes=dict(_attributes(data, found, inode)),
        parts=_parts(data, found, inode) if stat.S_ISREG(inode.mode) else None,
    )


def _target(data: memoryview, found: _Super, inode: _Inode) -> bytes:
    parts = _parts(data, found, inode)
    if parts is None or not 0 < inode.size <= MAX_TARGET_BYTES:
        raise _refused("link", "expected a link to lead somewhere, in plain text", inode.tail)
    return b"".join(parts)


def _parts(data: memoryview, found: _Super, inode: _Inode) -> tuple[memoryview, ...] | None:
    start = inode.union * found.block_bytes
    if inode.layout == _PLAIN:
        return (_bytes(data, start, inode.size),)
    if inode.layout != _INLINE:
        return None
    whole = max(-(-inode.size // found.block_bytes) - 1, 0) * found.block_bytes
    tail = _bytes(data, inode.tail, inode.size - whole)
    return (_bytes(data, start, whole), tail) if whole else (tail,)


def _folder(data: memoryview, found: _Super, inode: _Inode) -> Iterator[tuple[bytes, int]]:
    parts = _parts(data, found, inode)
    if parts is None:
        raise _refused("folder-layout", "expected a folder that is stored plainly", inode.tail)
    for part in parts:
        for start in range(0, len(part), found.block_bytes):
            yield from _names(part[start : start + found.block_bytes], inode)


def _names(block: memoryview, inode: _Inode) -> Iterator[tuple[bytes, int]]:
    if len(block) < _DIRENT.size:
        raise _refused("folder", "expected a block with names", inode.tail)
    first = _DIRENT.unpack_from(block)[1]
    if not first or first % _DIRENT.size or first > len(block):
        raise _refused("folder", f"expected names to begin behind their entries, found {first}", inode.tail)
    entries = list(_DIRENT.iter_unpack(block[:first]))
    ends = [entry[1] for entry in entries[1:]] + [len(block)]
    for (nid, start, _), end in zip(entries, ends, strict=True):
        name = bytes(block[start:end])
        name = name.partition(b"\0")[0] if end == len(block) else name
        if not name or b"/" in name or b"\0" in name:
            raise _refused("name", f"expected a name, found {name[:40]!r}", inode.tail)
        if name not in {b".", b".."}:
            yield name, nid


def _attributes(data: memoryview, found: _Super, inode: _Inode) -> Iterator[tuple[str, bytes]]:
    if not inode.attributes_bytes:
        return
    body = _bytes(data, inode.attributes_at, inode.attributes_bytes)
    at = _XATTR_HEADER_BYTES + 4 * body[4]
    for place in range(_XATTR_HEADER_BYTES, min(at, len(body) - 3), 4):
        shared = found.attributes + 4 * int.from_bytes(body[place : place + 4], "little")
        yield _attribute(_bytes(data, shared, min(len(data) - shared, 1 << 17)), inode)[0]
    while at + _XATTR.size <= len(body):
        found_one, size = _attribute(body[at:], inode)
        yield found_one
        at += -(-size // 4) * 4


def _attribute(data: memoryview, inode: _Inode) -> tuple[tuple[str, bytes], int]:
    """Return an attribute's name and value, and how many bytes it takes."""
    name_bytes, prefix, value_bytes = _XATTR.unpack(_bytes(data, 0, _XATTR.size))
    size = _XATTR.size + name_bytes + value_bytes
    if prefix & _LONG_PREFIX or size > len(data):
        raise _refused("attribute", "expected an attribute with a short prefix, found another", inode.attributes_at)
    name = bytes(data[_XATTR.size : _XATTR.size + name_bytes]).decode("utf-8", "surrogateescape")
    return (_XATTR_PREFIXES.get(prefix, f"{prefix}:") + name, bytes(data[size - value_bytes : size])), size


def _bytes(data: memoryview, start: int, size: int) -> memoryview:
    if not 0 <= start <= start + size <= len(data):
        raise _refused("bounds", f"expected {size} bytes, found the file system to end before", start)
    return data[start : start + size]


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"erofs.{code}", message, offset=offset, spec=SPEC)
