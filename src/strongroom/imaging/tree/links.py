# SPDX-License-Identifier: Apache-2.0
"""Follow symbolic links as a kernel would whose root is the tree (path_resolution(7)): never out of it."""

from __future__ import annotations

from collections.abc import Mapping

from strongroom.imaging.tree.node import Node

MAX_LINKS = 40
"""Links followed for one path, as Linux does."""


def resolve(nodes: Mapping[str, Node], path: str, *, follow_last: bool = True) -> Node | None:
    """Return what a path leads to; None where there is nothing, where it leads through a file, or in a circle."""
    found = resolve_path(nodes, path, follow_last=follow_last)
    return None if found is None else nodes.get(found)


def resolve_path(nodes: Mapping[str, Node], path: str, *, follow_last: bool = True) -> str | None:
    """Return where a path leads, also where its last part does not exist; None as `resolve` for what is before it."""
    pending = _parts(path)
    current: list[str] = []
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            current = current[:-1]
            continue
        here = "/" + "/".join((*current, part))
        node = nodes.get(here)
        if pending and (node is None or not (node.is_folder or node.is_link)):
            return None
        if node is None or not node.is_link or (not pending and not follow_last):
            current.append(part)
            continue
        links += 1
        if links > MAX_LINKS or not node.target:
            return None
        current = [] if node.target.startswith("/") else current
        pending += _parts(node.target)
    return "/" + "/".join(current)


def _parts(path: str) -> list[str]:
    """Return the parts of a path, the first one last."""
    return [part for part in reversed(path.split("/")) if part not in {"", "."}]
