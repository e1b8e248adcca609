# SPDX-License-Identifier: Apache-2.0
"""The tree in a folder of this machine."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from strongroom.errors import FormatError, LocalFault
from strongroom.imaging.tree.node import CAPABILITIES, Node
from strongroom.imaging.tree.tree import Tree
from strongroom.imaging.tree.unpacking import MAX_NODES


def folder_tree(root: Path) -> Tree:
    """Return the tree below a folder, with the owners that it has here. Other file systems mounted in it are left out.

    Contents are read when they are asked for. Raises LocalFault for what cannot be read, FormatError for too much.
    """
    try:
        status = root.stat()
        nodes = [_node("/", root, status), *_below(root, "", status.st_dev)]
    except OSError as error:
        raise _unreadable(error) from error
    return Tree(nodes, lambda node: file_contents(Path(f"{root}{node.path}")))


def file_contents(path: Path) -> memoryview:
    """Return what a file holds; nothing is read before it is looked at. Raises LocalFault when it cannot be opened."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or not status.st_size:
                return memoryview(b"")
            return memoryview(mmap.mmap(descriptor, status.st_size, access=mmap.ACCESS_READ))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _unreadable(error) from error


def _below(folder: Path, inside: str, device: int) -> Iterator[Node]:
    pending = [(folder, inside)]
    count = 0
    while pending:
        here, inside = pending.pop()
        with os.scandir(here) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                path = f"{inside}/{entry.name}"
                yield _node(path, Path(entry.path), status)
                count += 1
                if stat.S_ISDIR(status.st_mode) and status.st_dev == device:
                    pending.append((Path(entry.path), path))
        if count > MAX_NODES:
            raise FormatError("tree.too-many", f"expected at most {MAX_NODES} entries in {folder}, found more")


def _node(path: str, real: Path, status: os.stat_result) -> Node:
    mode = status.st_mode
    is_device = stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
    return Node(
        path=path,
        mode=mode,
        uid=status.st_uid,
        gid=status.st_gid,
        size=status.st_size if stat.S_ISREG(mode) else 0,
        target=str(real.readlink()) if stat.S_ISLNK(mode) else "",
        device=(os.major(status.st_rdev), os.minor(status.st_rdev)) if is_device else None,
        capabilities=_capabilities(real) if stat.S_ISREG(mode) else b"",
    )


def _capabilities(real: Path) -> bytes:
    try:
        return os.getxattr(real, CAPABILITIES, follow_symlinks=False)
    except OSError:  # none, or a file system without attributes
        return b""


def _unreadable(error: OSError) -> LocalFault:
    return LocalFault(
        "tree.unreadable",
        f"cannot read {error.filename}: {error.strerror}",
        remedy="Audit it as somebody who may read all of it, or a tar file of it.",
    )
