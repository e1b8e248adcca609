# SPDX-License-Identifier: Apache-2.0
"""What starts at boot: each service's command, and as whom it runs."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.imaging.host_report.commands import Command, commands_of, is_of_systemd
from strongroom.imaging.host_report.evidence import Evidence
from strongroom.imaging.host_report.fact import Basis, Fact, Topic
from strongroom.imaging.host_report.unit_files import Unit


def programs(evidence: Evidence) -> Iterator[Fact]:
    """Yield one statement for each command of a service that starts, and one for all services of systemd itself."""
    own: list[str] = []
    for unit in evidence.startup.of_kind(".service"):
        commands = commands_of(unit)
        if commands and all(is_of_systemd(command.program) for command in commands):
            own.append(unit.name.removesuffix(".service"))
            continue
        for command in commands:
            yield _command(evidence, unit, command)
    if own:
        text = f"{len(own)} services whose programs have systemd's own names and places: {', '.join(sorted(own))}"
        yield Fact(Topic.PROGRAMS, Basis.STATED, text)
    for unit in evidence.startup.of_kind(".timer"):
        yield Fact(Topic.PROGRAMS, Basis.STATED, f"{unit.name} starts its service {_schedule(unit)}", unit.path)


def _command(evidence: Evidence, unit: Unit, command: Command) -> Fact:
    text = f"{unit.name} runs {command.text} as {_user(unit)}"
    if unit.name in evidence.startup.after_failures:
        return Fact(Topic.PROGRAMS, Basis.POSSIBLE, f"after a failure, {text}", command.path, command.line)
    return Fact(Topic.PROGRAMS, Basis.STATED, text, command.path, command.line)


def _user(unit: Unit) -> str:
    if unit.is_on("DynamicUser"):
        return "a user of its own (DynamicUser)"
    return unit.value("User") or "root"


def _schedule(unit: Unit) -> str:
    times = [setting for setting in unit.settings if setting.section == "Timer" and setting.key.startswith("On")]
    return ", ".join(f"{setting.key}={setting.value}" for setting in times) or "at times that it does not say"
