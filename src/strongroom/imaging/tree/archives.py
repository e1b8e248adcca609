# SPDX-License-Identifier: Apache-2.0
"""Trees out of archives: a tar file, the archives of an initrd."""

from __future__ import annotations

import stat
from collections.abc import Iterable

from strongroom.formats.cpio import CpioArchive, CpioEntry
from strongroom.formats.tar import TarEntry, TarKind, parse_tar
from strongroom.imaging.tree.node import CAPABILITIES, Node
from strongroom.imaging.tree.tree import Tree
from strongroom.imaging.tree.unpacking import Unpacking

_KINDS = {
    TarKind.FILE: stat.S_IFREG,
    TarKind.LINK: stat.S_IFLNK,
    TarKind.CHARACTER_DEVICE: stat.S_IFCHR,
    TarKind.BLOCK_DEVICE: stat.S_IFBLK,
    TarKind.FOLDER: stat.S_IFDIR,
    TarKind.PIPE: stat.S_IFIFO,
}
_DEVICES = frozenset({TarKind.CHARACTER_DEVICE, TarKind.BLOCK_DEVICE})
_TYPES = frozenset({stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK})


def tar_tree(data: memoryview) -> Tree:
    """Return the tree of a tar file, as it is unpacked. Raises FormatError."""
    unpacking = Unpacking()
    for entry in parse_tar(data):
        unpack_tar_entry(unpacking, entry)
    return unpacking.tree()


def unpack_tar_entry(unpacking: Unpacking, entry: TarEntry) -> None:
    """Unpack one entry of a tar file. Raises FormatError."""
    path = unpacking.place(entry.name)
    if entry.kind is TarKind.HARD_LINK:
        unpacking.link(path, unpacking.place(entry.target))
        return
    node = Node(
        path=path,
        mode=_KINDS[entry.kind] | entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=len(entry.contents),
        target=entry.target.decode("utf-8", "surrogateescape") if entry.kind is TarKind.LINK else "",
        device=entry.device if entry.kind in _DEVICES else None,
        capabilities=entry.attributes.get(CAPABILITIES, b""),
    )
    unpacking.add(node, entry.contents if node.is_file else None)


def cpio_tree(archives: Iterable[CpioArchive]) -> Tree:
    """Return the tree of an initrd's archives, unpacked one over the other. Raises FormatError.

    As in Linux, what is of no kind that a file system has is left out (init/initramfs.c).
    """
    unpacking = Unpacking()
    for archive in archives:
        names: dict[tuple[int, int, int], list[str]] = {}
        for entry in archive.entries:
            if stat.S_IFMT(entry.mode) in _TYPES:
                _unpack_cpio_entry(unpacking, entry, names)
    return unpacking.tree()


def _unpack_cpio_entry(unpacking: Unpacking, entry: CpioEntry, names: dict[tuple[int, int, int], list[str]]) -> None:
    """Unpack an entry. `names` are those of each file that has several; only one of them carries the contents."""
    path = unpacking.place(entry.name)
    node = _cpio_node(path, entry)
    others = names.setdefault(entry.inode, []) if node.is_file and entry.links > 1 else []
    if others and not entry.contents:
        unpacking.link(path, others[0])
    else:
        unpacking.add(node, entry.contents if node.is_file else None)
        for other in others:
            unpacking.link(other, path)
    others.append(path)


def _cpio_node(path: str, entry: CpioEntry) -> Node:
    node = Node(path=path, mode=entry.mode & 0o177777, uid=entry.uid, gid=entry.gid)
    if node.is_link:
        target = bytes(entry.contents).rstrip(b"\0").decode("utf-8", "surrogateescape")
        return Node(path=path, mode=node.mode, uid=node.uid, gid=node.gid, target=target)
    is_device = stat.S_ISCHR(node.mode) or stat.S_ISBLK(node.mode)
    return Node(
        path=path,
        mode=node.mode,
        uid=node.uid,
        gid=node.gid,
        size=len(entry.contents) if node.is_file else 0,
        device=entry.device if is_device else None,
    )
