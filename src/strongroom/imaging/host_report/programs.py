# SPDX-License-Identifier: Apache-2.0
"""What starts at boot: each service's command, and as whom it runs."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.imaging.audit.systemd.unit_file import Unit
from strongroom.imaging.host_report.commands import Command, commands_of, is_of_systemd
from strongroom.imaging.host_report.evidence import Evidence
from strongroom.imaging.host_report.fact import Basis, Fact, Topic
from strongroom.imaging.host_report.unit_values import is_on, value


def programs(evidence: Evidence) -> Iterator[Fact]:
    """Yield one statement for each command of a service that starts, and one for all services of systemd itself."""
    own: list[str] = []
    for started in evidence.started:
        unit = started.unit
        commands = commands_of(unit) if unit.kind == "service" else ()
        if commands and all(is_of_systemd(command.program) for command in commands):
            own.append(unit.name.removesuffix(".service") + " (after a failure)" * started.only_on_failure)
            continue
        for command in commands:
            yield _command(unit, command, after_failure=started.only_on_failure)
    if own:
        text = f"{len(own)} services whose programs have systemd's own names and places: {', '.join(sorted(own))}"
        yield Fact(Topic.PROGRAMS, Basis.STATED, text)
    for unit in evidence.units("timer"):
        yield Fact(Topic.PROGRAMS, Basis.STATED, f"{unit.name} starts its service {_schedule(unit)}", unit.path)


def _command(unit: Unit, command: Command, *, after_failure: bool) -> Fact:
    text = f"{unit.name} runs {command.text} as {_user(unit)}"
    if after_failure:
        return Fact(Topic.PROGRAMS, Basis.POSSIBLE, f"after a failure, {text}", command.path, command.line)
    return Fact(Topic.PROGRAMS, Basis.STATED, text, command.path, command.line)


def _user(unit: Unit) -> str:
    if is_on(unit, "DynamicUser"):
        return "a user of its own (DynamicUser)"
    return value(unit, "User") or "root"


def _schedule(unit: Unit) -> str:
    times = [setting for setting in unit.assignments if setting.section == "Timer" and setting.key.startswith("On")]
    return ", ".join(f"{setting.key}={setting.value}" for setting in times) or "at times that it does not say"
