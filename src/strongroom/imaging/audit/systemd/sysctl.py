# SPDX-License-Identifier: Apache-2.0
"""What the kernel's settings are after systemd-sysctl has run (sysctl.d(5)), as far as the image says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.imaging.audit.systemd.arguments import Arguments
from strongroom.imaging.audit.systemd.units import is_mask
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree

_FOLDERS = ("/etc/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d", "/lib/sysctl.d")
_OLD_FILE = "/etc/sysctl.conf"
_ON_COMMAND_LINE = "sysctl."


@dataclass(frozen=True, slots=True)
class SysctlSetting:
    """A value, and where it is set: a file with its line, or no path for the command line."""

    value: str
    path: str = ""
    line: int | None = None


def sysctl(tree: Tree, arguments: Arguments, key: str) -> SysctlSetting | None:
    """Return what a setting such as `kernel.sysrq` is given last, or None where nothing sets it.

    The command line comes before the files of the image, which so override it.
    """
    found = None
    for name, value in arguments:
        if name.startswith(_ON_COMMAND_LINE) and _plain(name.removeprefix(_ON_COMMAND_LINE)) == key:
            found = SysctlSetting((value or "").strip())
    for path, number, line in _lines(tree):
        name, sign, value = line.partition("=")
        if sign and _plain(name.strip().removeprefix("-")) == key:
            found = SysctlSetting(value.strip(), path, number)
    return found


def _plain(name: str) -> str:
    return name.replace("/", ".")


def _lines(tree: Tree) -> Iterator[tuple[str, int, str]]:
    found: dict[str, Node] = {}
    for folder in _FOLDERS:
        for node in tree.glob(f"{folder}/*.conf"):
            found.setdefault(node.name, node)
    # Debian links /etc/sysctl.conf into the folder; where nobody does, `sysctl --system` reads it last.
    files = [node.path for _, node in sorted(found.items()) if not is_mask(tree, node)]
    for path in (*files, _OLD_FILE):
        yield from (
            (path, number, line) for number, line in tree.lines(path) if not line.lstrip().startswith(("#", ";"))
        )
