# SPDX-License-Identifier: Apache-2.0
"""The attacker's changes to a disk, read back by our own strict readers."""

import itertools
import uuid

import pytest

from strongroom.errors import LocalFault
from strongroom.flows.files import map_file
from strongroom.formats.minimal_stub import minimal_kernel, minimal_stub
from strongroom.formats.uki import Architecture, assemble_uki
from strongroom.measure.disk import boot_image
from strongroom.twin.attack import tools
from strongroom.twin.attack.disk import (
    NewPartition,
    add_partition,
    flip,
    layout_of,
    make_disk,
    places_of_disk,
    put_on_esp,
    system_partition,
)

pytestmark = pytest.mark.slow

IMAGE = assemble_uki(
    minimal_stub(Architecture.X86_64, version="252.1"),
    [(".cmdline", b"quiet"), (".linux", minimal_kernel(Architecture.X86_64, release="6.1"))],
)
OTHER = IMAGE + bytes(512)
BOOT_PATH = "EFI/BOOT/BOOTX64.EFI"
VAR = uuid.UUID("4d21b016-b534-45c2-a9fb-5c16e091fd2d")


@pytest.fixture
def disk(tmp_path):
    make_disk(tmp_path / "disk", {BOOT_PATH: IMAGE})
    return tmp_path / "disk"


def booted(disk):
    with map_file(disk, maximum_piped_bytes=0) as view:
        return boot_image(view)


def test_a_disk_boots_what_was_put_on_it(disk):
    assert booted(disk).image == IMAGE


def test_a_file_in_the_place_of_another_boots(disk):
    put_on_esp(disk, {BOOT_PATH: OTHER})
    assert booted(disk).image == OTHER


def test_files_beside_the_image_are_seen_by_the_reader_of_disks(disk):
    put_on_esp(disk, {f"{BOOT_PATH}.extra.d/root.cred": b"x", f"{BOOT_PATH}.extra.d/evil.raw": b"y" * 5000})
    found = " ".join(finding.message for finding in booted(disk).findings)
    assert "root.cred" in found
    assert "evil.raw" in found


def test_a_partition_is_added_behind_the_others(disk):
    before = disk.stat().st_size
    offset = add_partition(disk, NewPartition(VAR, b"attacker's" * 1000, "var"))
    *_, added = layout_of(disk).partitions
    assert (added.offset, added.kind, added.name) == (offset, str(VAR), "var")
    assert disk.read_bytes()[offset : offset + 10_000] == b"attacker's" * 1000
    assert disk.stat().st_size > before
    assert booted(disk).image == IMAGE


def test_one_byte_is_flipped_and_flipped_back(disk):
    before = disk.read_bytes()
    flip(disk, 1_234_567)
    after, at = disk.read_bytes(), 1_234_567
    assert (after[:at], after[at + 1 :]) == (before[:at], before[at + 1 :])
    assert after[at] == before[at] ^ 1
    flip(disk, at)
    assert disk.read_bytes() == before
    with pytest.raises(LocalFault, match="the end of the disk"):
        flip(disk, len(before))


def test_every_byte_of_a_disk_is_a_place_to_search(disk):
    add_partition(disk, NewPartition(VAR, b"data"))
    places = places_of_disk(disk, "disk")
    assert places[0].start == 0
    assert all(one.end == following.start for one, following in itertools.pairwise(places))
    assert places[-1].end == disk.stat().st_size
    assert sum("partition" in each.name for each in places) == 2


def test_a_disk_without_a_system_partition_is_refused(disk):
    tools.run_tool("sfdisk", "--quiet", "--part-type", disk, "1", str(VAR))
    with pytest.raises(LocalFault, match="one EFI system partition"):
        system_partition(disk)


def test_a_missing_program_names_its_package(monkeypatch):
    monkeypatch.setattr(tools.shutil, "which", lambda *_, **__: None)
    with pytest.raises(LocalFault, match="sfdisk") as caught:
        tools.expect_tools(["sfdisk"])
    assert caught.value.remedy == "Install the Debian package fdisk."


def test_a_program_that_fails_says_why(disk):
    with pytest.raises(LocalFault, match=r"sfdisk failed: .*cannot open"):
        tools.run_tool("sfdisk", disk / "nothing")
