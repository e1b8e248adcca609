# SPDX-License-Identifier: Apache-2.0
"""Rules on what programs write where the owner of the account reads it: the console."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.audit.systemd.arguments import given, is_on
from strongroom.imaging.audit.systemd.reach import Started, reach_of
from strongroom.imaging.audit.systemd.unit_file import is_true, settings

_JOURNALD = (
    *("/etc/systemd/journald.conf", "/usr/lib/systemd/journald.conf.d/*.conf"),
    "/etc/systemd/journald.conf.d/*.conf",
)
_CONSOLE = ("console", "tty", "kmsg")
_OURS = "strongroom"
"""The agent writes its receipt there, and no secret (docs/formats/console.md)."""
_OF_SYSTEMD = ("emergency", "rescue", "debug-shell", "systemd-", "getty@", "serial-getty@", "console-getty")
"""Prompts and questions, which have rules of their own."""


def _forwarded(subject: Subject) -> Iterator[Fault]:
    if is_on(subject.arguments, "systemd.journald.forward_to_console"):
        yield Fault("", "expected the journal to stay inside, found it sent to the console", Part.COMMAND_LINE)
    if any(value == "console" for value in given(subject.arguments, "systemd.log_target")):
        yield Fault("", "expected systemd.log_target= to be another, found console", Part.COMMAND_LINE)
    for pattern in _JOURNALD:
        for node in subject.files.glob(pattern):
            for each in settings(node.path, subject.files.lines(node.path)):
                if each.key == "ForwardToConsole" and is_true(each.value):
                    yield Fault(
                        each.path, "expected the journal to stay inside, found ForwardToConsole", line=each.line
                    )


def _services(subject: Subject) -> Iterator[Fault]:
    reach = reach_of(subject.files, subject.arguments)
    for started in reach.all_running():
        if started.unit.kind == "service" and not started.name.startswith((_OURS, *_OF_SYSTEMD)):
            found = _to_console(started)
            if found:
                yield Fault(started.unit.path, f"expected output to the journal alone, found {found}")


def _to_console(started: Started) -> str:
    """Return the setting by which a service writes to the console, or an empty text."""
    for key in ("StandardOutput", "StandardError"):
        value = started.unit.last("Service", key)
        if value.endswith(_CONSOLE):
            return f"{key}={value}"
    return ""


RULES = (
    Rule(
        code="audit.log-on-console",
        severity=Severity.WARNING,
        title="Everything that is logged goes to the console",
        why="The owner reads the console (get-console-output, the serial console): a secret in any program's message "
        "is then theirs (B13).",
        fix="Remove ForwardToConsole and its like. The agent writes to the console by itself.",
        attacks=("B13",),
        check=_forwarded,
    ),
    Rule(
        code="audit.output-on-console",
        severity=Severity.NOTE,
        title="A service writes to the console",
        why="The owner reads the console: what this program says of an error should hold no secret (B13).",
        fix="Set StandardOutput=journal, or look through what the program writes.",
        attacks=("B13",),
        check=_services,
    ),
)
