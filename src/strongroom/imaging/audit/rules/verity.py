# SPDX-License-Identifier: Apache-2.0
"""Rules on dm-verity: that the root is under it, and that what does not fit stops the machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from strongroom.errors import Severity
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.audit.systemd.arguments import given, is_off
from strongroom.imaging.tree.tree import Tree

_LINE = frozenset({Part.COMMAND_LINE})
_PANIC = "panic-on-corruption"
_OPTIONS: Mapping[str, str] = {
    "roothash": "systemd.verity_root_options",
    "usrhash": "systemd.verity_usr_options",
}
"""For each hash on the command line the key of its options (systemd-veritysetup-generator(8))."""
_HASH = re.compile(r"[0-9a-fA-F]{64,}")
_OTHERS = ("storehash", "rd.kiwi.verity_options", "verityroot", "dm-mod.create", "dm_verity.roothash")
"""Other ways to have a root under dm-verity: those of NixOS, of kiwi, and the kernel's own."""
_KIWI_OPTIONS = "rd.kiwi.verity_options"
_WEAK = ("ignore-corruption", "restart-on-corruption")
_SCRIPT_BYTES = 1 << 20


def _no_verity(subject: Subject) -> Iterator[Fault]:
    hashes = [key for key in _OPTIONS if any(value and _HASH.fullmatch(value) for value in subject.values(key))]
    if hashes or any(name in _OTHERS and value for name, value in subject.arguments):
        return
    if subject.tree is not None or any(subject.values("root")):
        yield Fault(
            "",
            "expected roothash= or usrhash= with the hash of a hash tree, found neither: the root file system is "
            "whatever lies on the disk",
            Part.COMMAND_LINE,
        )


def _switched_off(subject: Subject) -> Iterator[Fault]:
    for initrd, where in ((True, "rd.systemd.verity"), (False, "systemd.verity")):
        if is_off(subject.arguments, "systemd.verity", initrd=initrd):
            yield Fault("", f"expected dm-verity to be set up, found {where} switched off", Part.COMMAND_LINE)
            return


def _goes_on(subject: Subject) -> Iterator[Fault]:
    asked = [key for key in _OPTIONS if any(subject.values(key))]
    for key in asked:
        options = _options(subject, _OPTIONS[key])
        weak = [option for option in _WEAK if option in options]
        if weak:
            yield Fault("", f"expected {_PANIC} in {_OPTIONS[key]}, found {', '.join(weak)}", Part.COMMAND_LINE)
        elif _PANIC not in options and not _panics_in_initrd(subject):
            yield Fault("", f"expected {_PANIC} in {_OPTIONS[key]}, found {_found(subject, key)}", Part.COMMAND_LINE)
    if not asked and any(subject.values("root")) and _kiwi_goes_on(subject):
        yield Fault("", f"expected {_KIWI_OPTIONS}={_PANIC}, found it without", Part.COMMAND_LINE)


def _found(subject: Subject, key: str) -> str:
    """Say what is there instead: most often the option stands with the other volume."""
    others = [other for of, other in _OPTIONS.items() if of != key and _PANIC in _options(subject, other)]
    return f"it only in {others[0]}, of a volume that is not used" if others else "nothing of the kind"


def _options(subject: Subject, key: str) -> frozenset[str]:
    values = given(subject.arguments, key, initrd=True)
    return frozenset(option for value in values if value for option in value.split(","))


def _kiwi_goes_on(subject: Subject) -> bool:
    values = subject.values(_KIWI_OPTIONS)
    return bool(values) and _PANIC not in (values[-1] or "")


def _panics_in_initrd(subject: Subject) -> bool:
    """Tell whether the initrd asks for a panic by itself: in its veritytab, or in a script that calls veritysetup."""
    return subject.initrd is not None and any(_asks(subject.initrd, path) for path in _scripts(subject.initrd))


def _scripts(initrd: Tree) -> Iterator[str]:
    yield "/etc/veritytab"
    for node in initrd.files:
        if node.size <= _SCRIPT_BYTES and bytes(initrd.view(node.path)[:2]) == b"#!":
            yield node.path


def _asks(initrd: Tree, path: str) -> bool:
    lines = (line.split("#")[0] for _, line in initrd.lines(path))
    return any(_PANIC in line for line in lines)


def _not_in_kernel(subject: Subject) -> Iterator[Fault]:
    if subject.option("CONFIG_DM_VERITY") == "n":
        yield Fault("", "expected CONFIG_DM_VERITY, found it off", Part.KERNEL_CONFIG)


RULES = (
    Rule(
        code="audit.no-verity",
        severity=Severity.ERROR,
        title="The root file system is not under dm-verity",
        why="Measured is the unified kernel image alone. Without a root hash in it, whoever owns the account edits "
        "the volume and boots another system with the same PCRs (B1, B10).",
        fix="Build the root file system with a hash tree (veritysetup format) and put roothash= into the embedded "
        "command line. An image whose whole system is its initrd has no root= and is not meant.",
        attacks=("B1", "B10"),
        needs=_LINE,
        check=_no_verity,
    ),
    Rule(
        code="audit.verity-off",
        severity=Severity.ERROR,
        title="dm-verity is switched off on the command line",
        why="systemd then mounts the volume without its hash tree, and nobody notices what was changed on it (B10).",
        fix="Remove systemd.verity= and rd.systemd.verity= from the embedded command line.",
        attacks=("B10",),
        needs=_LINE,
        check=_switched_off,
    ),
    Rule(
        code="audit.verity-goes-on",
        severity=Severity.ERROR,
        title="The machine runs on after a block that does not fit its hash",
        why="By default a changed block is a read error in one file, which the owner chooses: a program that takes a "
        "missing file for an empty one goes on without it. The option counts for its own volume only: "
        "systemd.verity_root_options for roothash=, systemd.verity_usr_options for usrhash= (B10).",
        fix="Put systemd.verity_root_options=panic-on-corruption on the command line, or panic-on-corruption into the "
        "initrd's veritytab, or --panic-on-corruption into the script that calls veritysetup.",
        attacks=("B10",),
        needs=_LINE,
        check=_goes_on,
    ),
    Rule(
        code="audit.kernel-without-verity",
        severity=Severity.ERROR,
        title="The kernel has no dm-verity",
        why="A root hash on the command line of such a kernel is checked by nobody (B10).",
        fix="Take a kernel with CONFIG_DM_VERITY.",
        attacks=("B10",),
        needs=frozenset({Part.KERNEL_CONFIG}),
        check=_not_in_kernel,
    ),
)
