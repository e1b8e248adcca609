# SPDX-License-Identifier: Apache-2.0
"""Archives unpacked over each other in memory, as the program does for which they were made.

A path through a symbolic link that is already there goes where the link leads, inside of the tree: an initrd's second
archive may hold `lib/x` where the first made `lib` a link to `usr/lib`.
"""

from __future__ import annotations

from dataclasses import replace

from strongroom.errors import FormatError
from strongroom.imaging.tree.links import resolve, resolve_path
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import FOLDER_MODE, Tree

MAX_NODES = 500_000
MAX_PATH_CHARACTERS = 4_096
MAX_DEPTH = 256


class Unpacking:
    """A tree in the making. Contents are kept as the views that are given."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {"/": Node(path="/", mode=FOLDER_MODE)}
        self._contents: dict[str, memoryview] = {}
        self._names: dict[str, set[str]] = {}
        """By folder, the paths in it."""

    def place(self, name: bytes) -> str:
        """Return where an entry of this name goes. Raises FormatError for a name that leads nowhere."""
        path = name.decode("utf-8", "surrogateescape")
        parts = [part for part in path.split("/") if part not in {"", "."}]
        if ".." in parts or "\0" in path or len(path) > MAX_PATH_CHARACTERS or len(parts) > MAX_DEPTH:
            raise FormatError("tree.path", f"expected a path without .. or zeros, found {path[:100]!r}")
        if not parts:
            return "/"
        folder = resolve(self._nodes, "/".join(parts[:-1]))
        if folder is None:
            self._make_folders(parts[:-1])
            folder = resolve(self._nodes, "/".join(parts[:-1]))
        if folder is None or not folder.is_folder:
            raise FormatError("tree.path", f"expected a folder to hold {path[:100]!r}, found a file or a broken link")
        return f"{folder.path.rstrip('/')}/{parts[-1]}"

    def add(self, node: Node, contents: memoryview | None = None) -> None:
        """Put an entry at `node.path`, which `place` gave, in place of what was there. Raises FormatError."""
        known = self._nodes.get(node.path)
        if known is not None and known.is_folder and not node.is_folder:
            self.remove(node.path)
        self._put(node)
        self._contents.pop(node.path, None)
        if contents is not None:
            self._contents[node.path] = contents
        if len(self._nodes) > MAX_NODES:
            raise FormatError("tree.too-many", f"expected at most {MAX_NODES} entries, found more")

    def link(self, path: str, earlier: str) -> None:
        """Make `path` another name of a file. Raises FormatError where there is no such file."""
        node = self._nodes.get(earlier)
        if node is None or node.is_folder:
            raise FormatError("tree.hard-link", f"expected a file at {earlier} for {path} to be a link to, found none")
        self.add(replace(node, path=path), self._contents.get(earlier))

    def remove(self, path: str) -> None:
        """Remove what is at a path, and everything below it."""
        self.clear(path)
        self._nodes.pop(path, None)
        self._contents.pop(path, None)
        self._names.get(_folder(path), set()).discard(path)

    def clear(self, path: str) -> None:
        """Remove everything below a folder."""
        pending = [*self._names.pop(path, ())]
        while pending:
            below = pending.pop()
            pending += self._names.pop(below, ())
            del self._nodes[below]
            self._contents.pop(below, None)

    def get(self, path: str) -> Node | None:
        """Return what is at a path that `place` gave."""
        return self._nodes.get(path)

    def tree(self) -> Tree:
        """Return what was unpacked."""
        contents = dict(self._contents)
        return Tree(self._nodes.values(), lambda node: contents.get(node.path, memoryview(b"")))

    def _make_folders(self, parts: list[str]) -> None:
        """Make the folders that lead to an entry and are not there yet; what is there as something else stays."""
        for count in range(1, len(parts) + 1):
            path = resolve_path(self._nodes, "/".join(parts[:count]))
            if path is None:
                return
            if path not in self._nodes:
                self._put(Node(path=path, mode=FOLDER_MODE))

    def _put(self, node: Node) -> None:
        self._nodes[node.path] = node
        if node.path != "/":
            self._names.setdefault(_folder(node.path), set()).add(node.path)


def _folder(path: str) -> str:
    return path.rpartition("/")[0] or "/"
