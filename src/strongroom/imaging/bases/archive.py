# SPDX-License-Identifier: Apache-2.0
"""A tree as a tar file, for programs that restore owners, devices and capabilities from one (GNU tar, fakeroot)."""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from strongroom.errors import LocalFault
from strongroom.imaging.tree.node import CAPABILITIES, Node
from strongroom.imaging.tree.tree import Tree

_KINDS: Final[Mapping[int, bytes]] = MappingProxyType(
    {
        stat.S_IFREG: tarfile.REGTYPE,
        stat.S_IFDIR: tarfile.DIRTYPE,
        stat.S_IFLNK: tarfile.SYMTYPE,
        stat.S_IFCHR: tarfile.CHRTYPE,
        stat.S_IFBLK: tarfile.BLKTYPE,
        stat.S_IFIFO: tarfile.FIFOTYPE,
    }
)
_XATTR: Final = "SCHILY.xattr."
"""Under which GNU tar keeps extended attributes in pax headers (star(5)); `tar --xattrs` restores them."""


def write_archive(tree: Tree, destination: Path, *, epoch: int) -> None:
    """Write a tree as a tar file (POSIX.1-2017, pax), every time being `epoch` seconds. Equal trees give equal bytes.

    Each path has its own contents: what was one file under two names is two. Capabilities stand in it, and whoever
    unpacks it decides on them: fakeroot 1.31 forgets what kind of file it is that it sets one on. Raises LocalFault
    where it cannot be written, and what reading the tree raises.
    """
    try:
        with tarfile.open(destination, "x", format=tarfile.PAX_FORMAT, errors="surrogateescape") as archive:
            for node in tree.nodes.values():
                contents = io.BytesIO(tree.view(node.path)) if node.is_file else None
                archive.addfile(_entry(node, epoch), contents)
    except OSError as error:
        raise LocalFault("base.unwritable", f"cannot write {destination}: {error.strerror}") from error


def _entry(node: Node, epoch: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo("." + node.path.rstrip("/"))
    entry.type = _KINDS[stat.S_IFMT(node.mode)]
    entry.mode = stat.S_IMODE(node.mode)
    entry.uid, entry.gid = node.uid, node.gid
    entry.mtime = epoch
    entry.size = node.size if node.is_file else 0
    entry.linkname = node.target
    entry.devmajor, entry.devminor = node.device or (0, 0)
    if node.capabilities:
        value = node.capabilities.decode("utf-8", "surrogateescape")
        entry.pax_headers = {_XATTR + CAPABILITIES: value}
    return entry
