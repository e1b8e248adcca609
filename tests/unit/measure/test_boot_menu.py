# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.builder_disks import BUILDERS, systemd_boot
from tests.disks import gpt_disk, partition
from tests.fat_volumes import Tree, make_fat
from tests.images import make_pe, make_uki

from strongroom.errors import FormatError
from strongroom.measure.boot_menu import expect_no_menu
from strongroom.measure.disk import boot_image


def with_linux(image: bytes, folder: Tree) -> bytes:
    return gpt_disk(partition(make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": image}, "Linux": folder}}).data))


def refused(disk: bytes) -> FormatError:
    boots = boot_image(memoryview(disk))
    with pytest.raises(FormatError) as caught:
        expect_no_menu(boots)
    return caught.value


@pytest.mark.parametrize("builder", BUILDERS.values(), ids=BUILDERS)
def test_an_image_that_the_firmware_boots_is_no_menu(builder):
    boots = boot_image(memoryview(builder.direct()))
    expect_no_menu(boots)
    assert (boots.image, boots.unified) == (builder.image, ())


@pytest.mark.attack("B6")
@pytest.mark.parametrize("builder", BUILDERS.values(), ids=BUILDERS)
def test_a_menu_is_refused_and_what_it_would_start_is_named(builder):
    error = refused(builder.with_menu())
    assert error.code == "disk.boot-menu"
    assert rf"\EFI\Linux\{builder.name}" in error.message
    assert "docs/disks.md" in str(error.remedy)


def test_a_menu_says_which_one_it_is():
    assert "found systemd-boot 257.9-1~deb13u1, which starts" in refused(BUILDERS["mkosi"].with_menu()).message
    assert "found another program, which starts" in refused(BUILDERS["kiwi"].with_menu()).message


def test_a_menu_without_anything_to_start_is_a_menu():
    message = refused(with_linux(systemd_boot(b"257"), {})).message
    assert "systemd-boot 257" in message
    assert "nothing that was found" in message


def test_only_images_count_as_what_a_menu_would_start():
    boots = boot_image(memoryview(with_linux(make_pe(), {"notes.txt": b"x", "folder.efi": {}})))
    expect_no_menu(boots)
    assert boots.unified == ()
    assert refused(with_linux(make_pe(), {"A.EFI": make_uki()})).code == "disk.boot-menu"


def test_an_image_beside_which_a_menu_would_find_one_is_told_as_a_finding():
    boots = boot_image(memoryview(BUILDERS["nixos"].doubled()))
    expect_no_menu(boots)
    assert [finding.code for finding in boots.findings] == ["disk.second-loader"]


def test_another_program_without_anything_to_start_is_left_to_whoever_reads_images():
    for program in (make_pe(), make_uki(drop=[".linux"])):
        expect_no_menu(boot_image(memoryview(with_linux(program, {}))))
