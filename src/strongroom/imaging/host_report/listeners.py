# SPDX-License-Identifier: Apache-2.0
"""What listens to the network: sockets of systemd, known daemons, commands with a port, whatever is not kept from it.

A program opens ports as it likes; only a setting of its unit that keeps it from the network rules that out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from strongroom.imaging.audit.systemd.unit_file import Setting, Unit
from strongroom.imaging.host_report.commands import Command, commands_of, is_of_systemd
from strongroom.imaging.host_report.daemons import DAEMONS, Daemon, configured
from strongroom.imaging.host_report.evidence import Evidence
from strongroom.imaging.host_report.fact import Basis, Fact, Topic
from strongroom.imaging.host_report.unit_values import is_on, values

_NETWORK_KEYS = {
    "ListenStream": "TCP",
    "ListenDatagram": "UDP",
    "ListenSequentialPacket": "SCTP",
}
_LOCAL = re.compile(r"[/@%]|vsock:|xvtsock:")
_PORTS = re.compile(
    r"(?<!\S)(--?(?:listen|bind|port|addr|address|host|http|https|metrics)[a-z-]*[= ]\s*(?!systemd:)\S+"
    r"|\S*(?:0\.0\.0\.0|\[::\]):\d{1,5})"
)
_FAMILIES_OF_THE_NETWORK = frozenset({"AF_INET", "AF_INET6", "AF_PACKET"})


def listeners(evidence: Evidence) -> Iterator[Fact]:
    """Yield what listens, and for each program whether anything keeps it from listening."""
    yield from _sockets(evidence)
    yield from _daemons(evidence)
    free: list[str] = []
    for unit in evidence.units("service"):
        own = [command for command in commands_of(unit) if not is_of_systemd(command.program)]
        yield from _words(unit, own)
        hindrance = _hindrance(unit)
        if own and hindrance:
            text = f"{unit.name} cannot listen to the network: {hindrance}"
            yield Fact(Topic.LISTENERS, Basis.RULED_OUT, text, unit.path)
        elif own:
            free.append(unit.name)
    if free:
        text = f"no setting of their units keeps these from listening on any port: {', '.join(free)}"
        yield Fact(Topic.LISTENERS, Basis.POSSIBLE, text)


def _sockets(evidence: Evidence) -> Iterator[Fact]:
    local = 0
    for unit in evidence.units("socket"):
        for setting in unit.assignments:
            protocol = _NETWORK_KEYS.get(setting.key)
            if protocol is None or not setting.value or _LOCAL.match(setting.value):
                local += setting.key.startswith("Listen") and bool(setting.value)
                continue
            yield _socket(unit, protocol, setting)
    if local:
        yield Fact(Topic.LISTENERS, Basis.STATED, f"{local} sockets that only programs inside can reach")


def _socket(unit: Unit, protocol: str, setting: Setting) -> Fact:
    where = f"port {setting.value} on every address" if setting.value.isdigit() else setting.value
    text = f"{unit.name} listens on {protocol} {where}"
    return Fact(Topic.LISTENERS, Basis.STATED, text, setting.path, setting.line)


def _daemons(evidence: Evidence) -> Iterator[Fact]:
    started = {command.program for unit in evidence.units("service") for command in commands_of(unit)}
    for daemon in DAEMONS:
        present = [program for program in daemon.programs if evidence.has(program)]
        if started.intersection(daemon.programs):
            yield from _started(evidence, daemon)
        elif present:
            text = f"{daemon.name} is there, and no unit that was found starts it; it would listen on {daemon.default}"
            yield Fact(Topic.LISTENERS, Basis.POSSIBLE, text, present[0])


def _started(evidence: Evidence, daemon: Daemon) -> Iterator[Fact]:
    said = list(configured(evidence.tree, daemon))
    for value, path, line in said:
        yield Fact(Topic.LISTENERS, Basis.STATED, f"{daemon.name} listens as configured: {value}", path, line)
    if not said:
        text = f"{daemon.name} starts without a file that says where it listens; its default is {daemon.default}"
        yield Fact(Topic.LISTENERS, Basis.STATED, text)


def _words(unit: Unit, commands: list[Command]) -> Iterator[Fact]:
    for command in commands:
        for words in _PORTS.findall(command.text):
            text = f"{unit.name} is started with {words.strip()}"
            yield Fact(Topic.LISTENERS, Basis.STATED, text, command.path, command.line)


def _hindrance(unit: Unit) -> str:
    """Return the setting that keeps a service off the network (systemd.exec(5)), empty where there is none."""
    if is_on(unit, "PrivateNetwork"):
        return "PrivateNetwork=yes"
    families = " ".join(setting.value for setting in values(unit, "RestrictAddressFamilies"))
    if families == "none":
        return "RestrictAddressFamilies=none"
    if families and not families.startswith("~") and not _FAMILIES_OF_THE_NETWORK.intersection(families.split()):
        return f"RestrictAddressFamilies={families}"
    return ""
