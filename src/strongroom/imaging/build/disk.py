# SPDX-License-Identifier: Apache-2.0
"""The disk: GPT, an EFI system partition with one program in it, the root and its hash tree, and perhaps state.

Types of partitions are those of the Discoverable Partitions Specification (UAPI.2), and so are the halves of the root
hash as the unique ids of the two partitions of the root.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.imaging.build.filesystems import VerityRoot, fixed_uuid
from strongroom.imaging.build.workshop import Workshop

BOOT_PATH = "EFI/BOOT/BOOTX64.EFI"
"""What firmware starts of a disk that no boot option names (UEFI 2.10, section 3.5.1.1)."""
ROOT, VERITY, STATE = "root", "verity", "state"
_TYPES = {
    "esp": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
    ROOT: "4f68bce3-e8cd-4db1-96e7-fbcaf984b709",
    VERITY: "2c7357ed-ebd2-46d9-aec1-23d437ec2bf5",
    STATE: "ca7d7ccb-63ed-4c53-861c-1742536059cc",
}
"""EFI system, root and root verity for x86-64, and LUKS."""
_MIB = 1 << 20
_SMALLEST_ESP_MIB = 48
"""A FAT32 volume has at least 65,525 clusters, which takes 33 MiB (Microsoft, FAT specification, section 3.5)."""
_SERIAL = "53545247"
"""Of the FAT volume: any fixed number."""
_COPIED_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class _Partition:
    name: str
    unique: str
    size_mib: int
    contents: Path | None


def make_disk(
    image: bytes, root: VerityRoot, name: str, *, state_mib: int, destination: Path, workshop: Workshop
) -> None:
    """Write the disk with this UKI and root. `state_mib` is 0 for no state. Raises LocalFault."""
    esp = _esp(image, workshop)
    first, second = root.root_hash[:32], root.root_hash[32:]
    partitions = [
        _Partition("esp", str(fixed_uuid(f"{name} esp")), _mib(esp), esp),
        _Partition(ROOT, _uuid(first), _mib(root.data), root.data),
        _Partition(VERITY, _uuid(second), _mib(root.hashes), root.hashes),
    ]
    if state_mib:
        partitions.append(_Partition(STATE, str(fixed_uuid(f"{name} state")), state_mib, None))
    destination.touch()
    os.truncate(destination, (1 + sum(each.size_mib for each in partitions) + 1) * _MIB)
    table = "".join(f"{line}\n" for line in _table(name, partitions))
    workshop.run("partitioning the disk", ["sfdisk", "--quiet", str(destination.absolute())], given=table.encode())
    _copy(partitions, destination)


def _esp(image: bytes, workshop: Workshop) -> Path:
    esp, program = workshop.folder / "esp.img", workshop.folder / "image.efi"
    program.write_bytes(image)
    os.utime(program, (workshop.epoch, workshop.epoch))
    size_mib = max(_SMALLEST_ESP_MIB, _mib(program) + 8)
    esp.touch()
    os.truncate(esp, size_mib * _MIB)
    step = "writing the EFI system partition"
    workshop.run(step, ["mkfs.vfat", "--invariant", "-F", "32", "-n", "ESP", "-i", _SERIAL, str(esp)])
    workshop.run(step, ["mmd", "-i", str(esp), "::/EFI", "::/EFI/BOOT"])
    workshop.run(step, ["mcopy", "-m", "-i", str(esp), str(program), f"::/{BOOT_PATH}"])
    return esp


def _mib(file: Path) -> int:
    return -(-file.stat().st_size // _MIB)


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _table(name: str, partitions: Sequence[_Partition]) -> Iterator[str]:
    yield "label: gpt"
    yield f"label-id: {fixed_uuid(f'{name} disk')}"
    start = 1
    for each in partitions:
        place = f"start={start}MiB, size={each.size_mib}MiB"
        yield f"{place}, type={_TYPES[each.name]}, name={each.name}, uuid={each.unique}"
        start += each.size_mib


def _copy(partitions: Sequence[_Partition], disk: Path) -> None:
    """Write the partitions' contents, zeros as holes."""
    start = 1
    with disk.open("r+b") as out:
        for each in partitions:
            if each.contents is not None:
                _copy_one(each.contents, out.fileno(), start * _MIB)
            start += each.size_mib


def _copy_one(source: Path, out: int, at: int) -> None:
    with source.open("rb") as file:
        while piece := file.read(_COPIED_BYTES):
            if piece.count(0) < len(piece):
                os.pwrite(out, piece, at)
            at += len(piece)
