# SPDX-License-Identifier: Apache-2.0
"""The tree of a base, from wherever it lies. Nothing in it runs, and no path of it leads out of it.

Blobs of a container image are compared with their digests, and what a layer hides is gone (`imaging/tree/oci.py`).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from strongroom.errors import FormatError
from strongroom.formats.image_spec_model import BaseKind
from strongroom.formats.uki import Architecture
from strongroom.imaging.audit.scratch import Scratch
from strongroom.imaging.tree.archives import tar_tree
from strongroom.imaging.tree.compression import Room, is_compressed, unpack
from strongroom.imaging.tree.folder import file_contents, folder_tree
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.oci import is_oci_layout, oci_tree
from strongroom.imaging.tree.tree import Tree

MAX_ARCHIVE_BYTES = 32 << 30
"""Of a compressed archive, unpacked."""
OCI_ARCHITECTURES = {Architecture.X86_64: "amd64", Architecture.ARM64: "arm64"}
"""As OCI's image index spells them (Go's GOARCH)."""
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257


def open_base(kind: BaseKind, path: Path, architecture: Architecture, scratch: Scratch) -> Tree:
    """Return the tree of a base of kind `tree` or `oci`: a folder, or a tar file of one.

    A folder's files that belong to whoever builds belong to root in the image: nobody else can unpack a tree without
    root. Contents may be read as long as `scratch` is there. Raises FormatError for what is none, and LocalFault.
    """
    if kind is BaseKind.OCI:
        layout = path if path.is_dir() else _unpacked_layout(_archive(path, scratch), scratch)
        if not is_oci_layout(layout):
            raise FormatError(
                "base.no-layout",
                f"expected an OCI layout in {path} (oci-layout and index.json), found none",
                spec="OCI image-layout",
                remedy="`skopeo copy docker://IMAGE oci:FOLDER` and `podman save --format oci-archive` write one.",
            )
        return oci_tree(layout, scratch.folder(), architecture=OCI_ARCHITECTURES[architecture])
    return _owned_by_root(folder_tree(path)) if path.is_dir() else _archive(path, scratch)


def digest_tree(tree: Tree) -> bytes:
    """Return the SHA-256 of everything in a tree but times: equal trees have equal digests, however they were kept."""
    digest = hashlib.sha256()
    for node in tree.nodes.values():
        row = (node.path, node.mode, node.uid, node.gid, node.size, node.target, node.device, node.capabilities.hex())
        digest.update(repr(row).encode("utf-8", "surrogateescape") + b"\n")
        if node.is_file:
            digest.update(hashlib.sha256(tree.view(node.path)).digest())
    return digest.digest()


def _archive(path: Path, scratch: Scratch) -> Tree:
    data = file_contents(path.resolve())
    if is_compressed(data):
        data, _ = unpack(data, Room(MAX_ARCHIVE_BYTES), scratch.folder())
    if bytes(data[_TAR_MARK_AT : _TAR_MARK_AT + len(_TAR_MARK)]) != _TAR_MARK:
        raise FormatError(
            "base.no-archive",
            f"expected a folder or a tar file at {path}, found another file",
            spec="POSIX.1-2017 pax",
        )
    return tar_tree(data)


def _unpacked_layout(tree: Tree, scratch: Scratch) -> Path:
    """Unpack the files of a layout, whose names are those that a layout has."""
    layout = scratch.folder()
    for node in _layout_files(tree):
        file = layout / node.path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as out:
            out.write(tree.view(node.path))
    return layout


def _layout_files(tree: Tree) -> Iterator[Node]:
    for pattern in ("/oci-layout", "/index.json", "/blobs/sha256/*"):
        yield from (node for node in tree.glob(pattern) if node.is_file)


def _owned_by_root(tree: Tree) -> Tree:
    user, group = os.getuid(), os.getgid()
    nodes = (
        replace(node, uid=0 if node.uid == user else node.uid, gid=0 if node.gid == group else node.gid)
        for node in tree.nodes.values()
    )
    return Tree((node for node in nodes if not stat.S_ISSOCK(node.mode)), lambda node: tree.view(node.path))
