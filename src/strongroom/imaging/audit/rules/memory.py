# SPDX-License-Identifier: Apache-2.0
"""Rules on what carries memory out of the machine: crash kernels, SysRq, core dumps, swap."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.imaging.audit.mounts import mounts_of, random_keyed
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.audit.systemd.reach import reach_of
from strongroom.imaging.audit.systemd.sysctl import SysctlSetting, sysctl
from strongroom.imaging.audit.systemd.unit_file import settings

_LINE = frozenset({Part.COMMAND_LINE})
_KDUMP_UNITS = ("kdump.service", "kdump-tools.service", "kdump-tools-dump.service", "kdump-early.service")
_SYSRQ_ALL, _SYSRQ_DUMPS = 1, 8
"""Bits of kernel.sysrq (Documentation/admin-guide/sysrq.rst): everything, and dumps of registers, tasks and memory."""
_SYSRQ_DEFAULT = "CONFIG_MAGIC_SYSRQ_DEFAULT_ENABLE"
_NOWHERE = ("|/bin/false", "|/usr/bin/false", "|/bin/true", "|/usr/bin/true")
_COREDUMP = (
    "/etc/systemd/coredump.conf",
    "/etc/systemd/coredump.conf.d/*.conf",
    "/usr/lib/systemd/coredump.conf.d/*.conf",
)


def _crash_kernel(subject: Subject) -> Iterator[Fault]:
    for name, value in subject.arguments:
        if name in {"crashkernel", "fadump"} and value not in {"0", "off", "0M"}:
            yield Fault("", f"expected no memory kept for a crash kernel, found {name}={value}", Part.COMMAND_LINE)


def _kdump(subject: Subject) -> Iterator[Fault]:
    reach = reach_of(subject.files, subject.arguments)
    for name in _KDUMP_UNITS:
        found = reach.running(name)
        if found is not None:
            yield Fault(found.unit.path, f"expected no service that saves crashes, found {reach.chain(found)}")


def _sysrq(subject: Subject) -> tuple[int, SysctlSetting | None] | None:
    """Return the mask of what SysRq may do, and what sets it; None where the kernel has none or it is unknown."""
    needed = ("CONFIG_MAGIC_SYSRQ", "CONFIG_MAGIC_SYSRQ_SERIAL")
    if subject.has(Part.KERNEL_CONFIG) and any(subject.option(name) == "n" for name in needed):
        return None
    if subject.values("sysrq_always_enabled"):
        return _SYSRQ_ALL, SysctlSetting("1")
    found = sysctl(subject.files, subject.arguments, "kernel.sysrq")
    if found is not None:
        return _number(found.value), found
    if not subject.has(Part.KERNEL_CONFIG):
        return None
    return _number(subject.option(_SYSRQ_DEFAULT)), None


def _number(text: str) -> int:
    """Read a number as the kernel does. What is none leaves its default, which is everything."""
    try:
        return int(text, 0)
    except ValueError:
        return _SYSRQ_ALL


def _dumps(mask: int) -> bool:
    return mask == _SYSRQ_ALL or bool(mask & _SYSRQ_DUMPS)


def _sysrq_dumps(subject: Subject) -> Iterator[Fault]:
    found = _sysrq(subject)
    if found is not None and _dumps(found[0]):
        yield _sysrq_fault(*found)


def _sysrq_rest(subject: Subject) -> Iterator[Fault]:
    found = _sysrq(subject)
    if found is not None and found[0] and not _dumps(found[0]):
        yield _sysrq_fault(*found)


def _sysrq_fault(mask: int, setting: SysctlSetting | None) -> Fault:
    if setting is None:
        return Fault("", f"expected kernel.sysrq to be 0, found the kernel's default of {mask}", Part.KERNEL_CONFIG)
    if not setting.path:
        return Fault("", f"expected kernel.sysrq to be 0, found {mask}", Part.COMMAND_LINE)
    return Fault(setting.path, f"expected kernel.sysrq to be 0, found {mask}", line=setting.line)


def _core_dumps(subject: Subject) -> Iterator[Fault]:
    found = sysctl(subject.files, subject.arguments, "kernel.core_pattern")
    if found is None or found.value in _NOWHERE:
        return
    if "systemd-coredump" in found.value and _storage(subject) == "none":
        return
    part = Part.TREE if found.path else Part.COMMAND_LINE
    yield Fault(found.path, f"expected core dumps to go nowhere, found {found.value}", part, found.line)


def _storage(subject: Subject) -> str:
    """Return where systemd-coredump keeps dumps (coredump.conf(5))."""
    storage = "external"
    for pattern in _COREDUMP:
        for node in subject.files.glob(pattern):
            for each in settings(node.path, subject.files.lines(node.path)):
                if (each.section, each.key) == ("Coredump", "Storage"):
                    storage = each.value
    return storage


def _swap(subject: Subject) -> Iterator[Fault]:
    for mount in mounts_of(subject.files, subject.arguments):
        if mount.kind == "swap" and not _is_private(subject, mount.what):
            yield Fault(mount.path, f"expected no swap on a disk, found {mount.what}", line=mount.line)


def _is_private(subject: Subject, what: str) -> bool:
    """Tell whether swap is in memory (zram), or under a key that is made anew for each boot."""
    return "zram" in what or posixpath.basename(what) in random_keyed(subject.files)


RULES = (
    Rule(
        code="audit.crash-kernel",
        severity=Severity.ERROR,
        title="Memory is kept for a kernel that saves crashes",
        why="The owner sends a diagnostic interrupt (SendDiagnosticInterrupt), the kernel panics, and the crash kernel "
        "writes all memory to a disk that the owner reads (B12).",
        fix="Take crashkernel= out of the embedded command line.",
        attacks=("B12",),
        needs=_LINE,
        check=_crash_kernel,
    ),
    Rule(
        code="audit.kdump",
        severity=Severity.ERROR,
        title="A service saves the memory of a crashed kernel",
        why="The owner sends a diagnostic interrupt, and finds all memory on the volume, or on the network (B12).",
        fix="Remove or mask kdump.",
        attacks=("B12",),
        check=_kdump,
    ),
    Rule(
        code="audit.sysrq-dumps",
        severity=Severity.ERROR,
        title="SysRq prints registers, tasks and memory",
        why="The EC2 serial console can send SysRq: the owner has the kernel print what the processor holds, which may "
        "be a key (B12, B13).",
        fix="Set kernel.sysrq = 0 in /etc/sysctl.d, or write sysctl.kernel.sysrq=0 into the embedded command line.",
        attacks=("B12", "B13"),
        check=_sysrq_dumps,
    ),
    Rule(
        code="audit.sysrq",
        severity=Severity.WARNING,
        title="SysRq does something",
        why="The EC2 serial console can send SysRq. What is left on here prints no memory, but the owner changes what "
        "the kernel prints, or stops the machine at a moment of their choice (B12).",
        fix="Set kernel.sysrq = 0 in /etc/sysctl.d, or write sysctl.kernel.sysrq=0 into the embedded command line.",
        attacks=("B12",),
        check=_sysrq_rest,
    ),
    Rule(
        code="audit.core-dumps",
        severity=Severity.WARNING,
        title="Programs that crash leave their memory behind",
        why="A core dump holds the secrets that the program had. Where it is written to a disk, or sent, the owner has "
        "them, and the owner can make programs crash (K17).",
        fix="Remove systemd-coredump or set Storage=none in coredump.conf, and set kernel.core_pattern = |/bin/false.",
        attacks=("K17",),
        check=_core_dumps,
    ),
    Rule(
        code="audit.swap",
        severity=Severity.ERROR,
        title="Memory is swapped out to a disk",
        why="What is swapped out lies on a volume that the owner reads (B11, L8).",
        fix="Use no swap, zram, or a partition that crypttab opens with a key from /dev/urandom at each boot.",
        attacks=("B11", "L8"),
        check=_swap,
    ),
)
