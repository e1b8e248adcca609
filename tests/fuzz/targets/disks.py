# SPDX-License-Identifier: Apache-2.0
"""Raw disks: partition tables, FAT volumes, and the program that would boot."""

import contextlib
import zlib

from tests.disks import LINUX, Part, gpt_disk, mbr_disk, partition
from tests.fat_volumes import Tree, make_fat
from tests.fuzz.target import Target
from tests.images import make_pe

from strongroom.errors import FormatError, NotTrusted
from strongroom.formats.fat import parse_fat
from strongroom.formats.gpt import parse_gpt
from strongroom.measure.boot_menu import expect_no_menu
from strongroom.measure.disk import boot_image

SECTOR_BYTES = 512
LOADER = r"\EFI\BOOT\BOOTX64.EFI"
VOLUME = make_fat(
    {"EFI": {"BOOT": {"BOOTX64.EFI": make_pe()}}, "a long name.txt": b"x"}, clusters=12, tables=1, root_entries=16
).data


def gpt(data: bytes) -> None:
    """As it is; then with checksums that hold, as a mutation hardly ever has them."""
    with contextlib.suppress(FormatError):
        parse_gpt(memoryview(data))
    table = parse_gpt(memoryview(resealed(data)))
    assert all(part.last_lba < len(data) // table.sector_bytes for part in table.partitions)


def resealed(data: bytes) -> bytes:
    """Return a disk with right checksums in both headers, as far as there are headers."""
    disk = bytearray(data)
    for header in (SECTOR_BYTES, len(disk) // SECTOR_BYTES * SECTOR_BYTES - SECTOR_BYTES):
        if header < SECTOR_BYTES or len(disk) < header + 92:
            continue
        place, count, size = (int.from_bytes(disk[header + at : header + at + 4], "little") for at in (72, 80, 84))
        array = disk[place * SECTOR_BYTES : place * SECTOR_BYTES + min(count * size, len(disk))]
        disk[header + 88 : header + 92] = zlib.crc32(array).to_bytes(4, "little")
        disk[header + 16 : header + 20] = bytes(4)
        length = min(int.from_bytes(disk[header + 12 : header + 16], "little"), SECTOR_BYTES)
        disk[header + 16 : header + 20] = zlib.crc32(disk[header : header + length]).to_bytes(4, "little")
    return bytes(disk)


def fat(data: bytes) -> None:
    """Every file of the volume has as many bytes as its entry says."""
    volume = parse_fat(memoryview(data))
    for entries in volume.folders.values():
        for entry in entries:
            if not entry.is_folder:
                assert len(volume.read(entry)) == entry.size_bytes
    volume.find(LOADER)


def whole(data: bytes) -> None:
    with contextlib.suppress(FormatError, NotTrusted):
        expect_no_menu(boot_image(memoryview(data)))
    expect_no_menu(boot_image(memoryview(resealed(data))))


def tables() -> list[bytes]:
    return [gpt_disk(Part(4, 9, "esp"), Part(10, 11, "root", LINUX), entries=4)]


def disks() -> list[bytes]:
    return [gpt_disk(partition(VOLUME, first=3), entries=4), mbr_disk((0xEF, VOLUME), first=1), VOLUME]


def crowded() -> list[bytes]:
    """As many files, long names, folders in folders and partitions as fit."""
    deep: Tree = {}
    for _ in range(50):
        deep = {"D": deep}
    trees: list[Tree] = [
        {f"F{number}": b"x" for number in range(80)},
        {f"{number:0255}": b"" for number in range(20)},
        {f"D{number}": {} for number in range(80)},
        deep,
    ]
    volumes = [make_fat(tree, clusters=86, tables=1, root_entries=512).data for tree in trees]
    many = [Part(number, number, f"p{number}") for number in range(24, 70)]
    inside = [gpt_disk(partition(volume, first=3), entries=4) for volume in volumes]
    return [*volumes, *inside, gpt_disk(*many, entries=80), gpt_disk(entries=160)]


TARGETS = (
    Target("disks.gpt", gpt, tables, max_bytes=8_192, worst=crowded),
    Target("disks.fat", fat, lambda: [VOLUME], max_bytes=8_192, worst=crowded),
    Target("disks.whole", whole, disks, (FormatError, NotTrusted), max_bytes=16_384, worst=crowded),
)
