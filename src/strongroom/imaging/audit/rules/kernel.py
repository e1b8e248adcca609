# SPDX-License-Identifier: Apache-2.0
"""Rules on how the kernel was configured, and on its debuggers."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.rules.lockdown import why_not_locked
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.audit.systemd.reach import reach_of

_CONFIG = frozenset({Part.KERNEL_CONFIG})
_DEBUGGERS = ("kgdboc", "kgdboe", "ekgdboc", "kgdbwait", "kgdbdbgp")


def _debugger(subject: Subject) -> Iterator[Fault]:
    for name, value in subject.arguments:
        if name in _DEBUGGERS or name == "kgdboc.kgdboc":
            shown = name if value is None else f"{name}={value}"
            yield Fault("", f"expected no kernel debugger, found {shown}", Part.COMMAND_LINE)


def _locked(subject: Subject) -> bool:
    return subject.has(Part.COMMAND_LINE) and not why_not_locked(subject)


def _raw_memory(subject: Subject) -> Iterator[Fault]:
    if _locked(subject):
        return
    if subject.option("CONFIG_DEVMEM") != "n" and subject.option("CONFIG_STRICT_DEVMEM") == "n":
        yield Fault("", "expected CONFIG_STRICT_DEVMEM, found CONFIG_DEVMEM without it", Part.KERNEL_CONFIG)
    if subject.option("CONFIG_DEVKMEM") != "n":
        yield Fault("", "expected no CONFIG_DEVKMEM, found it on", Part.KERNEL_CONFIG)


def _unsigned_modules(subject: Subject) -> Iterator[Fault]:
    if subject.option("CONFIG_MODULES") == "n" or subject.option("CONFIG_MODULE_SIG_FORCE") == "y":
        return
    forced = any(name == "module.sig_enforce" and value in {None, "1", "y", "Y"} for name, value in subject.arguments)
    if subject.option("CONFIG_MODULE_SIG") == "n":
        yield Fault("", "expected CONFIG_MODULE_SIG, found it off: modules are loaded unsigned", Part.KERNEL_CONFIG)
    elif not forced and not _locked(subject):
        yield Fault(
            "",
            "expected signatures of modules to be demanded, found neither lockdown, CONFIG_MODULE_SIG_FORCE nor "
            "module.sig_enforce=1",
            Part.KERNEL_CONFIG,
        )


def _log_in_variables(subject: Subject) -> Iterator[Fault]:
    name, default = "CONFIG_EFI_VARS_PSTORE", "CONFIG_EFI_VARS_PSTORE_DEFAULT_DISABLE"
    if subject.option(name) == "n" or subject.option(default) == "y":
        return
    values = subject.values("efi_pstore.pstore_disable")
    off = bool(values) and values[-1] in {None, "1", "y", "Y"}
    if not off and not any(value == "noruntime" for value in subject.values("efi")):
        yield Fault("", f"expected the kernel's log to stay in memory, found {name}", Part.KERNEL_CONFIG)


def _debugfs(subject: Subject) -> Iterator[Fault]:
    if _locked(subject) or any(value in {"off", "no-mount"} for value in subject.values("debugfs")):
        return
    reach = reach_of(subject.files, subject.arguments)
    found = reach.running("sys-kernel-debug.mount")
    if found is not None:
        yield Fault(found.unit.path, f"expected debugfs=off or lockdown, found {reach.chain(found)}")


RULES = (
    Rule(
        code="audit.kernel-debugger",
        severity=Severity.ERROR,
        title="A kernel debugger listens",
        why="Whoever has the EC2 serial console reads and writes all memory through it (B12, B13).",
        fix="Take kgdboc= and its like out of the embedded command line.",
        attacks=("B12", "B13"),
        needs=frozenset({Part.COMMAND_LINE}),
        check=_debugger,
    ),
    Rule(
        code="audit.raw-memory",
        severity=Severity.WARNING,
        title="The kernel offers all memory as a file",
        why="Root reads secrets and patches the kernel through it, under the PCRs of the image; lockdown "
        "shuts it (B9).",
        fix="Write lockdown=integrity into the embedded command line, or take a kernel with CONFIG_STRICT_DEVMEM.",
        attacks=("B9",),
        needs=_CONFIG,
        check=_raw_memory,
    ),
    Rule(
        code="audit.unsigned-modules",
        severity=Severity.WARNING,
        title="The kernel loads modules that nobody signed",
        why="A module can do what kexec can: run other code as the kernel, under the PCRs of the image (B9).",
        fix="Write lockdown=integrity into the embedded command line, for a kernel with CONFIG_MODULE_SIG.",
        attacks=("B9",),
        needs=_CONFIG,
        check=_unsigned_modules,
    ),
    Rule(
        code="audit.debugfs",
        severity=Severity.WARNING,
        title="The kernel's debugging files are there",
        why="Root reads and changes the kernel's insides through debugfs, under the PCRs of the image; lockdown "
        "shuts it (B9).",
        fix="Write lockdown=integrity or debugfs=off into the embedded command line, or mask sys-kernel-debug.mount.",
        attacks=("B9",),
        needs=frozenset({Part.TREE, Part.COMMAND_LINE}),
        check=_debugfs,
    ),
    Rule(
        code="audit.log-in-variables",
        severity=Severity.NOTE,
        title="A dying kernel may leave its log in UEFI variables",
        why="The owner reads them with GetInstanceUefiData. The kernel's log holds what programs wrote to it, and "
        "registers (B12).",
        fix="Write efi_pstore.pstore_disable=1, or efi=noruntime, into the embedded command line.",
        attacks=("B12",),
        needs=_CONFIG,
        check=_log_in_variables,
    ),
)
