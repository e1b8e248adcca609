# SPDX-License-Identifier: Apache-2.0
"""The commands of a service, in words (systemd.service(5), "Command lines")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.imaging.audit.systemd.unit_file import Unit
from strongroom.imaging.host_report.unit_values import values

_KEYS = ("ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecStop", "ExecStopPost")
_PREFIXES = "@-:+!|"
_SYSTEMD = re.compile(
    r"(?:/usr)?/lib/systemd/.+|(?:(?:/usr)?/s?bin/)?(?:systemd-[a-z-]+|systemctl|udevadm|journalctl|kmod|modprobe)"
)
"""Programs of systemd, and those that its own units run, by names and places."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command line."""

    program: str
    text: str
    """The whole line, as the unit has it."""
    path: str
    line: int


def commands_of(unit: Unit) -> tuple[Command, ...]:
    """Return the commands that a service may run."""
    return tuple(_commands(unit))


def _commands(unit: Unit) -> Iterator[Command]:
    for key in _KEYS:
        for setting in values(unit, key):
            text = setting.value.lstrip(_PREFIXES)
            if text:
                yield Command(text.split()[0].strip("\"'"), text, setting.path, setting.line)


def is_of_systemd(program: str) -> bool:
    """Tell whether a program has a name and a place of systemd's own, whose behaviour is documented."""
    return _SYSTEMD.fullmatch(program) is not None
