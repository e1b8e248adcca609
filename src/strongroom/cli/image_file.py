# SPDX-License-Identifier: Apache-2.0
"""How commands take an image to measure: a unified kernel image (.efi), or the raw disk that boots one.

The file is opened once and mapped, so a disk of any size costs the memory of the image that it boots.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from strongroom.cli.findings import finding_lines
from strongroom.cli.output import print_line
from strongroom.errors import Finding, FormatError
from strongroom.flows.files import map_file
from strongroom.formats.file_kind import HEAD_BYTES, FileKind, guess_kind, looks_like
from strongroom.formats.pe import MAX_IMAGE_BYTES
from strongroom.measure.boot_menu import expect_no_menu
from strongroom.measure.disk import BootFile, boot_image, in_boot_file
from strongroom.measure.disk_layout import DiskPartition

CONTAINERS = {
    FileKind.QCOW2: "qcow2",
    FileKind.VMDK: "vmdk",
    FileKind.VHDX: "vhdx",
    FileKind.VHD: "vpc",
    FileKind.VDI: "vdi",
}
"""Disk images that are not raw, and what qemu-img calls their formats."""
_REMEDY = (
    "Give the unified kernel image that the firmware boots, usually EFI/BOOT/BOOTX64.EFI, or the raw disk image that "
    "holds it."
)


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image to measure, and where it was found."""

    file: Path
    image: memoryview
    boots: BootFile | None
    """Where it lies on the disk, None where the file is the image itself."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What beside the image would change a boot of the disk."""
        return () if self.boots is None else self.boots.findings

    @property
    def source(self) -> dict[str, object]:
        """Where the image was found, as `--json` prints it; its keys are stable."""
        if self.boots is None:
            return {"kind": "efi-image", "file": str(self.file)}
        partition = partition_members(self.boots.partition)
        return {"kind": "disk", "file": str(self.file), "path": self.boots.path, "partition": partition}

    @contextlib.contextmanager
    def named(self) -> Iterator[None]:
        """Say in errors about the image where on the disk it lies."""
        with contextlib.nullcontext() if self.boots is None else in_boot_file(str(self.boots)):
            yield


def read_image_file(path: Path) -> ImageFile:
    """Find the image in a file. Raises FormatError for what holds none or more than one, LocalFault as `map_file`."""
    data = map_file(path, maximum_piped_bytes=MAX_IMAGE_BYTES)
    head = bytes(data[:HEAD_BYTES])
    kind = guess_kind(head)
    if kind is FileKind.EFI_IMAGE:
        return ImageFile(path, data, None)
    if kind is FileKind.DISK:
        boots = boot_image(data)
        expect_no_menu(boots)
        return ImageFile(path, memoryview(boots.image), boots)
    raise FormatError(
        "measure.not-an-image",
        f"expected a unified kernel image (.efi) or a raw disk image in {path}, found {looks_like(head)}",
        remedy=raw_disk_remedy(path, kind) if kind in CONTAINERS else _REMEDY,
    )


def partition_members(partition: DiskPartition) -> dict[str, object]:
    """Return a partition of a disk as `--json` prints it; its keys are stable."""
    return {
        "number": partition.number,
        "name": partition.name,
        "type": partition.kind,
        "meaning": partition.words,
        "guid": partition.unique,
        "offset_bytes": partition.offset,
        "size_bytes": partition.size_bytes,
    }


def raw_disk_remedy(path: Path, kind: FileKind) -> str:
    """Return how to make a raw disk image of a file that is one of another format."""
    command = ["qemu-img", "convert", "-f", CONTAINERS[kind], "-O", "raw", str(path), f"{path.stem}.raw"]
    return f"Make a raw disk image of it: {shlex.join(command)}"


def print_source(console: Console, found: ImageFile) -> None:
    """Say where the image was found, and what beside it would change a boot."""
    if found.boots is not None:
        print_line(console, f"Measured {found.boots}, which is what firmware boots.")
    for finding in found.findings:
        for line in finding_lines(finding):
            console.print(line, markup=False)
    if found.findings:
        console.print("A boot of this disk may leave other values than the ones below.", markup=False)
