# SPDX-License-Identifier: Apache-2.0
"""Rules on what is mounted from disks that the owner edits."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.imaging.audit.mounts import Mount, mounts_of
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.audit.systemd.arguments import is_off
from strongroom.imaging.audit.systemd.generators import GPT_AUTO, generators
from strongroom.imaging.tree.tree import Tree

_OF_SYSTEM = ("/usr", "/etc", "/opt", "/root", "/home", "/var", "/bin", "/sbin", "/lib", "/lib64")
_OVERLAYS = frozenset({"rd.root.overlay.write", "rd.live.overlay", "rd.overlay"})
"""Of kiwi and of dracut, where an overlay over the root keeps what is written."""
_DISKS = ("/dev/", "UUID=", "LABEL=", "PARTUUID=", "PARTLABEL=")
_BOOT = ("/boot", "/efi", "/boot/efi")


def _gpt_auto(subject: Subject) -> Iterator[Fault]:
    for part, tree, initrd in ((Part.INITRD, subject.initrd, True), (Part.TREE, subject.tree, False)):
        if tree is None or is_off(subject.arguments, "systemd.gpt_auto", initrd=initrd):
            continue
        found = generators(tree).get(GPT_AUTO)
        if found is not None:
            shipped = ", ".join(_mounted_by_type(subject))
            what = f"; on this disk that is {shipped}" if shipped else ""
            yield Fault(found.path, f"expected systemd.gpt_auto=0, or no {GPT_AUTO}, found neither{what}", part)


def _mounted_by_type(subject: Subject) -> Iterator[str]:
    if subject.disk is not None:
        yield from (str(each) for each in subject.disk.partitions if each.is_mounted_by_type)


def _is_of_system(where: str) -> bool:
    return where == "/" or any(where == each or where.startswith(f"{each}/") for each in _OF_SYSTEM)


def _plain_mounts(tree: Tree, subject: Subject) -> Iterator[Mount]:
    """Yield mounts from disks, but for the root and /usr that are under dm-verity, and the boot partition."""
    kept = {"/": "roothash", "/usr": "usrhash"}
    for mount in mounts_of(tree, subject.arguments):
        if mount.kind != "swap" and mount.is_from_disk and mount.where not in _BOOT:
            hashed = kept.get(mount.where)
            if hashed is None or (subject.has(Part.COMMAND_LINE) and not any(subject.values(hashed))):
                yield mount


def _system_mounts(subject: Subject) -> Iterator[Fault]:
    for mount in _plain_mounts(subject.files, subject):
        if _is_of_system(mount.where):
            yield Fault(
                mount.path, f"expected {mount.where} to come from the image, found it on {mount.what}", line=mount.line
            )


def _data_mounts(subject: Subject) -> Iterator[Fault]:
    for mount in _plain_mounts(subject.files, subject):
        if not _is_of_system(mount.where):
            yield Fault(mount.path, f"expected no plain disk, found {mount.what} at {mount.where}", line=mount.line)


def _overlay(subject: Subject) -> Iterator[Fault]:
    for name, value in subject.arguments:
        if (name in _OVERLAYS and (value or "").startswith(_DISKS)) or (
            name == "overlayroot" and (value or "").startswith(("device", "/dev/", "LABEL=", "UUID="))
        ):
            yield Fault("", f"expected what is written to stay in memory, found {name}={value}", Part.COMMAND_LINE)


RULES = (
    Rule(
        code="audit.gpt-auto",
        severity=Severity.ERROR,
        title="systemd mounts partitions for their type alone",
        why="The owner adds a partition to a copy of the disk, of the type for /var, /home, /srv or swap, and systemd "
        "mounts it: files of theirs inside the system, or memory on their disk. The partition table is in PCR 5, which "
        "gates nothing (B5).",
        fix="Write systemd.gpt_auto=0 into the embedded command line, or leave systemd-gpt-auto-generator out.",
        attacks=("B5",),
        needs=frozenset({Part.COMMAND_LINE}),
        check=_gpt_auto,
    ),
    Rule(
        code="audit.system-on-plain-disk",
        severity=Severity.ERROR,
        title="A part of the system comes from a disk that nothing protects",
        why="The owner edits that disk: programs, settings, keys for log-in, timers, extensions in /var (B5, L7).",
        fix="Leave it in the image, keep it in memory (tmpfs), or put it on a state volume under an attested key.",
        attacks=("B5", "L7"),
        check=_system_mounts,
    ),
    Rule(
        code="audit.overlay-on-disk",
        severity=Severity.ERROR,
        title="What is written over the system lies on a disk",
        why="dm-verity checks what is below; what lies over it, any program and setting, is on a disk that the owner "
        "edits (B5, L7).",
        fix="Keep the overlay in memory: systemd.volatile=, or for kiwi overlayroot_write_partition=false.",
        attacks=("B5", "L7"),
        needs=frozenset({Part.COMMAND_LINE}),
        check=_overlay,
    ),
    Rule(
        code="audit.plain-disk",
        severity=Severity.WARNING,
        title="Data lies on a disk that nothing protects",
        why="The owner reads and edits what is stored there, and may put an older copy back (L3, L7).",
        fix="Use a state volume under an attested key. Where all that is stored is encrypted, signed and dated by the "
        "program itself, waive this with that reason.",
        attacks=("L3", "L7"),
        check=_data_mounts,
    ),
)
