# SPDX-License-Identifier: Apache-2.0
"""Rules on kernel lockdown, and on what it is there to keep shut: kexec, hibernation, raw memory, modules."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.audit.systemd.sysctl import sysctl

_LINE = frozenset({Part.COMMAND_LINE})
_LEVELS = ("integrity", "confidentiality")
_FORCED = ("CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY", "CONFIG_LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY")


def _wrong_value(subject: Subject) -> Iterator[Fault]:
    for value in subject.values("lockdown"):
        if value not in _LEVELS:
            yield Fault(
                "", f"expected lockdown= to be {' or '.join(_LEVELS)}, found {value or 'no value'}", Part.COMMAND_LINE
            )


def _kernel_option(subject: Subject, name: str, unknown: str) -> str:
    """Return an option of the kernel, or `unknown` where the image does not say how its kernel was configured."""
    return subject.option(name) if subject.has(Part.KERNEL_CONFIG) else unknown


def why_not_locked(subject: Subject) -> str:
    """Say why the kernel is not locked down; an empty text where it is. Needs COMMAND_LINE."""
    if _kernel_option(subject, "CONFIG_SECURITY_LOCKDOWN_LSM", "y") == "n":
        return "the kernel has no lockdown (CONFIG_SECURITY_LOCKDOWN_LSM)"
    if not _is_among_modules(subject):
        return "lockdown is not among the kernel's security modules"
    if any(_kernel_option(subject, name, "n") == "y" for name in _FORCED):
        return ""
    # The kernel takes each value in turn; lockdown only grows (security/lockdown/lockdown.c).
    if any(value in _LEVELS for value in subject.values("lockdown")):
        return ""
    return "nothing sets lockdown=integrity"


def _is_among_modules(subject: Subject) -> bool:
    if _kernel_option(subject, "CONFIG_SECURITY_LOCKDOWN_LSM_EARLY", "n") == "y":
        return True
    asked = [value for value in subject.values("lsm") if value]
    listed = asked[-1] if asked else _kernel_option(subject, "CONFIG_LSM", "lockdown").strip('"')
    return "lockdown" in listed.split(",")


def _not_locked(subject: Subject) -> Iterator[Fault]:
    why = why_not_locked(subject)
    if why:
        yield Fault("", f"expected the kernel to be locked down, found that {why}", Part.COMMAND_LINE)


def _kexec(subject: Subject) -> Iterator[Fault]:
    offered = [
        name for name in ("CONFIG_KEXEC", "CONFIG_KEXEC_FILE") if _kernel_option(subject, name, "unknown") != "n"
    ]
    shut = subject.tree is not None and _is_set(subject, "kernel.kexec_load_disabled", "1")
    if offered and not shut and why_not_locked(subject):
        known = " and ".join(offered) if subject.has(Part.KERNEL_CONFIG) else "a kernel that may have kexec"
        yield Fault("", f"expected no kexec, found {known}, and that {why_not_locked(subject)}", Part.COMMAND_LINE)


def _is_set(subject: Subject, key: str, value: str) -> bool:
    found = sysctl(subject.files, subject.arguments, key)
    return found is not None and found.value == value


def _may_hibernate(subject: Subject) -> bool:
    return not any(True for _ in subject.values("nohibernate")) and (
        _kernel_option(subject, "CONFIG_HIBERNATION", "unknown") != "n"
    )


def _hibernates(subject: Subject) -> Iterator[Fault]:
    if not _may_hibernate(subject):
        return
    why = why_not_locked(subject)
    if why:
        resumes = [value for value in subject.values("resume") if value]
        from_where = f"; it resumes from {resumes[-1]}" if resumes and not subject.values("noresume") else ""
        yield Fault("", f"expected nohibernate, found neither it nor lockdown: {why}{from_where}", Part.COMMAND_LINE)


def _one_guard(subject: Subject) -> Iterator[Fault]:
    if _may_hibernate(subject) and not why_not_locked(subject):
        yield Fault("", "expected nohibernate, found lockdown as all that forbids it", Part.COMMAND_LINE)


RULES = (
    Rule(
        code="audit.lockdown-value",
        severity=Severity.ERROR,
        title="lockdown= has a value that the kernel does not know",
        why="The kernel ignores lockdown=1 and the like without a word: whoever wrote it believes in a guard that "
        "is not there (B9).",
        fix="Write lockdown=integrity into the embedded command line.",
        attacks=("B9",),
        needs=_LINE,
        check=_wrong_value,
    ),
    Rule(
        code="audit.no-lockdown",
        severity=Severity.WARNING,
        title="The kernel is not locked down",
        why="Root may then read and write memory of the kernel, load any module and start another kernel: what one "
        "hole in a program gives becomes everything, under the PCRs of the image (B9).",
        fix="Write lockdown=integrity into the embedded command line, for a kernel with CONFIG_SECURITY_LOCKDOWN_LSM.",
        attacks=("B9",),
        needs=_LINE,
        check=_not_locked,
    ),
    Rule(
        code="audit.kexec",
        severity=Severity.ERROR,
        title="Another kernel can be started from this one",
        why="kexec starts a kernel that nobody measured, and the PCRs stay those of the image: its documents still "
        "open the key (B9).",
        fix="Write lockdown=integrity into the embedded command line, take a kernel without CONFIG_KEXEC and "
        "CONFIG_KEXEC_FILE, or set kernel.kexec_load_disabled=1 in sysctl.d.",
        attacks=("B9",),
        needs=_LINE,
        check=_kexec,
    ),
    Rule(
        code="audit.hibernation",
        severity=Severity.ERROR,
        title="The machine can hibernate",
        why="Hibernation writes all memory to a volume that the owner reads, and a machine that resumes takes its "
        "memory from there (B11). EC2 hibernates an instance when its owner asks.",
        fix="Write nohibernate into the embedded command line, and take resume= out of it.",
        attacks=("B11",),
        needs=_LINE,
        check=_hibernates,
    ),
    Rule(
        code="audit.hibernation-one-guard",
        severity=Severity.WARNING,
        title="Only lockdown keeps the machine from hibernating",
        why="One guard is one mistake away from none: memory on the owner's volume (B11).",
        fix="Write nohibernate into the embedded command line.",
        attacks=("B11",),
        needs=_LINE,
        check=_one_guard,
    ),
)
