# SPDX-License-Identifier: Apache-2.0
"""Where systemd finds the units of the system: search path, masks, aliases, templates, drop-ins (systemd.unit(5)).

`/run` is left out: it is empty when the machine starts, and what generators put there is in `generators.py`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from functools import lru_cache

from strongroom.imaging.audit.systemd.unit_file import Setting, Unit, settings
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree

UNIT_FOLDERS = (
    "/etc/systemd/system.control",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""In the order in which they are searched (systemd.unit(5), "Unit File Load Path")."""
KINDS = frozenset({"service", "socket", "target", "timer", "path", "mount", "automount", "swap", "device", "slice"})
_MAX_ALIASES = 16
_DEV_NULL = "/dev/null"


class Units:
    """The unit files of one tree."""

    def __init__(self, tree: Tree) -> None:
        """Take a root file system or an initrd."""
        self.tree = tree
        self.folders = tuple(_distinct(tree, UNIT_FOLDERS))
        self._loaded: dict[str, Unit | None] = {}
        self._held = _contents(tree, self.folders)

    def load(self, name: str) -> Unit | None:
        """Return the unit of a name, which may be an alias or an instance; None where there is no file for it."""
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def exists(self, name: str) -> bool:
        """Tell whether there is a unit of this name that is not masked."""
        unit = self.load(name)
        return unit is not None and not unit.masked

    def names(self) -> tuple[str, ...]:
        """Return the name of every unit file and alias, templates included."""
        found = {node.name for folder in self.folders for node in self.tree.children(folder)}
        return tuple(sorted(name for name in found if name.rpartition(".")[2] in KINDS))

    def linked(self, name: str, kind: str) -> Iterator[tuple[str, str]]:
        """Yield name and path of what lies in `NAME.wants`, `.requires` or `.upholds`, as enabling leaves it."""
        found: dict[str, Node] = {}
        for owner in {name: None, template_of(name): None}:
            for folder in self.folders:
                for node in self._held.get(f"{folder}/{owner}.{kind}", ()):
                    found.setdefault(node.name, node)
        for link in found.values():
            if not is_mask(self.tree, link):
                yield link.name, link.path

    def _load(self, name: str) -> Unit | None:
        names = [name]
        node = self._file(name)
        for _ in range(_MAX_ALIASES):
            if node is None or not node.is_link or is_mask(self.tree, node):
                break
            target = _written_target(node)
            alias = posixpath.basename(target)
            if posixpath.dirname(target) not in UNIT_FOLDERS:
                # A link out of the search path is the unit itself, stored elsewhere.
                break
            names.append(_with_instance(alias, name))
            node = self.tree.lookup(target)
        if node is None:
            return None
        if is_mask(self.tree, node):
            return Unit(names[-1], node.path, masked=True)
        resolved = self.tree.resolve(node.path)
        if resolved is None or not resolved.is_file:
            return None
        lines = settings(resolved.path, self.tree.lines(resolved.path))
        return Unit(names[-1], resolved.path, assignments=(*lines, *self._drop_ins(names)))

    def _file(self, name: str) -> Node | None:
        for candidate in (name, template_of(name)):
            for folder in self.folders:
                node = self.tree.lookup(f"{folder}/{candidate}")
                if node is not None:
                    return node
        return None

    def _drop_ins(self, names: list[str]) -> Iterator[Setting]:
        """Yield what drop-ins set, in the order of their names; of equal names the one found first counts."""
        found: dict[str, Node] = {}
        for owner in dict.fromkeys(owner for name in names for owner in _drop_in_owners(name)):
            for folder in self.folders:
                for node in self._held.get(f"{folder}/{owner}.d", ()):
                    if node.name.endswith(".conf"):
                        found.setdefault(node.name, node)
        for _, node in sorted(found.items()):
            if not is_mask(self.tree, node):
                yield from settings(node.path, self.tree.lines(node.path))


@lru_cache(maxsize=4)
def units_of(tree: Tree) -> Units:
    """Return the units of a tree: the same object for the same tree, as many rules look at it."""
    return Units(tree)


def is_mask(tree: Tree, node: Node) -> bool:
    """Tell whether a file stands for nothing: a link to /dev/null, or an empty file."""
    if node.is_link and _written_target(node) == _DEV_NULL:
        return True
    resolved = tree.resolve(node.path)
    return resolved is not None and resolved.is_file and not resolved.size


def template_of(name: str) -> str:
    """Return the name of the template of an instance: `getty@.service` for `getty@tty1.service`."""
    stem, dot, kind = name.rpartition(".")
    prefix, sign, _ = stem.partition("@")
    return f"{prefix}{sign}{dot}{kind}" if sign else name


def _contents(tree: Tree, folders: tuple[str, ...]) -> Mapping[str, tuple[Node, ...]]:
    """Return what the folders inside the search path hold, by their paths: most of those asked for are not there."""
    inside = (node for folder in folders for node in tree.children(folder) if node.is_folder or node.is_link)
    return {node.path: tuple(tree.children(node.path)) for node in inside}


def _with_instance(alias: str, name: str) -> str:
    """Give an alias that is a template the instance of the name that led to it."""
    instance = name.rpartition(".")[0].partition("@")[2]
    stem, _, kind = alias.rpartition(".")
    return f"{stem}{instance}.{kind}" if stem.endswith("@") else alias


def _written_target(node: Node) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(node.path), node.target))


def _drop_in_owners(name: str) -> Iterator[str]:
    """Yield the names whose `.d` folders hold drop-ins for a unit: its own, its template's, its prefixes', its kind."""
    yield name
    if template_of(name) != name:
        yield template_of(name)
    stem, _, kind = name.rpartition(".")
    parts = stem.split("-")
    for count in range(len(parts) - 1, 0, -1):
        yield "-".join(parts[:count]) + f"-.{kind}"
    yield kind


def _distinct(tree: Tree, folders: tuple[str, ...]) -> Iterator[str]:
    """Yield the folders that are there, once each: `/lib` may be a link to `/usr/lib`."""
    seen = set()
    for folder in folders:
        node = tree.resolve(folder)
        if node is not None and node.path not in seen:
            seen.add(node.path)
            yield node.path
