# SPDX-License-Identifier: Apache-2.0
"""Units of systemd as their files have them (systemd.unit(5), systemd.syntax(7)), with drop-ins, links and masks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree

FOLDERS = (
    "/etc/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
"""In the order in which a unit is looked for; units made at run time are in no image."""
KINDS = (".service", ".socket", ".target", ".timer", ".path", ".mount", ".automount", ".swap", ".slice", ".scope")
_NOWHERE = "/dev/null"


@dataclass(frozen=True, slots=True)
class Setting:
    """One assignment."""

    section: str
    key: str
    value: str
    path: str
    line: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit. `name` is the one it was asked for by, with its instance: `getty@tty1.service`."""

    name: str
    path: str
    """Of its own file; empty where only drop-ins or wants speak of it."""
    settings: tuple[Setting, ...] = ()
    masked: bool = False

    def values(self, key: str) -> tuple[Setting, ...]:
        """Return what is assigned to a key. An empty assignment takes back what came before (systemd.syntax(7))."""
        kept: list[Setting] = []
        for setting in self.settings:
            if setting.key == key:
                kept = [*kept, setting] if setting.value else []
        return tuple(kept)

    def value(self, key: str) -> str:
        """Return the last value of a key, empty where there is none."""
        values = self.values(key)
        return values[-1].value if values else ""

    def is_on(self, key: str) -> bool:
        """Tell whether a switch is on (systemd.syntax(7), boolean arguments)."""
        return self.value(key).lower() in {"1", "yes", "y", "true", "t", "on"}


def read_unit(tree: Tree, name: str) -> Unit | None:
    """Return a unit by name, None where nothing is known of it. Raises FormatError for a file that is no text file."""
    for folder in FOLDERS:
        for candidate in (name, _template(name)):
            node = tree.lookup(f"{folder}/{candidate}") if candidate else None
            if node is not None:
                return _unit(tree, name, node)
    dropped = tuple(_drop_ins(tree, name))
    return Unit(name, "", dropped) if dropped else None


def wanted_by(tree: Tree, name: str) -> Iterator[str]:
    """Yield the names that folders such as `multi-user.target.wants` add to what a unit pulls in."""
    for folder in FOLDERS:
        for kind in ("wants", "requires", "upholds"):
            for node in tree.children(f"{folder}/{name}.{kind}"):
                yield node.name


def _unit(tree: Tree, name: str, node: Node) -> Unit:
    if node.is_link and node.target == _NOWHERE:
        return Unit(name, node.path, masked=True)
    file = tree.resolve(node.path)
    if file is None or not file.is_file:
        return Unit(name, "")
    if not tree.view(file.path):
        return Unit(name, file.path, masked=True)
    own = _settings(tree, file.path)
    return Unit(name, file.path, (*own, *_drop_ins(tree, name)))


def _template(name: str) -> str:
    before, at, after = name.partition("@")
    return f"{before}@.{after.rpartition('.')[2]}" if at and not after.startswith(".") else ""


def _drop_ins(tree: Tree, name: str) -> Iterator[Setting]:
    found: dict[str, Node] = {}
    for owner in filter(None, (_template(name), name)):
        for folder in reversed(FOLDERS):
            for node in tree.glob(f"{folder}/{owner}.d/*.conf"):
                found[node.name] = node
    for _, node in sorted(found.items()):
        yield from _settings(tree, node.path)


def _settings(tree: Tree, path: str) -> tuple[Setting, ...]:
    return tuple(settings_in(tree, path))


def settings_in(tree: Tree, path: str) -> Iterator[Setting]:
    """Yield the assignments of a file in the syntax of units (systemd.syntax(7)); none where there is no such file."""
    section, begun, started = "", "", 0
    for number, raw in tree.lines(path):
        line = raw.strip()
        if line.startswith(("#", ";")) or not (line or begun):
            continue
        begun, started = begun + line.rstrip("\\"), started or number
        if line.endswith("\\"):
            begun += " "
            continue
        if begun.startswith("[") and begun.endswith("]"):
            section = begun[1:-1]
        else:
            key, sign, value = begun.partition("=")
            if sign:
                yield Setting(section, key.strip(), value.strip(), path, started)
        begun, started = "", 0
