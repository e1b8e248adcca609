# SPDX-License-Identifier: Apache-2.0
"""kiwi's hook, run by bash on a folder that stands for the mounted EFI system partition.

losetup, lsblk, findmnt, mount and umount are scripts that answer as the tools do for such a disk; strongroom is ours.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.builder_disks import BUILDERS

from strongroom.formats.pcrs import PcrIndex
from strongroom.imaging.kiwi.scripts import edit_script
from strongroom.measure.predict import measure_image

KIWI = BUILDERS["kiwi"]
SOURCE = str(Path(__file__).parents[4] / "src")
MEASURED = measure_image(KIWI.image, secure_boot=None)


@dataclass
class Build:
    """A build folder with a disk, and the folder where its EFI system partition is mounted."""

    folder: Path

    @property
    def esp(self) -> Path:
        return self.folder / "esp"

    @property
    def measured(self) -> Path:
        return self.folder / "image/pcr_measurements.json"

    def put(self, name: str, content: bytes = b"x") -> None:
        path = self.esp / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def tool(self, name: str, script: str) -> None:
        path = self.folder / "tools" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.esp)) for path in self.esp.rglob("*") if path.is_file())

    def run(self) -> subprocess.CompletedProcess[str]:
        script = self.folder / "script"
        script.write_bytes(edit_script())
        path = f"{self.folder / 'tools'}:{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "--norc", str(script), str(self.folder / "image/acme.raw"), "/dev/loop7p2"],
            env=os.environ | {"PATH": path, "PYTHONPATH": SOURCE},
            capture_output=True,
            text=True,
            check=False,
        )

    def refused(self) -> str:
        done = self.run()
        assert done.returncode != 0, done.stdout
        return done.stderr


@pytest.fixture
def build(tmp_path):
    """What kiwi has made when it calls the hook: systemd-boot, and the image that it would start."""
    made = Build(tmp_path)
    (tmp_path / "image").mkdir()
    made.put("EFI/BOOT/BOOTX64.EFI", KIWI.menu)
    made.put("EFI/systemd/systemd-bootx64.efi", KIWI.menu)
    made.put("EFI/Linux/kiwi.efi", KIWI.image)
    made.put("loader/loader.conf", b"timeout 0\n")
    made.tool("losetup", f'[ "$5" = "{tmp_path}/image/acme.raw" ] && echo /dev/loop7')
    made.tool("lsblk", "printf '/dev/loop7 \\n/dev/loop7p1 vfat\\n/dev/loop7p2 erofs\\n'")
    made.tool("findmnt", f'[ "$6" = /dev/loop7p1 ] && echo {made.esp}')
    made.tool("strongroom", f'exec {sys.executable} -m strongroom "$@"')
    made.tool("mount", "echo unexpected >&2; exit 1")
    return made


def aws_tool(**changes: str) -> str:
    """AWS's tool, which prints JSON of its own form."""
    pcrs = {f"PCR{index}": MEASURED.pcrs[PcrIndex(index)].hex() for index in (4, 7, 12)} | changes
    text = json.dumps({"Measurements": {"HashAlgorithm": "SHA384 { ... }", **pcrs}}, indent=2)
    return f"cat <<'END'\n{text}\nEND"


def test_the_script_is_one_that_shells_read():
    for shell in ("sh", "bash"):
        subprocess.run([shell, "-n"], input=edit_script(), check=True)


@pytest.mark.slow
def test_the_image_is_what_boots_the_menu_is_gone_and_the_measurements_are_those_of_the_image(build):
    done = build.run()
    assert done.returncode == 0, done.stderr
    assert build.files() == ["EFI/BOOT/BOOTX64.EFI"]
    assert (build.esp / "EFI/BOOT/BOOTX64.EFI").read_bytes() == KIWI.image
    pcrs = json.loads(build.measured.read_text())["Measurements"]
    assert pcrs["PCR4"] == MEASURED.pcrs[4].hex()


@pytest.mark.slow
def test_awss_tool_has_to_agree_where_it_is_there(build):
    build.tool("nitro-tpm-pcr-compute", aws_tool())
    assert build.run().returncode == 0
    build.put("EFI/Linux/kiwi.efi", KIWI.image)
    build.tool("nitro-tpm-pcr-compute", aws_tool(PCR4="ab" * 48))
    assert f'nitro-tpm-pcr-compute found "PCR4":"{"ab" * 48}", strongroom another' in build.refused()
    build.put("EFI/Linux/kiwi.efi", KIWI.image)
    build.tool("nitro-tpm-pcr-compute", "echo {}")
    assert "expected PCRs from it" in build.refused()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["EFI/Linux/second.efi"], "expected one unified kernel image in EFI/Linux, found 2"),
        (["EFI/BOOT/BOOTAA64.EFI"], "expected one program that firmware starts, found 2"),
        (["EFI/BOOT/grub.cfg"], "expected nothing beside the image"),
        (["EFI/BOOT/BOOTX64.EFI.extra.d/a.cred"], "expected nothing beside the image"),
    ],
)
def test_anything_else_on_the_partition_fails_the_build(build, names, words):
    for name in names:
        build.put(name)
    assert words in build.refused()
    assert not build.measured.exists()


@pytest.mark.slow
def test_a_partition_without_an_image_fails_the_build(build):
    shutil.rmtree(build.esp / "EFI/Linux")
    assert "expected one unified kernel image in EFI/Linux, found 0" in build.refused()


@pytest.mark.slow
def test_an_image_that_cannot_be_measured_fails_the_build(build):
    build.put("EFI/Linux/kiwi.efi", KIWI.menu)
    assert "uki.no-kernel" in build.refused()
    build.put("EFI/Linux/kiwi.efi", KIWI.image)
    build.tool("strongroom", "echo no >&2; exit 1")
    assert "no" in build.refused()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tool", "script", "words"),
    [
        ("losetup", "true", "expected a loop device"),
        ("lsblk", "echo /dev/loop7p2 erofs", "expected one FAT file system"),
        ("lsblk", "printf '/dev/a vfat\\n/dev/b vfat\\n'", "expected one FAT file system"),
    ],
)
def test_a_disk_that_is_laid_out_otherwise_fails_the_build(build, tool, script, words):
    build.tool(tool, script)
    assert words in build.refused()


@pytest.mark.slow
def test_a_partition_that_is_not_mounted_is_mounted_and_unmounted(build):
    build.tool("findmnt", "exit 1")
    build.tool("mount", f'[ "$1" = /dev/loop7p1 ] && cp -r {build.esp}/. "$2" && echo "$2" > {build.folder}/where')
    build.tool("umount", f'mv "$1"/* {build.folder}/; echo gone > {build.folder}/unmounted')
    assert build.run().returncode == 0
    assert (build.folder / "unmounted").exists()
    assert not Path((build.folder / "where").read_text().strip()).exists()
    assert (build.folder / "EFI/BOOT/BOOTX64.EFI").read_bytes() == KIWI.image
