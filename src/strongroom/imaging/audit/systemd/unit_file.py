# SPDX-License-Identifier: Apache-2.0
"""The text of unit files (systemd.syntax(7)), and what the settings of one unit come to once they are merged."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

_COMMENTS = ("#", ";")


@dataclass(frozen=True, slots=True)
class Setting:
    """One assignment, with its place."""

    section: str
    key: str
    value: str
    path: str
    line: int


def settings(path: str, lines: Iterable[tuple[int, str]]) -> Iterator[Setting]:
    """Yield the assignments of a unit file, in order. What is none is passed over, as systemd does."""
    section = ""
    for number, line in _whole_lines(lines):
        text = line.strip()
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
            continue
        key, sign, value = text.partition("=")
        if sign and section:
            yield Setting(section, key.strip(), value.strip(), path, number)


def _whole_lines(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Join lines that end in a backslash with those that follow, comments between them left out."""
    start, held = 0, ""
    for number, line in lines:
        if line.lstrip().startswith(_COMMENTS):
            continue
        start = start if held else number
        held += line
        if line.endswith("\\"):
            held = held[:-1] + " "
            continue
        yield start, held
        held = ""
    if held:
        yield start, held


@dataclass(frozen=True)
class Unit:
    """A unit as systemd loads it: its file with all drop-ins. Names lead here also through aliases."""

    name: str
    path: str
    """Of its file, in the tree."""
    masked: bool = False
    assignments: tuple[Setting, ...] = ()
    """Of the file, then of the drop-ins, in the order in which they count."""

    @property
    def kind(self) -> str:
        """What its name ends in: `service`, `target`."""
        return self.name.rpartition(".")[2]

    @cached_property
    def _merged(self) -> Mapping[tuple[str, str], tuple[Setting, ...]]:
        found: dict[tuple[str, str], tuple[Setting, ...]] = {}
        for each in self.assignments:
            key = (each.section, each.key)
            # An empty assignment takes back what stood before it (systemd.syntax(7)).
            found[key] = (*found.get(key, ()), each) if each.value else ()
        return MappingProxyType(found)

    def given(self, section: str, key: str) -> tuple[Setting, ...]:
        """Return the assignments of a key that count."""
        return self._merged.get((section, key), ())

    def last(self, section: str, key: str, default: str = "") -> str:
        """Return the value of a key that takes one."""
        found = self.given(section, key)
        return found[-1].value if found else default

    def words(self, section: str, key: str) -> tuple[str, ...]:
        """Return the words of a key that takes a list."""
        return tuple(word for each in self.given(section, key) for word in split_words(each.value))


def split_words(text: str) -> list[str]:
    """Split a value into words, quotes taken off. What is not well quoted is split at blanks."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def is_true(text: str) -> bool:
    """Tell whether systemd takes a word for true (systemd.syntax(7))."""
    return text.strip().lower() in {"1", "yes", "y", "true", "t", "on"}


def is_false(text: str) -> bool:
    """Tell whether systemd takes a word for false. What is neither is ignored, with a warning in the log."""
    return text.strip().lower() in {"0", "no", "n", "false", "f", "off"}
