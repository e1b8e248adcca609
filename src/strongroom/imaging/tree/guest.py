# SPDX-License-Identifier: Apache-2.0
"""The tree in a file system that only Linux reads (xfs, btrfs): a guest mounts it and writes a tar file.

The guest is Debian's kernel and tar under QEMU, in the sandbox. It has no network and two disks: the file system, and
an empty one for the tar file. It mounts read-only. A journal that has to be replayed first is replayed over the image
and not in it: what the guest writes there goes into a file of QEMU and is forgotten.
"""

from __future__ import annotations

from pathlib import Path

from strongroom.errors import FormatError
from strongroom.imaging.sandbox import INPUT, SCRATCH, Limits, find_program, run_in_sandbox
from strongroom.imaging.tree.archives import tar_tree
from strongroom.imaging.tree.folder import file_contents
from strongroom.imaging.tree.guest_parts import INITRD, KERNEL, GuestParts
from strongroom.imaging.tree.kinds import FileSystem
from strongroom.imaging.tree.tree import Tree

MAX_TAR_BYTES = 32 << 30
LIMITS = Limits(seconds=300, memory_bytes=8 << 30, disk_bytes=2 * MAX_TAR_BYTES)
"""Of QEMU: without hardware virtualisation it keeps what it translated in a large cache."""
GUEST_MEMORY_MIB = 512
_ARCHIVE, _CONSOLE = "archive", "console"
_READY = "HELPER READY"
_SHOWN_CHARACTERS = 2_000
_COMMAND_LINE = "console=ttyS0 quiet panic=-1 rdinit=/init mitigations=off"


def guest_tree(image: Path, kind: FileSystem, parts: GuestParts, scratch: Path) -> Tree:
    """Return the tree of a file system. `scratch` is an empty folder that has to stay while contents are read.

    Raises FormatError for what the guest cannot mount or read, LocalFault where a program is missing.
    """
    for name, path in ((KERNEL, parts.kernel), (INITRD, parts.initrd)):
        (scratch / name).write_bytes(path.read_bytes())
    with (scratch / _ARCHIVE).open("wb") as archive:
        archive.truncate(MAX_TAR_BYTES)
    run_in_sandbox((find_program("qemu-system-x86_64"), *_machine(kind)), source=image, scratch=scratch, limits=LIMITS)
    console = bytes(file_contents(scratch / _CONSOLE)).decode("utf-8", "replace")
    if _READY not in console:
        said = console.strip()[-_SHOWN_CHARACTERS:]
        raise FormatError("guest.unreadable", f"expected a file system that Linux reads as {kind}, found: {said}")
    return tar_tree(file_contents(scratch / _ARCHIVE))


def _machine(kind: FileSystem) -> tuple[str, ...]:
    disks = ((INPUT, "input", "on"), (f"{SCRATCH}/{_ARCHIVE}", "output", "off"))
    return (
        *("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", str(GUEST_MEMORY_MIB)),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none", "-sandbox", "on"),
        *("-kernel", f"{SCRATCH}/{KERNEL}", "-initrd", f"{SCRATCH}/{INITRD}"),
        *("-append", f"{_COMMAND_LINE} helper_kind={kind.value}"),
        *("-serial", f"file:{SCRATCH}/{_CONSOLE}"),
        *(word for path, name, snapshot in disks for word in _disk(path, name, snapshot)),
    )


def _disk(path: str, name: str, snapshot: str) -> tuple[str, ...]:
    drive = f"if=none,id={name},format=raw,file={path},snapshot={snapshot},cache=unsafe"
    return ("-drive", drive, "-device", f"nvme,serial={name},drive={name}")
