# SPDX-License-Identifier: Apache-2.0
"""Reader of ext2, ext3 and ext4 file systems: names, modes, owners, links, attributes and contents.

Layout: Linux, Documentation/filesystems/ext4. Input is hostile (ATTACKS B19). A file system that was not unmounted
cleanly is refused with a code of its own: what counts may stand in its journal. So are encrypted files, and features
that move things elsewhere.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats.ext4_attributes import Attributes, read_attributes
from strongroom.formats.ext4_blocks import Extent, read_extents
from strongroom.formats.ext4_layout import ROOT, SPEC, SUPERBLOCK, Ext4Layout, Inode, parse_layout, read_inode

MAX_ENTRIES = 500_000
MAX_TARGET_BYTES = 4_096
MAX_FOLDER_BYTES = 1 << 30
"""Of all folders together: several may name the same blocks."""
_INLINE, _ENCRYPTED = 0x1000_0000, 0x800
_INLINE_IN_INODE_BYTES = 60
_INLINE_ATTRIBUTE = "system.data"
_DIRENT_BYTES = 8


@dataclass(frozen=True, slots=True)
class Ext4Entry:
    """One name in the file system. Several may share an inode."""

    path: bytes
    """With its leading slash; the root is `/`."""
    inode: int
    mode: int
    uid: int
    gid: int
    size: int
    target: bytes
    device: tuple[int, int] | None
    attributes: Mapping[str, bytes]
    contents: Ext4Contents


@dataclass(frozen=True, slots=True)
class Ext4Contents:
    """Where the contents of a file are: looked up when they are read."""

    file_system: memoryview
    layout: Ext4Layout
    inode: Inode
    inline: bytes | None

    def read(self) -> memoryview:
        """Return the contents, with zeros where there are holes. Raises FormatError."""
        if self.inline is not None:
            return memoryview(self.inline)
        if self.inode.size > len(self.file_system):
            message = f"expected a file within the file system's size, found {self.inode.size}"
            raise _refused("sparse", message, self.inode.offset)
        extents = read_extents(self.file_system, self.layout, self.inode)
        return _assembled(self.file_system, self.layout, extents, self.inode)


def parse_ext4(data: memoryview) -> Iterator[Ext4Entry]:
    """Yield every name, folders before what is in them. Raises FormatError."""
    layout = parse_layout(data)
    pending = [(b"/", ROOT)]
    folders: set[int] = set()
    count = folder_bytes = 0
    while pending:
        path, number = pending.pop()
        inode = read_inode(data, layout, number)
        entry = _entry(data, layout, inode, path)
        yield entry
        count += 1
        if stat.S_ISDIR(inode.mode):
            folder_bytes += inode.size
            if number in folders or folder_bytes > MAX_FOLDER_BYTES:
                raise _refused(
                    "folder-twice", f"expected folder {number} once, and folders of a sane size", inode.offset
                )
            folders.add(number)
            pending += [(path.rstrip(b"/") + b"/" + name, child) for name, child in _folder(layout, entry)]
        if count + len(pending) > MAX_ENTRIES:
            raise _refused("too-many", f"expected at most {MAX_ENTRIES} entries, found more", SUPERBLOCK)


def _entry(data: memoryview, layout: Ext4Layout, inode: Inode, path: bytes) -> Ext4Entry:
    if inode.flags & _ENCRYPTED:
        raise _refused("encrypted", f"expected files that are not encrypted, found inode {inode.number}", inode.offset)
    attributes = read_attributes(data, layout, inode)
    inline = _inline(inode, attributes) if inode.flags & _INLINE else None
    contents = Ext4Contents(data, layout, inode, inline)
    return Ext4Entry(
        path=path,
        inode=inode.number,
        mode=inode.mode,
        uid=inode.uid,
        gid=inode.gid,
        size=inode.size if stat.S_ISREG(inode.mode) else 0,
        target=_target(contents) if stat.S_ISLNK(inode.mode) else b"",
        device=_device(inode.block) if stat.S_ISCHR(inode.mode) or stat.S_ISBLK(inode.mode) else None,
        attributes=attributes,
        contents=contents,
    )


def _inline(inode: Inode, attributes: Attributes) -> bytes:
    """Return contents that are stored in the inode, and go on in an attribute."""
    return (inode.block + attributes.get(_INLINE_ATTRIBUTE, b""))[: inode.size]


def _target(contents: Ext4Contents) -> bytes:
    inode = contents.inode
    if not 0 < inode.size <= MAX_TARGET_BYTES:
        raise _refused("link", f"expected a link of 1 to {MAX_TARGET_BYTES} bytes, found {inode.size}", inode.offset)
    if inode.size < len(inode.block) and contents.inline is None:
        return inode.block[: inode.size]
    return bytes(contents.read())


def _device(block: bytes) -> tuple[int, int]:
    old, new = (int.from_bytes(block[at : at + 4], "little") for at in (0, 4))
    if old:
        return old >> 8 & 0xFF, old & 0xFF
    return new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xFFF00


def _folder(layout: Ext4Layout, entry: Ext4Entry) -> Iterator[tuple[bytes, int]]:
    inode = entry.contents.inode
    inline = entry.contents.inline
    if inline is not None:  # the number of its parent stands before the names
        yield from _names(memoryview(inline[4:_INLINE_IN_INODE_BYTES]), inode)
        yield from _names(memoryview(inline[_INLINE_IN_INODE_BYTES:]), inode)
        return
    contents = entry.contents.read()
    for start in range(0, len(contents), layout.block_bytes):
        yield from _names(contents[start : start + layout.block_bytes], inode)


def _names(block: memoryview, inode: Inode) -> Iterator[tuple[bytes, int]]:
    at = 0
    while at + _DIRENT_BYTES <= len(block):
        number = int.from_bytes(block[at : at + 4], "little")
        length, name_bytes = int.from_bytes(block[at + 4 : at + 6], "little"), block[at + 6]
        length = length or len(block)  # of blocks of 64 KiB, whose size has no place in the field
        if length < _DIRENT_BYTES + name_bytes or length % 4 or at + length > len(block):
            raise _refused("folder", f"expected names that fit their entries in inode {inode.number}", inode.offset)
        name = bytes(block[at + _DIRENT_BYTES : at + _DIRENT_BYTES + name_bytes])
        if number and name not in {b".", b".."}:
            if not name or b"/" in name or b"\0" in name:
                raise _refused("name", f"expected a name in inode {inode.number}, found {name[:40]!r}", inode.offset)
            yield name, number
        at += length


def _assembled(data: memoryview, layout: Ext4Layout, extents: tuple[Extent, ...], inode: Inode) -> memoryview:
    """Return contents out of their extents. One that stands whole is not copied."""
    parts: list[memoryview | bytes] = []
    place = 0
    for extent in extents:
        start = min(extent.logical * layout.block_bytes, inode.size)
        taken = min(extent.blocks * layout.block_bytes, inode.size - start)
        physical = extent.physical * layout.block_bytes
        if physical + taken > len(data):
            raise _refused("bounds", "expected contents, found the file system to end before", physical)
        parts += [bytes(start - place), data[physical : physical + taken] if extent.is_written else bytes(taken)]
        place = start + taken
    parts.append(bytes(inode.size - place))
    whole = [part for part in parts if part]
    return memoryview(whole[0] if len(whole) == 1 else b"".join(whole))


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"ext.{code}", message, offset=offset, spec=SPEC)
