# SPDX-License-Identifier: Apache-2.0
"""Which program OVMF starts from a disk, without any boot option, against what we say it starts.

The programs write a word to the serial port and end the machine. Disks that we refuse are started too: each shows that
the firmware would have found something that a simpler reader does not see.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
from tests.boot.machine import FIRMWARE
from tests.disks import LINUX, gpt_disk, make_mbr, mbr_disk, partition, record
from tests.fat_volumes import make_fat
from tests.images import make_pe
from tests.processes import program

from strongroom.errors import FormatError
from strongroom.formats.gpt import ATTRIBUTE_NO_BLOCK_IO
from strongroom.measure.disk import boot_image

pytestmark = pytest.mark.slow

SECONDS = 90
SERIAL_PORT, EXIT_PORT = 0x3F8, 0x501
OUTCOME = re.compile(rb"\[(\w+)\]\n|UEFI (Interactive) Shell")
"""The word of a program, or the shell, which OVMF starts when no disk boots."""


def says(word: str) -> bytes:
    """An EFI program: mov dx, port; mov al, letter; out dx, al for each letter; then the same to the exit device."""
    code = b"\x66\xba" + SERIAL_PORT.to_bytes(2, "little")
    code += b"".join(b"\xb0" + bytes([letter]) + b"\xee" for letter in f"\n[{word}]\n".encode())
    code += b"\x66\xba" + EXIT_PORT.to_bytes(2, "little") + b"\xb0\x00\xee\xeb\xfe"
    return make_pe([(".text", code)])


def volume(word: str, **layout: object) -> bytes:
    return make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": says(word)}}}, **layout).data  # type: ignore[arg-type]


FIRST, SECOND = volume("first", kind=16), volume("second", kind=16)
AFTER = 64 + len(FIRST) // 512


def one() -> bytes:
    return gpt_disk(partition(FIRST))


def with_hidden_volume() -> bytes:
    """A volume over a whole disk whose boot sector is a master boot record too, of a volume inside it."""
    disk, inner = bytearray(volume("outer", kind=16, clusters=20_000)), volume("inner")
    start = len(disk) // 512 - len(inner) // 512 - 8
    disk[start * 512 : start * 512 + len(inner)] = inner
    disk[446:462] = record(6, start, len(inner) // 512)
    return bytes(disk)


def started(disk: bytes, folder: Path, *, sector: int = 512) -> str:
    """Return the word of the program that the firmware started, nothing where it gave up and started its shell."""
    (folder / "disk").write_bytes(disk)
    command = [
        program("qemu-system-x86_64"),
        *("-machine", "q35", "-accel", "tcg", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot"),
        *("-serial", "stdio", "-net", "none", "-device", f"isa-debug-exit,iobase={EXIT_PORT:#x},iosize=1"),
        *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE / 'OVMF_CODE_4M.fd'}"),
        *("-drive", f"if=pflash,format=raw,unit=1,snapshot=on,file={FIRMWARE / 'OVMF_VARS_4M.fd'}"),
        *("-drive", f"if=none,id=disk,format=raw,snapshot=on,file={folder / 'disk'}"),
        "-device",
        f"virtio-blk-pci,drive=disk,bootindex=1,logical_block_size={sector},physical_block_size={sector}",
    ]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as emulator:
        overdue = threading.Timer(SECONDS, emulator.kill)
        overdue.start()
        try:
            output, outcome = b"", None
            while outcome is None and (more := os.read(emulator.stdout.fileno(), 4096)):  # type: ignore[union-attr]
                output += more
                outcome = OUTCOME.search(output)
        finally:
            overdue.cancel()
            emulator.kill()
    assert outcome, f"neither a program nor the shell:\n{output.decode('ascii', 'replace')[-2000:]}"
    return (outcome[1] or b"").decode()


@pytest.mark.parametrize(
    ("make", "sector"),
    [
        (one, 512),
        (lambda: gpt_disk(partition(FIRST, kind=LINUX)), 512),
        (lambda: gpt_disk(partition(make_fat({}, kind=16).data), partition(FIRST, first=AFTER)), 512),
        (lambda: gpt_disk(partition(volume("first", kind=32, scattered=True), first=2048)), 512),
        (lambda: gpt_disk(partition(volume("first", sector=4096), sector=4096), sector=4096), 4096),
        (lambda: volume("first"), 512),
        (lambda: mbr_disk((0x06, FIRST)), 512),
        (lambda: gpt_disk(partition(SECOND, attributes=ATTRIBUTE_NO_BLOCK_IO), partition(FIRST, first=AFTER)), 512),
    ],
    ids=["EFI system partition", "another type", "the second volume", "FAT32 in pieces", "sectors of 4 KiB",
         "whole disk", "master boot record", "beside a withheld one"],
)  # fmt: skip
def test_firmware_starts_the_file_that_we_say(make, sector, tmp_path):
    disk = make()
    assert boot_image(memoryview(disk)).image == says("first")
    assert started(disk, tmp_path, sector=sector) == "first"


@pytest.mark.attack("B6")
@pytest.mark.parametrize(
    ("make", "code", "word"),
    [
        (lambda: gpt_disk(partition(FIRST), partition(SECOND, first=AFTER)), "disk.ambiguous", "first"),
        (lambda: gpt_disk(partition(SECOND), partition(FIRST, first=AFTER)), "disk.ambiguous", "second"),
        (lambda: gpt_disk(partition(mbr_disk((6, FIRST)), kind=LINUX)), "disk.nested", "first"),
        (lambda: gpt_disk(partition(gpt_disk(partition(FIRST)), kind=LINUX)), "disk.nested", "first"),
        (with_hidden_volume, "disk.two-layouts", "outer"),  # and "inner" from an NVMe disk
        (lambda: one()[:512] + bytes(512) + one()[1024:], "gpt.no-primary", "first"),
        (lambda: gpt_disk(partition(FIRST[:510] + bytes(2) + FIRST[512:], kind=LINUX)), "fat.signature", "first"),
    ],
    ids=["two volumes", "two volumes, swapped", "a record in a partition", "a table in a partition",
         "a record in a volume", "the backup table", "a volume without signature"],
)  # fmt: skip
def test_what_we_refuse_firmware_would_have_started(make, code, word, tmp_path):
    disk = make()
    with pytest.raises(FormatError) as caught:
        boot_image(memoryview(disk))
    assert caught.value.code == code
    assert started(disk, tmp_path) == word


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: gpt_disk(partition(FIRST, attributes=ATTRIBUTE_NO_BLOCK_IO)), "disk.no-boot-file"),
        (lambda: make_mbr() + one()[512:], "mbr.not-protective"),
        (lambda: gpt_disk(partition(volume("first", kind=32, clusters=4_000))), "fat.kind"),
    ],
    ids=["a withheld partition", "a table that nothing protects", "FAT32 with few clusters"],
)
def test_what_we_call_not_bootable_firmware_does_not_start(make, code, tmp_path):
    disk = make()
    with pytest.raises(FormatError) as caught:
        boot_image(memoryview(disk))
    assert caught.value.code == code
    assert started(disk, tmp_path) == ""
