# SPDX-License-Identifier: Apache-2.0
"""The tree in a file system, without mounting it and without root.

EROFS and ext2 to ext4 are read by our own readers; what EROFS holds compressed is unpacked by Debian's fsck.erofs,
squashfs by unsquashfs, both behind the walls of `imaging/sandbox.py`. Others are for Linux itself, in a helper guest.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from strongroom.errors import FormatError, LocalFault
from strongroom.formats.erofs import ErofsEntry, parse_erofs
from strongroom.formats.ext4 import Ext4Entry, parse_ext4
from strongroom.imaging.sandbox import INPUT, SCRATCH, find_program, python_in_sandbox, run_in_sandbox
from strongroom.imaging.tree.archives import tar_tree
from strongroom.imaging.tree.folder import file_contents
from strongroom.imaging.tree.kinds import FileSystem
from strongroom.imaging.tree.node import CAPABILITIES, Node
from strongroom.imaging.tree.packing import ARCHIVE, TREE, packing_command
from strongroom.imaging.tree.tree import Tree

Linux: TypeAlias = Callable[[Path, FileSystem], Tree]
"""Reads a file system with Linux's own driver (`imaging/tree/guest.py`)."""
_NEEDS_LINUX = frozenset({"ext.unclean", "ext.feature"})


def file_system_tree(
    data: memoryview,
    kind: FileSystem,
    as_file: Callable[[memoryview], Path],
    new_folder: Callable[[], Path],
    *,
    linux: Linux | None = None,
) -> Tree:
    """Return the tree of a file system. `as_file` makes a file of bytes, `new_folder` an empty folder to unpack in.

    Both have to stay while contents are read. `linux` reads what nothing here does. Raises FormatError for what is
    broken or of a kind that is not read, LocalFault where a program is missing.
    """
    if kind is FileSystem.EROFS:
        return erofs_tree(data, lambda: as_file(data), new_folder())
    if kind is FileSystem.EXT:
        return _ext4_or_linux(data, kind, as_file, linux)
    if kind is FileSystem.SQUASHFS:
        return squashfs_tree(as_file(data), new_folder())
    if linux is None:
        raise FormatError("tree.file-system", f"expected a file system that is read without Linux, found {kind}")
    return linux(as_file(data), kind)


def _ext4_or_linux(
    data: memoryview, kind: FileSystem, as_file: Callable[[memoryview], Path], linux: Linux | None
) -> Tree:
    """Read it, or have Linux read it: what it needs first is a journal replayed, or has features of a newer kind."""
    try:
        return ext4_tree(data)
    except FormatError as error:
        if linux is None or error.code not in _NEEDS_LINUX:
            raise
    return linux(as_file(data), kind)


def erofs_tree(data: memoryview, image: Callable[[], Path], scratch: Path) -> Tree:
    """Return the tree of an EROFS. `image` makes a file that holds just `data`, where one is needed.

    `scratch` is an empty folder that has to stay while contents are read. Raises FormatError for a file system that is
    broken, LocalFault where a program is missing.
    """
    entries = {_text(entry.path): entry for entry in parse_erofs(data)}
    if any(entry.parts is None and entry.size for entry in entries.values()):
        unpack = (find_program("fsck.erofs"), f"--extract={SCRATCH}/{TREE}", "--no-preserve", INPUT)
        run_in_sandbox(unpack, source=image(), scratch=scratch, as_root=True)

    def contents(node: Node) -> memoryview:
        parts = entries[node.path].parts
        if parts is not None:
            return parts[0] if len(parts) == 1 else memoryview(b"".join(parts))
        return _unpacked(scratch / TREE, node)

    return Tree((_node(path, entry) for path, entry in entries.items()), contents)


def _unpacked(folder: Path, node: Node) -> memoryview:
    """Return what was unpacked of a file. fsck.erofs does not always say that it left one out, or a part of it."""
    try:
        contents = file_contents(Path(f"{folder}{node.path}"))
    except LocalFault as error:
        raise FormatError("erofs.contents", f"expected {node.path} to be unpacked, found none") from error
    if len(contents) != node.size:
        raise FormatError("erofs.contents", f"expected {node.size} bytes in {node.path}, found {len(contents)}")
    return contents


def ext4_tree(data: memoryview) -> Tree:
    """Return the tree of an ext2, ext3 or ext4. Raises FormatError for a file system that is broken."""
    entries = {_text(entry.path): entry for entry in parse_ext4(data)}
    return Tree(
        (_node(path, entry) for path, entry in entries.items()), lambda node: entries[node.path].contents.read()
    )


def squashfs_tree(image: Path, scratch: Path) -> Tree:
    """Return the tree of the squashfs in `image`. `scratch` is an empty folder. Raises as `erofs_tree`."""
    unpack = (find_program("unsquashfs"), "-quiet", "-no-progress", "-dest", TREE, INPUT)
    both = " && ".join(map(shlex.join, (unpack, packing_command(python_in_sandbox()))))
    run_in_sandbox(("/bin/sh", "-c", both), source=image, scratch=scratch, as_root=True)
    return tar_tree(file_contents(scratch / ARCHIVE))


def _node(path: str, entry: ErofsEntry | Ext4Entry) -> Node:
    return Node(
        path=path,
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        size=entry.size,
        target=_text(entry.target),
        device=entry.device,
        capabilities=entry.attributes.get(CAPABILITIES, b""),
    )


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
