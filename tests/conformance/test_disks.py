# SPDX-License-Identifier: Apache-2.0
"""Disks made by sfdisk, mkfs.vfat and mcopy, as images are built: each is measured as the image on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.images import make_uki
from tests.mtools import make_volume, run

from strongroom.formats.minimal_stub import minimal_kernel, minimal_stub
from strongroom.formats.uki import Architecture, assemble_uki

pytestmark = pytest.mark.slow

MEBIBYTE = 1 << 20
SOURCE = str(Path(__file__).parents[2] / "src")
ROOT_HASH = "0123456789abcdef" * 4


def uuid_of(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def arm_uki() -> bytes:
    stub = minimal_stub(Architecture.ARM64, version="257.9")
    kernel = minimal_kernel(Architecture.ARM64, release="6.12")
    return assemble_uki(stub, [(".osrel", b"ID=test\n"), (".linux", kernel), (".initrd", b"initrd" * 999)])


IMAGES = {"BOOTX64.EFI": make_uki(initrd=os.urandom(3 * MEBIBYTE)), "BOOTAA64.EFI": arm_uki()}


def build_disk(folder: Path, name: str, image: bytes, *, esp_mebibytes: int = 48, root_mebibytes: int = 3) -> Path:
    """An EFI system partition, a root and its dm-verity hashes, which take their GUIDs from the root hash."""
    (folder / "uki.efi").write_bytes(image)
    esp = make_volume(folder / "esp.img", esp_mebibytes * MEBIBYTE, "-n", "ESP", "-i", "12345678")
    run("mmd", "-i", esp, "::/EFI", "::/EFI/BOOT")
    run("mcopy", "-m", "-i", esp, folder / "uki.efi", f"::/EFI/BOOT/{name}")
    disk, verity = folder / "disk.img", 1 + esp_mebibytes + root_mebibytes
    with disk.open("wb") as file:
        file.truncate((verity + 2) * MEBIBYTE)
    table = f"""label: gpt
        label-id: 33333333-4444-5555-6666-777777777777
        start=1MiB, size={esp_mebibytes}MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name=esp
        start={1 + esp_mebibytes}MiB, size={root_mebibytes}MiB, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709, \
name=root, uuid={uuid_of(ROOT_HASH[:32])}
        start={verity}MiB, size=1MiB, type=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5, \
name=verity, uuid={uuid_of(ROOT_HASH[32:].replace("0", "f"))}
        """
    run("sfdisk", "-q", disk, stdin="\n".join(line.strip() for line in table.splitlines()))
    with disk.open("r+b") as file:
        file.seek(MEBIBYTE)
        file.write(esp.read_bytes())
    return disk


def measured(path: Path, *options: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "strongroom", "measure", "--json", str(path), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": SOURCE})
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("name", IMAGES)
def test_a_disk_is_measured_as_the_image_that_was_put_on_it(name, tmp_path):
    disk = build_disk(tmp_path, name, IMAGES[name])
    of_disk, of_image = measured(disk), measured(tmp_path / "uki.efi")
    assert of_disk["measurements"] == of_image["measurements"]
    assert of_disk["source"]["path"] == f"\\EFI\\BOOT\\{name}"
    assert of_disk["source"]["partition"]["number"] == 1
    assert of_disk["source"]["partition"]["name"] == "esp"
    assert of_disk["findings"] == []


@pytest.mark.parametrize("name", IMAGES)
def test_the_volume_alone_is_measured_as_the_image_too(name, tmp_path):
    build_disk(tmp_path, name, IMAGES[name])
    assert measured(tmp_path / "esp.img")["measurements"] == measured(tmp_path / "uki.efi")["measurements"]


@pytest.mark.parametrize("form", ["qcow2", "vmdk", "vhdx", "vpc", "vdi"])
def test_the_remedy_for_a_disk_in_another_format_works(form, tmp_path):
    disk = build_disk(tmp_path, "BOOTX64.EFI", IMAGES["BOOTX64.EFI"])
    other = tmp_path / f"other.{form}"
    run(
        "qemu-img", "convert", "-f", "raw", "-O", form, *(["-o", "force_size=on"] if form == "vpc" else []), disk, other
    )
    command = [sys.executable, "-m", "strongroom", "measure", "--json", str(other)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": SOURCE})
    assert done.returncode == 3
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "measure.not-an-image"
    subprocess.run(error["remedy"].split(": ")[1].split(), check=True, cwd=tmp_path)
    assert measured(tmp_path / "other.raw")["measurements"] == measured(disk)["measurements"]


@pytest.mark.attack("B19")
def test_a_disk_of_ten_gigabytes_costs_the_memory_of_its_image(tmp_path):
    disk = build_disk(tmp_path, "BOOTX64.EFI", IMAGES["BOOTX64.EFI"], root_mebibytes=10 << 10)
    assert disk.stat().st_size > 10 << 30
    code = "import pathlib, runpy, sys; sys.argv[0] = 'strongroom'\n"
    code += "try: runpy.run_module('strongroom', run_name='__main__')\n"
    code += (
        "finally: print(pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0], file=sys.stderr)"
    )
    for command in ("measure", "inspect"):
        arguments = [sys.executable, "-c", code, command, str(disk)]
        environment = os.environ | {"PYTHONPATH": SOURCE}
        done = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment)
        assert "BOOTX64.EFI" in done.stdout
        assert int(done.stderr.split()[-1]) < 200 << 10  # KiB


@pytest.mark.attack("B5")
def test_a_table_that_was_repaired_by_its_tool_is_read_and_one_cut_short_is_not(tmp_path):
    disk = build_disk(tmp_path, "BOOTX64.EFI", IMAGES["BOOTX64.EFI"])
    expected = measured(disk)["measurements"]
    with disk.open("r+b") as file:
        file.truncate(disk.stat().st_size + MEBIBYTE)
    command = [sys.executable, "-m", "strongroom", "measure", "--json", str(disk)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": SOURCE})
    error = json.loads(done.stdout)["error"]
    assert error["code"].startswith(("gpt.", "mbr."))
    run("sfdisk", "-q", disk, stdin=run("sfdisk", "--dump", disk))
    assert measured(disk)["measurements"] == expected
