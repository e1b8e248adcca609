# SPDX-License-Identifier: Apache-2.0
"""Which paths are not the image's own when it runs: folders for everybody, and disks that the owner edits."""

from __future__ import annotations

import posixpath

from strongroom.imaging.audit.mounts import mounts_of
from strongroom.imaging.audit.systemd.arguments import Arguments
from strongroom.imaging.tree.tree import Tree

_FOR_EVERYBODY = ("/tmp", "/var/tmp", "/dev/shm", "/mnt", "/media")  # noqa: S108 -- places in an image under audit
_NOT_WORKED_OUT = ("$", "%", "~")


def why_elsewhere(tree: Tree, arguments: Arguments, path: str) -> str:
    """Say why what lies at a path is not what the image holds; an empty text where it is.

    Paths with variables in them are not worked out.
    """
    if any(sign in path for sign in _NOT_WORKED_OUT):
        return ""
    if not path.startswith("/"):
        return "which depends on the folder that a program runs in" if path else "which is the folder a program runs in"
    path = posixpath.normpath(path)
    if _is_below(path, _FOR_EVERYBODY):
        return "where everybody may write"
    disk = next(
        (each for each in mounts_of(tree, arguments) if each.is_from_disk and _is_inside(path, each.where)), None
    )
    if disk is not None:
        return f"which comes from {disk.what}"
    node = tree.resolve(path)
    return "which everybody may write" if node is not None and node.is_world_writable else ""


def _is_below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(f"{folder}/") for folder in folders)


def _is_inside(path: str, where: str) -> bool:
    """Tell whether a mount shows at a path. That of the root is left to dm-verity."""
    return where not in {"", "/", "/usr"} and _is_below(path, (where,))
