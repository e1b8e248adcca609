# SPDX-License-Identifier: Apache-2.0
"""What udev rules run (udev(7)): RUN, PROGRAM, IMPORT{program}."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.imaging.audit.systemd.unit_file import split_words
from strongroom.imaging.audit.systemd.units import is_mask
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree

RULES_FOLDERS = ("/etc/udev/rules.d", "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d")
_RUNS = re.compile(r'\b(RUN(?:\{program\})?|PROGRAM|IMPORT\{program\})\s*(?:\+=|:=|==|!=|=)\s*"((?:\\.|[^"\\])*)"')


@dataclass(frozen=True, slots=True)
class UdevCommand:
    """A command of a rule, as it is written."""

    text: str
    path: str
    line: int

    @property
    def program(self) -> str:
        """The name of the program, without its folder."""
        return posixpath.basename(next(iter(split_words(self.text)), ""))


def udev_commands(tree: Tree) -> Iterator[UdevCommand]:
    """Yield what the rules of a tree run. Of files of the same name the first folder's counts."""
    found: dict[str, Node] = {}
    for folder in RULES_FOLDERS:
        for node in tree.glob(f"{folder}/*.rules"):
            found.setdefault(node.name, node)
    for _, node in sorted(found.items()):
        if not is_mask(tree, node):
            yield from _in_file(tree, node.path)


def _in_file(tree: Tree, path: str) -> Iterator[UdevCommand]:
    held, start = "", 0
    for number, line in tree.lines(path):
        start = start if held else number
        held += line.rstrip()
        if held.endswith("\\"):
            held = held[:-1]
            continue
        if not held.lstrip().startswith("#"):
            yield from (UdevCommand(text, path, start) for _, text in _RUNS.findall(held))
        held = ""
