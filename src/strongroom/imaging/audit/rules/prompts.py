# SPDX-License-Identifier: Apache-2.0
"""Rules on prompts and shells at the console: gettys, debug shells, what comes up when something fails."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from strongroom.errors import Severity
from strongroom.imaging.audit.accounts import Account, accounts
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.audit.systemd.arguments import given, is_off, is_on
from strongroom.imaging.audit.systemd.presets import etc_is_writable, is_first_boot
from strongroom.imaging.audit.systemd.reach import Reach, Started, reach_of
from strongroom.imaging.audit.systemd.unit_file import is_true, settings, split_words

_LINE = frozenset({Part.COMMAND_LINE})
_GETTYS = ("getty@*.service", "serial-getty@*.service", "console-getty.service", "container-getty@*.service")
_GETTY_PROGRAMS = frozenset({"agetty", "getty", "mingetty", "mgetty"})
_SHELLS = frozenset({"sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "sulogin", "login"})
_AUTOLOGIN = re.compile(r"\s(--autologin|--skip-login|-a|-n)(\s|=|$)|\blogin\s+(\S+\s+)*-f|-o\s+['\"][^'\"]*-f\b")
"""Options of agetty(8), and of login(1) that agetty passes on."""
_FAILURE_UNITS = ("emergency.service", "rescue.service")
_FORCE = "SYSTEMD_SULOGIN_FORCE"
_ON_REQUEST = ("systemd.debug_shell", "rd.systemd.debug_shell", "systemd.crash_shell", "rd.break", "rd.shell", "break")
_RESCUE_WORDS = frozenset({"single", "s", "S", "1", "rescue", "emergency", "-b", "rd.emergency"})
_STARTS = frozenset({"systemd.unit", "rd.systemd.unit", "systemd.wants", "rd.systemd.wants"})
_RESCUE_TARGETS = frozenset({"rescue.target", "emergency.target", "debug-shell.service"})
_SYSTEM_CONF = (
    "/etc/systemd/system.conf",
    "/usr/lib/systemd/system.conf.d/*.conf",
    "/etc/systemd/system.conf.d/*.conf",
)
_INITTAB = "/etc/inittab"
_INITTAB_READERS = frozenset({"busybox", "init", "sysvinit"})


def _gettys(subject: Subject) -> Iterator[tuple[Started, Reach]]:
    reach = reach_of(subject.files, subject.arguments)
    for started in reach.all_running():
        if started.unit.kind == "service" and (_is_getty(started.name) or _runs(started, _GETTY_PROGRAMS)):
            yield started, reach


def _is_getty(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in _GETTYS)


def _commands(started: Started) -> Iterator[list[str]]:
    for each in started.unit.given("Service", "ExecStart"):
        yield split_words(each.value.lstrip("-+!@:|"))


def _runs(started: Started, programs: frozenset[str]) -> bool:
    return any(words and posixpath.basename(words[0]) in programs for words in _commands(started))


def _logs_in_by_itself(started: Started) -> bool:
    return any(_AUTOLOGIN.search(each.value) for each in started.unit.given("Service", "ExecStart"))


def _inittab(subject: Subject) -> Iterator[tuple[int, str]]:
    """Yield the lines of inittab that start something at a terminal, where the init of the image reads that file."""
    init = subject.files.resolve("/sbin/init") or subject.files.resolve("/init")
    if init is None or init.name not in _INITTAB_READERS:
        return
    for number, line in subject.files.lines(_INITTAB):
        *rest, process = line.split(":", 3)
        words = process.lstrip("-").split()
        if (
            words
            and rest
            and not line.lstrip().startswith("#")
            and posixpath.basename(words[0]) in _SHELLS | _GETTY_PROGRAMS
        ):
            yield number, line.strip()


def _who(subject: Subject) -> Account | None:
    """Return an account that a prompt would let in."""
    return next((account for account in accounts(subject.files) if account.lets_in), None)


def _open_prompt(subject: Subject) -> Iterator[Fault]:
    account = _who(subject)
    for started, reach in _gettys(subject):
        if _logs_in_by_itself(started):
            yield Fault(started.unit.path, f"expected no log-in, found one without a prompt: {reach.chain(started)}")
        elif account is not None:
            yield Fault(
                started.unit.path,
                f"expected no log-in, found a prompt that takes {account.name}: {reach.chain(started)}",
            )
    for number, line in _inittab(subject):
        yield Fault(_INITTAB, f"expected nothing at a terminal, found {line}", line=number)


def _closed_prompt(subject: Subject) -> Iterator[Fault]:
    if _who(subject) is not None:
        return
    for started, reach in _gettys(subject):
        if not _logs_in_by_itself(started):
            yield Fault(started.unit.path, f"expected no prompt, found {reach.chain(started)}; no account can log in")


def _shell_unit(subject: Subject) -> Iterator[Fault]:
    """Yield services that are shells at a terminal, whatever their name."""
    reach = reach_of(subject.files, subject.arguments)
    for started in reach.all_running():
        if started.name == "debug-shell.service" or _is_shell_at_terminal(started):
            yield Fault(started.unit.path, f"expected no shell at a terminal, found {reach.chain(started)}")


def _is_shell_at_terminal(started: Started) -> bool:
    if started.name in _FAILURE_UNITS or not started.unit.last("Service", "StandardInput").startswith("tty"):
        return False
    shells = _SHELLS - {"login", "sulogin"}
    return any(len(words) == 1 and posixpath.basename(words[0]) in shells for words in _commands(started))


def _on_request(subject: Subject) -> Iterator[Fault]:
    for name, value in subject.arguments:
        shown = name if value is None else f"{name}={value}"
        if name in _ON_REQUEST and (value is None or is_true(value) or name in {"rd.break", "break"}):
            yield Fault("", f"expected no shell to be asked for, found {shown}", Part.COMMAND_LINE)
        elif (name in _RESCUE_WORDS and value is None) or (
            name in {"systemd.unit", "rd.systemd.unit", "systemd.wants", "rd.systemd.wants"}
            and value in _RESCUE_TARGETS
        ):
            yield Fault("", f"expected the default target, found {shown}", Part.COMMAND_LINE)
        elif name in {"init", "rdinit"} and posixpath.basename(value or "") in _SHELLS:
            yield Fault("", f"expected the system's own init, found {shown}", Part.COMMAND_LINE)


def _crash_shell(subject: Subject) -> Iterator[Fault]:
    for pattern in _SYSTEM_CONF:
        for node in subject.files.glob(pattern):
            for each in settings(node.path, subject.files.lines(node.path)):
                if (each.section, each.key) == ("Manager", "CrashShell") and is_true(each.value):
                    yield Fault(each.path, "expected no shell when systemd crashes, found CrashShell", line=each.line)


def _emergency(subject: Subject) -> Iterator[Fault]:
    reach = reach_of(subject.files, subject.arguments)
    for name in _FAILURE_UNITS:
        found = reach.running(name)
        if found is not None:
            why = _opens(subject, found)
            if why:
                yield Fault(found.unit.path, f"expected no shell after a failure, found {reach.chain(found)}: {why}")


def _opens(subject: Subject, started: Started) -> str:
    """Say why the shell of emergency or rescue mode opens; an empty text where it does not."""
    environment = (each.value for each in started.unit.given("Service", "Environment"))
    forced = (f"{_FORCE}={value}" for value in ("1", "yes", "true"))
    if any(word in text for word in forced for text in environment) or _force_argument(subject):
        return f"{_FORCE} is set, so that nobody asks for a password"
    shells = _SHELLS - {"sulogin", "login"}
    if any(words and posixpath.basename(words[0]) in shells for words in _commands(started)):
        return "it is a shell by itself"
    root = next((each for each in accounts(subject.files) if each.uid == "0" and each.name == "root"), None)
    if root is not None and root.needs_no_password:
        return "root needs no password"
    if root is not None and root.has_password:
        return "it takes root's password, which everybody who has the image may guess"
    return ""


def _force_argument(subject: Subject) -> bool:
    direct = any(is_true(value or "") for value in subject.values(_FORCE))
    return direct or any((value or "").startswith(f"{_FORCE}=") for value in given(subject.arguments, "systemd.setenv"))


def _first_boot(subject: Subject) -> Iterator[Fault]:
    if is_off(subject.arguments, "systemd.firstboot") or not is_first_boot(subject.files):
        return
    if etc_is_writable(subject.arguments) or is_on(subject.arguments, "systemd.firstboot"):
        reach = reach_of(subject.files, subject.arguments)
        found = reach.running("systemd-firstboot.service")
        if found is not None:
            yield Fault(found.unit.path, f"expected no questions at the first boot, found {reach.chain(found)}")


RULES = (
    Rule(
        code="audit.log-in",
        severity=Severity.ERROR,
        title="Somebody can log in at the console",
        why="The EC2 serial console is the owner's. Whoever has the image may guess its passwords for as long as they "
        "like, and one that is empty needs no guess (B13).",
        fix="Mask getty.target and serial-getty@.service, write systemd.getty_auto=no into the embedded command line, "
        "and lock every account.",
        attacks=("B13",),
        check=_open_prompt,
    ),
    Rule(
        code="audit.prompt",
        severity=Severity.WARNING,
        title="A prompt waits at the console",
        why="Every account is locked, so it lets nobody in. A credential, an added account or a hole in login(1) would "
        "make it a way in, for the owner's serial console (B2, B13).",
        fix="Mask getty.target and serial-getty@.service, and write systemd.getty_auto=no into the embedded command "
        "line.",
        attacks=("B2", "B13"),
        check=_closed_prompt,
    ),
    Rule(
        code="audit.debug-shell",
        severity=Severity.ERROR,
        title="A root shell waits at a terminal",
        why="It asks nobody for a password (B13).",
        fix="Mask debug-shell.service, and remove services that run a shell at a terminal.",
        attacks=("B13",),
        check=_shell_unit,
    ),
    Rule(
        code="audit.shell-on-request",
        severity=Severity.ERROR,
        title="The command line asks for a shell",
        why="It comes up at the console, with root's rights, and may ask for no password (B1, B13).",
        fix="Take init=/bin/sh, rd.break, debug_shell, rescue and the like out of the embedded command line.",
        attacks=("B1", "B13"),
        needs=_LINE,
        check=_on_request,
    ),
    Rule(
        code="audit.crash-shell",
        severity=Severity.ERROR,
        title="systemd opens a shell when it crashes",
        why="The shell is at the console, with root's rights and the memory of the machine as it is (B13).",
        fix="Remove CrashShell from /etc/systemd/system.conf and its drop-ins.",
        attacks=("B13",),
        check=_crash_shell,
    ),
    Rule(
        code="audit.emergency-shell",
        severity=Severity.ERROR,
        title="A failed boot opens a root shell",
        why="The owner makes the boot fail: by a disk that is missing, a partition that does not mount. A locked root "
        "account keeps the shell shut, unless it is told otherwise (B13).",
        fix="Mask emergency.service and rescue.service, lock root (`*` in /etc/shadow), and set no "
        "SYSTEMD_SULOGIN_FORCE.",
        attacks=("B13",),
        check=_emergency,
    ),
    Rule(
        code="audit.first-boot",
        severity=Severity.ERROR,
        title="The first boot asks whoever is at the console for a root password",
        why="Without a machine id each boot is a first one, and /etc can be written here: the owner sets the password "
        "at the serial console (B13).",
        fix="Put an empty /etc/machine-id into the image, or mask systemd-firstboot.service.",
        attacks=("B13",),
        check=_first_boot,
    ),
)
