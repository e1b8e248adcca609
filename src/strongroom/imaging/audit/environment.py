# SPDX-License-Identifier: Apache-2.0
"""Where variables of the environment are set, for all programs of an image or for one of its services."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.imaging.audit.rule import Fault
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.audit.systemd.arguments import given
from strongroom.imaging.audit.systemd.reach import reach_of
from strongroom.imaging.audit.systemd.unit_file import Setting, Unit, settings, split_words

_FILES = (
    *("/etc/environment", "/etc/environment.d/*.conf", "/usr/lib/environment.d/*.conf", "/etc/default/locale"),
    *("/etc/profile", "/etc/profile.d/*", "/etc/bash.bashrc", "/etc/bashrc", "/etc/zsh/*", "/etc/zshenv"),
    *("/root/.bashrc", "/root/.profile", "/root/.bash_profile", "/home/*/.bashrc", "/home/*/.profile"),
)
_SYSTEM_CONF = (
    *("/etc/systemd/system.conf", "/usr/lib/systemd/system.conf.d/*.conf"),
    "/etc/systemd/system.conf.d/*.conf",
)
_ASSIGNMENT = re.compile(r"\s*(?:export\s+|declare\s+-x\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Variable:
    """One assignment, and where it stands. `is_for_all` tells those of the system from those of one service."""

    name: str
    value: str
    path: str
    line: int | None
    is_for_all: bool

    def fault(self, message: str) -> Fault:
        """Return a fault at this place."""
        return Fault(self.path, message, Part.TREE if self.path else Part.COMMAND_LINE, self.line)


def variables(subject: Subject) -> Iterator[Variable]:
    """Yield every assignment that reaches a program. Needs TREE."""
    yield from _on_command_line(subject)
    for path in _matching(subject, _FILES):
        yield from _in_file(subject, path, is_for_all=True)
    for path in _matching(subject, _SYSTEM_CONF):
        for each in settings(path, subject.files.lines(path)):
            if each.key in {"DefaultEnvironment", "ManagerEnvironment"}:
                yield from _in_setting(each, is_for_all=True)
    for started in reach_of(subject.files, subject.arguments).all_running():
        yield from _of_service(subject, started.unit)


def _matching(subject: Subject, patterns: tuple[str, ...]) -> Iterator[str]:
    return (node.path for pattern in patterns for node in subject.files.glob(pattern))


def _of_service(subject: Subject, unit: Unit) -> Iterator[Variable]:
    for each in unit.given("Service", "Environment"):
        yield from _in_setting(each, is_for_all=False)
    for each in unit.given("Service", "EnvironmentFile"):
        yield from _in_file(subject, each.value.lstrip("-"), is_for_all=False)


def _on_command_line(subject: Subject) -> Iterator[Variable]:
    """Yield what the kernel hands to init (words that it does not know), and what systemd is told to set."""
    for name, value in subject.arguments:
        if value is not None and _NAME.fullmatch(name):
            yield Variable(name, value, "", None, is_for_all=True)
    for value in given(subject.arguments, "systemd.setenv"):
        name, _, text = (value or "").partition("=")
        yield Variable(name, text, "", None, is_for_all=True)


def _in_file(subject: Subject, path: str, *, is_for_all: bool) -> Iterator[Variable]:
    for number, line in subject.files.lines(path):
        found = _ASSIGNMENT.fullmatch(line)
        if found is not None:
            yield Variable(found[1], found[2].strip().strip("\"'"), path, number, is_for_all)


def _in_setting(setting: Setting, *, is_for_all: bool) -> Iterator[Variable]:
    for word in split_words(setting.value):
        name, sign, value = word.partition("=")
        if sign:
            yield Variable(name, value, setting.path, setting.line, is_for_all)
