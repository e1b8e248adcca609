# SPDX-License-Identifier: Apache-2.0
"""Rules on programs that let somebody in from outside, or take orders from the account that the machine runs in.

One that starts is a way in. One that is there and does not start is a warning: anything that starts a unit, an override
on the command line for one, would make it a way in. AWS leaves all of them out of attestable images.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from strongroom.errors import Severity
from strongroom.imaging.audit.access_programs import (
    CLOUD_INIT,
    INSTANCE_CONNECT,
    LOGGING,
    OTHERS,
    PROGRAMS,
    SSH,
    SSM,
    UPDATES,
    Program,
)
from strongroom.imaging.audit.packages import installed_packages, mentions_package, rpm_database
from strongroom.imaging.audit.rule import Check, Fault, Rule
from strongroom.imaging.audit.subject import Subject
from strongroom.imaging.audit.systemd.reach import Started, reach_of

_FIX = "Remove the package. A unit that is masked in /etc/systemd/system is no way in, but one link away from it."


@dataclass(frozen=True, slots=True)
class _Found:
    """A program that starts, and by what."""

    program: Program
    started: Started
    chain: str


def _running(subject: Subject, group: str) -> Iterator[_Found]:
    reach = reach_of(subject.files, subject.arguments)
    started = tuple(reach.all_running())
    for program in PROGRAMS:
        if program.group == group:
            found = (each for each in started if _is_of(each, program))
            first = next(found, None)
            if first is not None:
                yield _Found(program, first, reach.chain(first))


def _is_of(started: Started, program: Program) -> bool:
    return any(fnmatchcase(started.name, pattern) for pattern in program.units)


def _starts(group: str, subject: Subject) -> Iterator[Fault]:
    for found in _running(subject, group):
        yield Fault(found.started.unit.path, f"expected {found.program.name} not to start, found {found.chain}")


def _scripts(subject: Subject) -> Iterator[Fault]:
    """Yield old start scripts of SSH servers: systemd makes units of them."""
    reach = reach_of(subject.files, subject.arguments)
    for name in ("ssh", "sshd", "dropbear"):
        for node in subject.files.glob(f"/etc/rc[2345].d/S[0-9][0-9]{name}"):
            if reach.units.load(f"{name}.service") is None:
                yield Fault(node.path, f"expected no SSH server, found that {node.path} starts it")
                break


def _ssh(subject: Subject) -> Iterator[Fault]:
    yield from _starts(SSH, subject)
    yield from _scripts(subject)


def _instance_connect(subject: Subject) -> Iterator[Fault]:
    """Yield it where its own units start, or an SSH server asks it for keys."""
    yield from _starts(INSTANCE_CONNECT, subject)
    if any(_running(subject, SSH)):
        for path, number, line in _server_settings(subject):
            words = line.split()
            if len(words) > 1 and words[0].lower() == "authorizedkeyscommand" and "eic_" in words[1]:
                yield Fault(path, f"expected no EC2 Instance Connect, found {words[1]}", line=number)


def _server_settings(subject: Subject) -> Iterator[tuple[str, int, str]]:
    for pattern in ("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*.conf"):
        for node in subject.files.glob(pattern):
            yield from ((node.path, number, line) for number, line in subject.files.lines(node.path))


def _installed(subject: Subject) -> Iterator[Fault]:
    """Yield programs that are there and do not start."""
    packages, database = installed_packages(subject.files), rpm_database(subject.files)
    started = {
        found.program for group in dict.fromkeys(each.group for each in PROGRAMS) for found in _running(subject, group)
    }
    for program in PROGRAMS:
        if program in started:
            continue
        for path, what in _traces(subject, program, packages, database):
            yield Fault(path, f"expected {program.name} to be left out, found {what}; nothing starts it")
            break


def _traces(
    subject: Subject, program: Program, packages: Mapping[str, str], database: str
) -> Iterator[tuple[str, str]]:
    for path in program.files:
        node = subject.files.resolve(path)
        if node is not None:
            yield path, path
    for name in program.packages:
        if name in packages:
            yield packages[name], f"the package {name}"
        elif database and mentions_package(subject.files, database, name):
            yield database, f"the package {name}"


_SPECIAL: Mapping[str, Check] = {SSH: _ssh, INSTANCE_CONNECT: _instance_connect}


def _rule(code: str, group: str, title: str, why: str, *, attacks: tuple[str, ...] = ("B14",)) -> Rule:
    return Rule(
        code=code,
        severity=Severity.ERROR,
        title=title,
        why=why,
        fix=_FIX,
        attacks=attacks,
        check=_SPECIAL.get(group, partial(_starts, group)),
    )


RULES = (
    _rule(
        "audit.remote-shell",
        SSH,
        "A server for remote log-in starts",
        "The owner of the account decides who reaches it, may replay whatever key or password opens it, and finds "
        "holes in it at leisure; whoever is in reads what the image was given (B14).",
    ),
    _rule(
        "audit.ssm-agent",
        SSM,
        "The SSM agent starts",
        "Whoever administers the account runs any command as root through it (B14).",
    ),
    _rule(
        "audit.instance-connect",
        INSTANCE_CONNECT,
        "EC2 Instance Connect starts",
        "Whoever administers the account pushes a key for log-in through it (B14).",
    ),
    _rule(
        "audit.cloud-init",
        CLOUD_INIT,
        "User data sets up the machine",
        "User data is the owner's: it makes users, writes files and runs scripts as root, and no PCR shows it (B14, "
        "B15).",
        attacks=("B14", "B15"),
    ),
    _rule(
        "audit.outside-orders",
        OTHERS,
        "A program starts that takes orders from outside",
        "Whoever gives the orders is inside: for most of these the account's owner, or whoever the owner says (B14).",
    ),
    Rule(
        code="audit.access-program",
        severity=Severity.WARNING,
        title="A program for access is there, and does not start",
        why="It is no way in as it stands. One unit that starts it is enough to make it one, and AWS leaves it out "
        "of attestable images (B14).",
        fix="Remove the package.",
        attacks=("B14",),
        check=_installed,
    ),
    Rule(
        code="audit.updates-itself",
        severity=Severity.WARNING,
        title="The system changes itself while it runs",
        why="What is measured is what booted. A program that fetches and installs code as root puts other code under "
        "the same PCRs, over a network that the owner runs (A24, B18).",
        fix="Mask the timer or the service. A new version is a new image.",
        attacks=("A24", "B18"),
        check=partial(_starts, UPDATES),
    ),
    Rule(
        code="audit.log-leaves",
        severity=Severity.WARNING,
        title="The log leaves the machine",
        why="What programs write to the log is then the owner's to read, a secret in an error message among it (B13).",
        fix="Mask the service, or make sure that no secret is ever logged, and waive this with that reason.",
        attacks=("B13",),
        check=partial(_starts, LOGGING),
    ),
)
