# SPDX-License-Identifier: Apache-2.0
r"""Which file a firmware boots from a disk that it knows no boot option for, as on an instance's first start.

UEFI 2.10, section 3.5.1.1, calls it `\EFI\BOOT\BOOT{machine}.EFI` on the EFI system partition. EDK II tries every FAT
volume of the disk, whatever its partition's type, in an order that its drivers make; so the file has to be the only one
of its kind on the disk, and everything that EDK II would try has to be readable here. Boot options in UEFI variables
(EC2's UefiData) come before all this: no disk shows them (ATTACKS B1, B20).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from strongroom.errors import Finding, FormatError
from strongroom.formats.fat import FatVolume, parse_fat
from strongroom.formats.fat_directory import FatEntry
from strongroom.formats.fat_layout import resembles_fat
from strongroom.formats.pe import MACHINE_AARCH64, MACHINE_X86_64, parse_pe
from strongroom.measure.disk_findings import findings_beside, findings_of_layout
from strongroom.measure.disk_layout import DiskLayout, DiskPartition, offered_volumes, parse_disk

BOOT_PATHS: Mapping[str, int] = {
    r"\EFI\BOOT\BOOTX64.EFI": MACHINE_X86_64,
    r"\EFI\BOOT\BOOTAA64.EFI": MACHINE_AARCH64,
}
"""For each machine that EC2 has, the path that firmware adds where none is given (section 3.5.1.1)."""

_SPEC = "UEFI 2.10 section 3.5.1"
_PATHS = " or ".join(BOOT_PATHS)


@dataclass(frozen=True, slots=True)
class BootFile:
    """The one file that the disk boots. Nothing in it has been looked at but the machine it is for."""

    path: str
    r"""As UEFI spells it: `\EFI\BOOT\BOOTX64.EFI`."""
    partition: DiskPartition
    image: bytes = field(repr=False)
    findings: tuple[Finding, ...]
    """What else on the disk would change a boot of it, or its PCRs."""
    unified: tuple[str, ...] = ()
    r"""Names of the images in `\EFI\Linux` of the same volume, which a boot menu would list."""

    def __str__(self) -> str:
        return f"{self.path} on {self.partition}"


@dataclass(frozen=True, slots=True)
class _Candidate:
    partition: DiskPartition
    volume: FatVolume
    path: str
    entry: FatEntry

    def __str__(self) -> str:
        return f"{self.path} on {self.partition}"


def boot_image(disk: memoryview) -> BootFile:
    """Return the file that firmware boots from a raw disk without boot options.

    Raises FormatError for a disk or a volume that is not whole, and when there is no such file or more than one.
    """
    return boot_file(disk, parse_disk(disk))


def boot_file(disk: memoryview, layout: DiskLayout) -> BootFile:
    """Return what `boot_image` does, for who has parsed how this disk is divided. Raises FormatError as it does."""
    volumes = [(at, _volume(at, view)) for at, view in offered_volumes(disk, layout) if resembles_fat(view)]
    found = [candidate for at, volume in volumes for candidate in _candidates(at, volume)]
    _expect_one(found, [at for at, _ in volumes])
    (boots,) = found
    with _said(str(boots), boots.partition.offset):
        image = boots.volume.read(boots.entry)
        findings = (*findings_of_layout(layout, boots.partition), *findings_beside(boots.volume, boots.path))
        listed = boots.volume.listing(r"\EFI\Linux")
    _expect_machine(image, boots)
    unified = tuple(entry.name for entry in listed if not entry.is_folder and entry.name.lower().endswith(".efi"))
    return BootFile(boots.path, boots.partition, image, findings, unified)


def _volume(partition: DiskPartition, view: memoryview) -> FatVolume:
    with _said(str(partition), partition.offset):
        return parse_fat(view)


def _candidates(partition: DiskPartition, volume: FatVolume) -> list[_Candidate]:
    with _said(str(partition), partition.offset):
        entries = [(path, volume.find(path)) for path in BOOT_PATHS]
    return [_Candidate(partition, volume, path, entry) for path, entry in entries if entry is not None]


def _expect_one(found: list[_Candidate], looked_at: list[DiskPartition]) -> None:
    if not found:
        where = ", ".join(map(str, looked_at)) or "none"
        raise FormatError(
            "disk.no-boot-file",
            f"expected {_PATHS} on a FAT volume, found neither; FAT volumes of this disk: {where}",
            spec=_SPEC,
            remedy="Put the unified kernel image there: the firmware has to boot it without a boot option.",
        )
    if len(found) > 1:
        raise FormatError(
            "disk.ambiguous",
            f"expected one file that firmware would boot, found {len(found)}: {'; '.join(map(str, found))}",
            spec=_SPEC,
            remedy="Which of them boots depends on the machine and on its firmware. Leave one on the disk.",
        )


def _expect_machine(image: bytes, boots: _Candidate) -> None:
    with in_boot_file(str(boots)):
        machine = parse_pe(image).machine
    if machine != BOOT_PATHS[boots.path]:
        raise FormatError(
            "disk.wrong-machine",
            f"expected an image for machine {BOOT_PATHS[boots.path]:#06x} in {boots}, found one for {machine:#06x}",
            spec=_SPEC,
            remedy="Firmware would refuse it, and boot nothing. Give the file the name of its machine.",
        )


@contextlib.contextmanager
def in_boot_file(where: str) -> Iterator[None]:
    """Say in errors about the file that boots where it is. Their offset stays one in the file."""
    with _said(where, 0):
        yield


@contextlib.contextmanager
def _said(where: str, start: int) -> Iterator[None]:
    """Say in errors where on the disk they are: in words, and by an offset that counts from the disk's start."""
    try:
        yield
    except FormatError as error:
        offset = None if error.offset is None else start + error.offset
        message = f"in {where}: {error.message}"
        raise FormatError(error.code, message, offset=offset, spec=error.spec, remedy=error.remedy) from error
