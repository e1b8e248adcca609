# SPDX-License-Identifier: Apache-2.0
"""Rules on what starts beside units: udev rules, generators, and who asks the metadata service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from strongroom.errors import Severity
from strongroom.imaging.audit.contents import IMDS, files_with
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Subject
from strongroom.imaging.audit.systemd.generators import CLOUD_INIT, generators
from strongroom.imaging.audit.udev import UdevCommand, udev_commands

_WORD = re.compile(r"[\w.-]+")
_SHELLS = frozenset({"sh", "bash", "dash", "ash"})
_OF_OWNER = re.compile(r"(\$env|%E)\{(ID_FS_(LABEL|USAGE|TYPE|UUID)\w*|ID_PART_ENTRY_\w+|PARTNAME)\}")
"""What a device says of itself and the owner of the account chooses: labels of file systems, names of partitions."""
_MOUNTS = frozenset({"mount", "systemd-mount", "udisksctl", "usbmount", "pmount", "swapon", "mount.sh"})
_GENERATORS = re.compile(
    r"systemd-[a-z-]+-generator|lvm2-activation-generator|zram-generator|nfs-server-generator|rpc-pipefs-generator"
    r"|selinux-autorelabel-generator\.sh|ostree-system-generator|netplan"
)
_OWN = "/usr/lib/strongroom/"
"""The agent's: it takes nothing from user data but where bundles lie."""
_USER_DATA = b"user-data"
_TO_READ = (".json", ".rst", ".txt", ".md", ".html", ".yaml", ".yml")
"""Descriptions of interfaces, and help."""
_SHOWN = 100


def _mounts(subject: Subject) -> Iterator[Fault]:
    for command in udev_commands(subject.files):
        named = set(_WORD.findall(command.text)) if command.program in _SHELLS else {command.program}
        if _MOUNTS & named:
            message = f"expected no disk to be mounted because it is there, found {_short(command)}"
            yield Fault(command.path, message, line=command.line)


def _shells(subject: Subject) -> Iterator[Fault]:
    for command in udev_commands(subject.files):
        if command.program in _SHELLS and _OF_OWNER.search(command.text):
            message = f"expected no text of a device in a shell, found {_short(command)}"
            yield Fault(command.path, message, line=command.line)


def _short(command: UdevCommand) -> str:
    return command.text if len(command.text) <= _SHOWN else f"{command.text[:_SHOWN]}…"


def _generators(subject: Subject) -> Iterator[Fault]:
    for name, node in generators(subject.files).items():
        if not _GENERATORS.fullmatch(name) and name != CLOUD_INIT:
            yield Fault(node.path, f"expected generators that are known, found {name}")


def _asking(subject: Subject, *, user_data: bool) -> Iterator[Fault]:
    for path in files_with(subject.files, IMDS):
        contents = subject.files.read(path, maximum_bytes=1 << 30)
        if not path.startswith(_OWN) and not path.endswith(_TO_READ) and (_USER_DATA in contents) is user_data:
            what = "user data" if user_data else "the metadata service"
            yield Fault(path, f"expected nothing to ask for {what}, found a script that names its address")


RULES = (
    Rule(
        code="audit.mounts-what-is-attached",
        severity=Severity.ERROR,
        title="Disks are mounted because they are there",
        why="The owner attaches a volume, and its files appear in the system, read by the kernel's own parsers (B5).",
        fix="Remove the udev rule.",
        attacks=("B5",),
        check=_mounts,
    ),
    Rule(
        code="audit.udev-shell",
        severity=Severity.WARNING,
        title="A shell gets text that the owner wrote on a disk",
        why="udev takes out the worst characters of labels and names, not all that a shell takes for its own (B14).",
        fix="Run a program instead of a shell, or leave the text out.",
        attacks=("B14",),
        check=_shells,
    ),
    Rule(
        code="audit.generator",
        severity=Severity.WARNING,
        title="An unknown program adds units at boot",
        why="Generators run as root before everything else, and what they add is not in the image for this audit to "
        "see: the way in that cloud-init uses (B14, B17).",
        fix="Remove it, or mask it: a link of its name to /dev/null in /etc/systemd/system-generators.",
        attacks=("B14", "B17"),
        check=_generators,
    ),
    Rule(
        code="audit.user-data",
        severity=Severity.WARNING,
        title="A script reads user data",
        why="User data is the owner's, and no PCR shows it. What it decides, the owner decides: a key id with its "
        "ciphertext in it makes the application run on a secret of the owner's choice (B14, B15).",
        fix="Take from user data nothing but where to look for what the vendor has signed.",
        attacks=("B14", "B15"),
        check=partial(_asking, user_data=True),
    ),
    Rule(
        code="audit.metadata",
        severity=Severity.NOTE,
        title="A script asks the instance metadata service",
        why="Its answers are AWS's and the owner's: role, tags, network. The owner chooses what is asked (B14).",
        fix="Make sure that no answer decides what is trusted.",
        attacks=("B14",),
        check=partial(_asking, user_data=False),
    ),
)
