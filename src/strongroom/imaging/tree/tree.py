# SPDX-License-Identifier: Apache-2.0
"""A file tree that nothing runs in: names, modes and contents, with links followed inside of it and nowhere else."""

from __future__ import annotations

import bisect
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import TypeAlias

from strongroom.errors import FormatError
from strongroom.imaging.tree.links import resolve
from strongroom.imaging.tree.node import Node

MAX_READ_BYTES = 16 << 20
"""Of what `read` returns: configuration, scripts and lists are far smaller. `view` has no bound."""
_WILDCARDS = re.compile(r"[*?\[]")
FOLDER_MODE = stat.S_IFDIR | 0o755
"""Of folders that are not stored and must be there."""

Contents: TypeAlias = Callable[[Node], memoryview]
"""Gives what a file of the tree holds, without copying it where that can be."""


class Tree:
    """A tree. Paths are absolute: `/etc/passwd`; those of nodes lead through no link."""

    def __init__(self, nodes: Iterable[Node], contents: Contents) -> None:
        """Take nodes in the order in which they were stored: the last of a path counts, as when they are unpacked."""
        found = {node.path: node for node in nodes}
        for path in [*found]:
            _add_parents(found, path)
        self._paths = sorted(found)
        self.nodes: Mapping[str, Node] = MappingProxyType({path: found[path] for path in self._paths})
        """By path, in the order of their paths."""
        self._contents = contents

    def view(self, path: str) -> memoryview:
        """Return what a file holds, of any size, links followed. Raises FormatError where there is no such file."""
        node = self.resolve(path)
        if node is None or not node.is_file:
            raise FormatError("tree.no-such-file", f"expected a file at {path}, found {node or 'none'}")
        return self._contents(node)

    def read(self, path: str, *, maximum_bytes: int = MAX_READ_BYTES) -> bytes:
        """Return what a file holds, links followed. Raises FormatError for none, and for one above the bound."""
        contents = self.view(path)
        if len(contents) > maximum_bytes:
            raise FormatError(
                "tree.file-too-large", f"expected at most {maximum_bytes} bytes in {path}, found {len(contents)}"
            )
        return bytes(contents)

    def text(self, path: str) -> str:
        """Return what a text file holds, with signs for what is not UTF-8. Raises as `read`."""
        return self.read(path).decode("utf-8", "replace")

    def lines(self, path: str) -> Iterator[tuple[int, str]]:
        """Yield the lines of a text file with their numbers, from 1; none where there is no such file."""
        node = self.resolve(path)
        if node is not None and node.is_file:
            yield from enumerate(self.text(node.path).splitlines(), 1)

    def resolve(self, path: str) -> Node | None:
        """Return what a path leads to when this tree is the root, or None: there is nothing, or links in a circle."""
        return resolve(self.nodes, path)

    def lookup(self, path: str) -> Node | None:
        """Return what is at a path, as `resolve`, but a link itself where the last part of the path is one."""
        return resolve(self.nodes, path, follow_last=False)

    def children(self, path: str) -> Iterator[Node]:
        """Yield what lies directly in a folder, links in its path followed; nothing where there is none."""
        yield from self._matching(path, "*")

    def below(self, path: str) -> Iterator[Node]:
        """Yield everything under a folder, links in its path followed, the folder itself not among it."""
        yield from self._matching(path, "**")

    def glob(self, pattern: str) -> Iterator[Node]:
        """Yield nodes by pattern, in the order of paths. Links are followed up to the first part with a wildcard.

        `*`, `?`, `[...]` and `[!...]` stay within one part of a path; `**` also crosses slashes.
        """
        folder, rest = _split(pattern)
        if rest:
            yield from self._matching(folder, rest)
            return
        node = self.resolve(folder)
        if node is not None:
            yield node

    def _matching(self, folder: str, pattern: str) -> Iterator[Node]:
        start = self.resolve(folder)
        if start is None or not start.is_folder:
            return
        prefix = start.path.rstrip("/") + "/"
        expected = _compiled(pattern)
        for index in range(bisect.bisect_left(self._paths, prefix), len(self._paths)):
            path = self._paths[index]
            if not path.startswith(prefix):
                break
            if path != prefix and expected.fullmatch(path, len(prefix)):
                yield self.nodes[path]

    def moved(self, folder: str) -> Tree:
        """Return this tree as it is when it is mounted on a folder of an empty root: `/usr`."""
        places = {folder + node.path.rstrip("/"): node for node in self.nodes.values()}
        moved = (replace(node, path=path) for path, node in places.items())
        return Tree(moved, lambda node: self._contents(places[node.path]))

    @cached_property
    def files(self) -> tuple[Node, ...]:
        """Every regular file."""
        return tuple(node for node in self.nodes.values() if node.is_file)


def memory_tree(nodes: Iterable[tuple[Node, bytes]]) -> Tree:
    """Return a tree of nodes with their contents. Sizes are those of the contents."""
    held = {node.path: (node, contents) for node, contents in nodes}
    return Tree((node for node, _ in held.values()), lambda node: memoryview(held[node.path][1]))


def _add_parents(found: dict[str, Node], path: str) -> None:
    """Add folders that lead to a path and were not stored. What was stored there as something else stays."""
    while path != "/":
        path = path.rpartition("/")[0] or "/"
        if path in found:
            return
        found[path] = Node(path=path, mode=FOLDER_MODE)


def _split(pattern: str) -> tuple[str, str]:
    """Split a pattern into the folder before its first wildcard, and the rest."""
    wildcard = _WILDCARDS.search(pattern)
    if wildcard is None:
        return pattern, ""
    folder, _, last = pattern[: wildcard.start()].rpartition("/")
    return folder or "/", last + pattern[wildcard.start() :]


@lru_cache(maxsize=4_096)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\?|\[[^]]+\])", pattern)
    return re.compile("".join(map(_translated, parts)), re.DOTALL)


def _translated(part: str) -> str:
    fixed = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    if part in fixed:
        return fixed[part]
    if part.startswith("["):
        inner = part[1:-1]
        negated = inner.startswith("!")
        members = re.escape(inner[negated:]).replace(r"\-", "-")
        return f"[^/{members}]" if negated else f"[{members}]"
    return re.escape(part)
