# SPDX-License-Identifier: Apache-2.0
"""Rules on who may write and who runs as somebody else: modes, owners, setuid, capabilities."""

from __future__ import annotations

import re
from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.imaging.audit.capabilities import DANGEROUS, granted
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Subject
from strongroom.imaging.tree.node import Node

_NOT_ON_DISK = ("/dev/", "/proc/", "/sys/", "/run/")
_SYSTEM = re.compile(r"/(usr|etc|bin|sbin|lib(32|64|x32)?|opt)(/|$)")
_CODE = re.compile(
    r"/(s?bin|systemd|pam\.d|security|udev|modprobe\.d|sysctl\.d|dbus-1|python3[^/]*|ld\.so\.[^/]*)(/|$)"
)
_SETUID = frozenset(
    {
        *("su", "sudo", "passwd", "mount", "umount", "chfn", "chsh", "gpasswd", "newgrp", "chage", "expiry"),
        *("unix_chkpwd", "unix_update", "dbus-daemon-launch-helper", "ssh-keysign", "pkexec", "fusermount"),
        *("fusermount3", "polkit-agent-helper-1", "crontab", "at", "wall", "write", "bsd-write", "ssh-agent"),
        *("newuidmap", "newgidmap", "mount.nfs", "mount.cifs", "ping", "ping6", "traceroute6.iputils", "staprun"),
        *("pam_timestamp_check", "userhelper", "usernetctl", "grub2-set-bootflag", "utempter", "dotlockfile"),
        *("pam_extrausers_chkpwd", "snap-confine", "doas", "sg", "locate", "mlocate", "plocate", "lockdev"),
        *("chrome-sandbox", "Xorg.wrap", "ntfs-3g", "exim4", "postdrop", "postqueue", "sendmail", "kismet_capture"),
        *("sssd_pam", "krb5_child", "ldap_child", "proxy_child", "selinux_child", "vmware-user-suid-wrapper"),
    }
)
"""Programs that distributions ship with setuid or setgid."""
_RUN_ANYTHING = frozenset(
    {
        *("sh", "bash", "dash", "ash", "zsh", "ksh", "csh", "tcsh", "fish", "busybox", "env", "find", "xargs"),
        *(
            "perl",
            "ruby",
            "node",
            "lua",
            "php",
            "awk",
            "gawk",
            "mawk",
            "sed",
            "vi",
            "vim",
            "nano",
            "ed",
            "less",
            "more",
        ),
        *("cp", "mv", "dd", "tar", "cat", "tee", "chmod", "chown", "install", "rsync", "nmap", "gdb", "strace"),
        *("systemctl", "systemd-run", "docker", "make", "tclsh", "expect", "socat", "ld.so", "timeout", "nice"),
    }
)
_PYTHON = re.compile(r"(python|pypy)[0-9.]*")


def _runs_anything(node: Node) -> bool:
    return node.name in _RUN_ANYTHING or bool(_PYTHON.fullmatch(node.name)) or node.name.startswith("ld-linux")


def _marked(subject: Subject) -> Iterator[Node]:
    return (node for node in subject.files.files if node.is_setuid or (node.is_setgid and node.is_executable))


def _how(node: Node) -> str:
    return f"setuid to user {node.uid}" if node.is_setuid else f"setgid to group {node.gid}"


def _setuid_anything(subject: Subject) -> Iterator[Fault]:
    for node in _marked(subject):
        if _runs_anything(node) or node.is_world_writable:
            yield Fault(node.path, f"expected no way to become somebody else, found {node.name} {_how(node)}")


def _setuid(subject: Subject) -> Iterator[Fault]:
    for node in _marked(subject):
        known = node.name in _SETUID and _SYSTEM.match(node.path)
        if not known and not _runs_anything(node) and not node.is_world_writable:
            yield Fault(node.path, f"expected a program that distributions ship so, found {node.name} {_how(node)}")


def _capabilities(subject: Subject) -> Iterator[Fault]:
    for node in subject.files.files:
        found = [name for name in granted(node.capabilities) if name in DANGEROUS]
        if found:
            yield Fault(node.path, f"expected no program with more rights than its user, found {', '.join(found)}")


def _world_writable(subject: Subject) -> Iterator[Fault]:
    for node in subject.files.nodes.values():
        if node.is_world_writable and not node.path.startswith(_NOT_ON_DISK):
            kind = "folder without the sticky bit" if node.is_folder else "file"
            yield Fault(
                node.path, f"expected that not everybody writes here, found a {kind} of mode {node.mode & 0o7777:04o}"
            )


def _foreign(subject: Subject) -> Iterator[Fault]:
    for node in subject.files.nodes.values():
        if node.uid and not node.is_link and node.mode & 0o200 and _SYSTEM.match(node.path) and _CODE.search(node.path):
            yield Fault(node.path, f"expected root to own what the system runs, found user {node.uid}")


RULES = (
    Rule(
        code="audit.setuid-anything",
        severity=Severity.ERROR,
        title="Every process of the image may become root",
        why="A shell, an interpreter or a tool that runs others, with the rights of its owner, is a way up for whoever "
        "has a hole in any program of the image; a program that everybody may write is the same (B14).",
        fix="Take the bits away: chmod u-s,g-s.",
        attacks=("B14",),
        check=_setuid_anything,
    ),
    Rule(
        code="audit.setuid",
        severity=Severity.WARNING,
        title="A program runs as somebody else, and is none that distributions ship so",
        why="Each such program is a way up for whoever has a hole in another one (B14).",
        fix="Take the bits away (chmod u-s,g-s), or waive this with the reason for which the program needs them.",
        attacks=("B14",),
        check=_setuid,
    ),
    Rule(
        code="audit.capabilities",
        severity=Severity.WARNING,
        title="A program has capabilities that amount to root",
        why="Whoever runs it reads other programs' memory, files or the kernel's: a way up, and one that ls -l does "
        "not show (B14).",
        fix="Take them away (setcap -r), or give them to the one service that needs them: AmbientCapabilities= in its "
        "unit.",
        attacks=("B14",),
        check=_capabilities,
    ),
    Rule(
        code="audit.world-writable",
        severity=Severity.WARNING,
        title="Everybody may write here",
        why="Under dm-verity nobody can; on an overlay in memory every process of the image can, and what another one "
        "reads there is then theirs (B17).",
        fix="Take the bit away: chmod o-w, or chmod +t for a folder that everybody shares.",
        attacks=("B17",),
        check=_world_writable,
    ),
    Rule(
        code="audit.foreign-owner",
        severity=Severity.WARNING,
        title="Code or settings of the system belong to a user",
        why="On an overlay in memory a process of that user replaces them, and root runs what it put there (B17).",
        fix="Give them to root: chown root:root.",
        attacks=("B17",),
        check=_foreign,
    ),
)
