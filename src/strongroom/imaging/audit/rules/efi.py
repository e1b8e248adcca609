# SPDX-License-Identifier: Apache-2.0
"""Rules on what comes in beside the measured image: stub, EFI system partition, EFI variables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from strongroom.errors import NotTrusted, Severity
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.audit.systemd.arguments import is_off
from strongroom.imaging.audit.systemd.reach import reach_of
from strongroom.imaging.tree.tree import Tree
from strongroom.measure.stub import recognise_stub

_UKI = frozenset({Part.UKI})
_SYSTEMD = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
_BESIDE = frozenset(
    {
        *("disk.credential", "disk.addon", "disk.extension", "disk.configuration-extension"),
        *("disk.second-loader", "disk.shell-script"),
    }
)
_EXTENSION_UNITS = (
    *("systemd-sysext.service", "systemd-sysext-initrd.service", "systemd-sysext-sysroot.service"),
    *("systemd-confext.service", "systemd-confext-initrd.service", "systemd-confext-sysroot.service"),
)
_EFIVARFS_MODULE = re.compile(r"/efivarfs\.ko(\.(xz|zst|gz))?$")
_KEPT_OUT = re.compile(r"\s*(blacklist\s+efivarfs|install\s+efivarfs\s+\S*/(false|true))\s*")
_MODPROBE = ("/etc/modprobe.d/*.conf", "/usr/lib/modprobe.d/*.conf", "/lib/modprobe.d/*.conf")


def _unknown_stub(subject: Subject) -> Iterator[Fault]:
    if subject.uki is not None:
        try:
            recognise_stub(subject.uki)
        except NotTrusted as error:
            yield Fault("", error.message, Part.UKI)


def _no_command_line(subject: Subject) -> Iterator[Fault]:
    if subject.uki is not None and not subject.uki.command_line.strip():
        yield Fault("", "expected a kernel command line in .cmdline, found none", Part.UKI)


def _beside(subject: Subject) -> Iterator[Fault]:
    if subject.boot is not None:
        for finding in subject.boot.findings:
            if finding.code in _BESIDE:
                yield Fault("", finding.message, Part.DISK)


def _may_not_boot(subject: Subject) -> Iterator[Fault]:
    if subject.boot is not None:
        for finding in subject.boot.findings:
            if finding.code in {"disk.not-efi-system", "disk.sector-size"}:
                yield Fault("", finding.message, Part.DISK)


def _has_systemd(tree: Tree) -> bool:
    return any(tree.resolve(path) is not None for path in _SYSTEMD)


def _options_variable(subject: Subject) -> Iterator[Fault]:
    """Yield a fault where systemd would read SystemdOptions, unless something keeps EFI variables from it."""
    trees = [tree for tree in (subject.initrd, subject.tree) if tree is not None and _has_systemd(tree)]
    if not trees or any(value == "noruntime" for value in subject.values("efi")) or subject.values("noefi"):
        return
    offered = subject.option("CONFIG_EFIVAR_FS") if subject.has(Part.KERNEL_CONFIG) else "y"
    if offered == "n" or (offered == "m" and not any(_loads_efivarfs(subject, tree) for tree in trees)):
        return
    yield Fault(
        "",
        "expected nothing that reads EFI variables, found systemd and neither efi=noruntime nor a kernel that cannot "
        "mount efivarfs",
        Part.COMMAND_LINE,
    )


def _loads_efivarfs(subject: Subject, tree: Tree) -> bool:
    """Tell whether the module is there, and neither the command line nor modprobe.d keeps it out."""
    for key in ("modprobe.blacklist", "module_blacklist"):
        if any("efivarfs" in (value or "").split(",") for value in subject.values(key)):
            return False
    for pattern in _MODPROBE:
        for node in tree.glob(pattern):
            if any(_KEPT_OUT.fullmatch(line) for _, line in tree.lines(node.path)):
                return False
    return any(_EFIVARFS_MODULE.search(path) for path in tree.nodes)


def _credentials(subject: Subject) -> Iterator[Fault]:
    trees = [tree for tree in (subject.initrd, subject.tree) if tree is not None and _has_systemd(tree)]
    if trees and not is_off(subject.arguments, "systemd.import_credentials"):
        yield Fault("", "expected systemd.import_credentials=no, found that systemd takes them", Part.COMMAND_LINE)


def _extensions(subject: Subject) -> Iterator[Fault]:
    for part, tree in ((Part.INITRD, subject.initrd), (Part.TREE, subject.tree)):
        if tree is None:
            continue
        reach = reach_of(tree, subject.arguments, initrd=part is Part.INITRD)
        for name in _EXTENSION_UNITS:
            found = reach.running(name)
            if found is not None:
                yield Fault(found.unit.path, f"expected no extensions to be merged, found {reach.chain(found)}", part)


RULES = (
    Rule(
        code="audit.unknown-stub",
        severity=Severity.ERROR,
        title="The EFI stub is not known to measure what it takes in",
        why="Zeros in PCR 12 and 13 say that nobody added a command line, a credential or an extension only where the "
        "stub measures those. Under another stub they say nothing (B1 to B4).",
        fix="Build the image with systemd-stub 252 to 258.",
        attacks=("B1", "B2", "B3", "B4"),
        needs=_UKI,
        check=_unknown_stub,
    ),
    Rule(
        code="audit.no-embedded-command-line",
        severity=Severity.ERROR,
        title="The unified kernel image has no command line of its own",
        why="The stub then takes one from whoever starts it, with Secure Boot as well: a boot option in the owner's "
        "UefiData (B1).",
        fix="Embed the whole command line in the section .cmdline.",
        attacks=("B1",),
        needs=_UKI,
        check=_no_command_line,
    ),
    Rule(
        code="audit.beside-image",
        severity=Severity.ERROR,
        title="Beside the image lies something that changes its boot",
        why="Credentials, add-ons and extensions on the EFI system partition go into PCR 12 and 13, a second loader "
        "into PCR 4: the image as shipped never shows its own measurements, and whoever takes the values from a "
        "running machine accepts them for ever (B1 to B4, B6).",
        fix="Leave one file on the EFI system partition: the unified kernel image.",
        attacks=("B1", "B2", "B3", "B4", "B6"),
        needs=frozenset({Part.DISK}),
        check=_beside,
    ),
    Rule(
        code="audit.may-not-boot",
        severity=Severity.WARNING,
        title="Firmware need not find the image on this disk",
        why="What boots then is what the owner put there; a document of it opens nothing, and neither does the image "
        "(B6).",
        fix="Put the image on a partition of the EFI system type, in a table for sectors of 512 bytes.",
        attacks=("B6",),
        needs=frozenset({Part.DISK}),
        check=_may_not_boot,
    ),
    Rule(
        code="audit.systemd-options",
        severity=Severity.ERROR,
        title="systemd takes a second command line from an EFI variable",
        why="The owner sets SystemdOptions in UefiData, and no PCR of the gate set shows it. With Secure Boot off "
        "systemd reads it before the real command line. Under OVMF, systemd.debug_shell in it started a root shell in "
        "Debian 12; credentials may come from there as well (B1, B2).",
        fix="Write efi=noruntime into the embedded command line, leave the module efivarfs out of image and initrd, or "
        "keep it out with module_blacklist=efivarfs.",
        attacks=("B1", "B2"),
        needs=frozenset({Part.COMMAND_LINE}),
        check=_options_variable,
    ),
    Rule(
        code="audit.credentials",
        severity=Severity.WARNING,
        title="systemd takes credentials that lie beside the image",
        why="With Secure Boot off systemd accepts credentials that nobody encrypted, such as one that sets root's "
        "password. They show in PCR 12: whoever gates that refuses such a machine, and all others do not notice (B2).",
        fix="Write systemd.import_credentials=no into the embedded command line.",
        attacks=("B2",),
        needs=frozenset({Part.COMMAND_LINE}),
        check=_credentials,
    ),
    Rule(
        code="audit.extensions",
        severity=Severity.WARNING,
        title="systemd merges extension images into the system",
        why="An extension puts files over /usr, /opt or /etc. Those on the EFI system partition show in PCR 13 or 12; "
        "those in /var/lib/extensions show nowhere, and are the owner's where /var is (B3, B4).",
        fix="Mask systemd-sysext.service and systemd-confext.service, in the initrd as well.",
        attacks=("B3", "B4"),
        needs=frozenset[Part](),
        check=_extensions,
    ),
)
