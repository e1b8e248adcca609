# SPDX-License-Identifier: Apache-2.0
"""Rules on the initrd: shells that it opens when something fails, and servers in it.

It is told which program makes it: systemd, dracut, initramfs-tools, or a script. Of one that is a program of its own
nothing can be said, and that is what the finding says.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.imaging.audit.accounts import accounts
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.audit.systemd.arguments import is_off
from strongroom.imaging.audit.systemd.reach import reach_of
from strongroom.imaging.audit.systemd.unit_file import is_true
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import Tree

_INITRD = frozenset({Part.INITRD})
_WITH_LINE = frozenset({Part.INITRD, Part.COMMAND_LINE})
_DRACUT = ("/usr/lib/dracut-lib.sh", "/lib/dracut-lib.sh", "/usr/bin/dracut-emergency", "/bin/dracut-emergency")
_INITRAMFS_TOOLS = "/scripts/functions"
_SHELL_FILES = ("/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/bash", "/bin/busybox", "/usr/bin/busybox")
_HALTS = frozenset({"halt", "poweroff", "reboot"})
_SCRIPT_BYTES = 1 << 20
_OPENS_SHELL = re.compile(
    r"(^|[;&|(){]|\b(exec|then|else|do|setsid|cttyhack|env)\b)\s*(/usr)?(/bin/)?(busybox\s+)?(sh|ash|bash|dash|sulogin)"
    r"(\s+-[il]+)?\s*(;|$|\)|\}|&|\||[<>]|\d[<>])"
)
"""A shell without a script to run, where a command stands."""
_SERVERS = ("sshd", "dropbear", "tinysshd", "telnetd", "in.telnetd", "nc", "ncat", "socat")


def _kind(initrd: Tree) -> str:
    if any(initrd.resolve(path) is not None for path in _DRACUT):
        return "dracut"
    init = initrd.resolve("/init")
    if init is not None and init.name == "systemd":
        return "systemd"
    if initrd.resolve(_INITRAMFS_TOOLS) is not None:
        return "initramfs-tools"
    if init is not None and bytes(initrd.view(init.path)[:2]) == b"#!":
        return "script"
    return "other"


def _shell(subject: Subject) -> Iterator[Fault]:
    initrd = subject.first_files
    if not any(initrd.resolve(path) is not None for path in _SHELL_FILES):
        return
    kind = _kind(initrd)
    if kind == "dracut":
        yield from _of_dracut(subject)
    elif kind == "systemd":
        yield from _of_systemd(subject)
    elif kind == "initramfs-tools":
        yield from _of_initramfs_tools(subject)
    elif kind == "script":
        yield from _of_scripts(initrd)


def _of_dracut(subject: Subject) -> Iterator[Fault]:
    if not is_off(subject.arguments, "rd.shell"):
        yield Fault("", "expected rd.shell=0, found that dracut opens a shell when it cannot go on", Part.COMMAND_LINE)
    values = subject.values("rd.emergency")
    if not values or values[-1] not in _HALTS:
        yield Fault(
            "", f"expected rd.emergency= to be one of {', '.join(sorted(_HALTS))}, found it waits", Part.COMMAND_LINE
        )


def _of_initramfs_tools(subject: Subject) -> Iterator[Fault]:
    if not any(value for value in subject.values("panic")):
        yield Fault("", "expected panic=, found that initramfs-tools opens a shell without it", Part.COMMAND_LINE)


def _of_systemd(subject: Subject) -> Iterator[Fault]:
    initrd = subject.first_files
    reach = reach_of(initrd, subject.arguments, initrd=True)
    for name in ("emergency.service", "rescue.service"):
        found = reach.running(name)
        if found is None:
            continue
        environment = " ".join(each.value for each in found.unit.given("Service", "Environment"))
        forced = "SYSTEMD_SULOGIN_FORCE=1" in environment or any(
            is_true(value or "") for value in subject.values("SYSTEMD_SULOGIN_FORCE")
        )
        root = next((each for each in accounts(initrd) if each.name == "root"), None)
        if forced or root is None or root.needs_no_password or root.has_password:
            yield Fault(
                found.unit.path, f"expected a locked root in the initrd, found {reach.chain(found)} open", Part.INITRD
            )


def _of_scripts(initrd: Tree) -> Iterator[Fault]:
    for node in _scripts(initrd):
        for number, line in initrd.lines(node.path):
            if not line.lstrip().startswith("#") and _OPENS_SHELL.search(line):
                yield Fault(node.path, f"expected no shell, found {line.strip()}", Part.INITRD, number)


def _scripts(initrd: Tree) -> Iterator[Node]:
    """Yield the shell scripts of an initrd."""
    for node in initrd.files:
        if node.size <= _SCRIPT_BYTES:
            start = bytes(initrd.view(node.path)[:80]).split(b"\n")[0]
            if start.startswith(b"#!") and re.search(rb"(sh|busybox)\b", start):
                yield node


def _cannot_tell(subject: Subject) -> Iterator[Fault]:
    if _kind(subject.first_files) == "other":
        init = subject.first_files.resolve("/init")
        path = init.path if init is not None else "/init"
        yield Fault(path, "expected systemd, dracut, initramfs-tools or a script, found something else", Part.INITRD)


def _server(subject: Subject) -> Iterator[Fault]:
    for node in subject.first_files.nodes.values():
        if node.is_executable and posixpath.basename(node.path) in _SERVERS:
            yield Fault(node.path, f"expected no program that listens, found {node.name}", Part.INITRD)


RULES = (
    Rule(
        code="audit.initrd-shell",
        severity=Severity.ERROR,
        title="The initrd opens a shell when something fails",
        why="The owner makes it fail, by a disk that is missing or damaged, and has a root shell at the serial console "
        "of a machine that shows the measurements of the image (B13).",
        fix="dracut: rd.shell=0 rd.emergency=halt. initramfs-tools: panic=-1. systemd: mask emergency.service and "
        "rescue.service in the initrd, or lock its root. Scripts: reboot -f instead of a shell.",
        attacks=("B13",),
        needs=_WITH_LINE,
        check=_shell,
    ),
    Rule(
        code="audit.initrd-server",
        severity=Severity.ERROR,
        title="The initrd has a program that listens on the network",
        why="Such programs are there to let somebody in before the root is mounted (B14).",
        fix="Leave it out of the initrd.",
        attacks=("B14",),
        needs=_INITRD,
        check=_server,
    ),
    Rule(
        code="audit.initrd-unknown",
        severity=Severity.NOTE,
        title="What the initrd does when something fails was not worked out",
        why="Its init is none that this audit knows (B13).",
        fix="Look at it yourself: it should restart or stop the machine when it cannot go on.",
        attacks=("B13",),
        needs=_INITRD,
        check=_cannot_tell,
    ),
)
