# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid

import pytest
from tests.disks import LINUX, VAR, Part, gpt_disk, make_mbr, mbr_disk, partition, record
from tests.fat_volumes import Tree, make_fat
from tests.images import AARCH64, make_pe, make_uki

from strongroom.errors import FormatError
from strongroom.formats.gpt import ATTRIBUTE_NO_BLOCK_IO
from strongroom.measure.disk import BOOT_PATHS, BootFile, boot_image, in_boot_file
from strongroom.measure.disk_layout import Scheme, offered_volumes, parse_disk
from strongroom.measure.predict import measure_image

UKI = make_uki()
X64, AA64 = BOOT_PATHS
ARM_PROGRAM = make_pe(machine=AARCH64)


def esp(image: bytes = UKI, name: str = "BOOTX64.EFI", **beside: object) -> bytes:
    """An EFI system partition with this image, and what lies beside it in the root."""
    return make_fat({"EFI": {"BOOT": {name: image}}, **beside}).data  # type: ignore[dict-item]


ESP = esp()
DISK = gpt_disk(partition(ESP, name="esp"), Part(500, 600, "root", LINUX))


def boots(disk: bytes) -> BootFile:
    return boot_image(memoryview(disk))


def refused(disk: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        boots(disk)
    return caught.value


def codes(disk: bytes) -> list[str]:
    return [finding.code for finding in boots(disk).findings]


def test_the_image_on_the_efi_system_partition_boots():
    found = boots(DISK)
    assert (found.path, found.image) == (X64, UKI)
    assert (found.partition.number, found.partition.name, found.partition.offset) == (1, "esp", 64 * 512)
    assert found.partition.words == "EFI system partition"
    assert found.findings == ()
    assert str(found) == f'{X64} on partition 1 ("esp")'


def test_a_disk_and_its_image_have_the_same_measurements():
    assert measure_image(boots(DISK).image, secure_boot=None) == measure_image(UKI, secure_boot=None)


def test_an_image_for_arm_boots_by_its_own_name():
    found = boots(gpt_disk(partition(esp(ARM_PROGRAM, "BOOTAA64.EFI"))))
    assert (found.path, found.image) == (AA64, ARM_PROGRAM)


@pytest.mark.parametrize("kind", [12, 16, 32])
def test_the_partition_may_be_of_any_fat_and_its_names_in_any_case(kind):
    volume = make_fat({"efi": {"Boot": {"bootx64.efi": UKI}}}, kind=kind, scattered=True).data
    assert boots(gpt_disk(partition(volume, first=2048))).image == UKI


def test_a_disk_of_larger_sectors_boots_where_sectors_are_larger():
    found = boots(gpt_disk(partition(ESP, sector=4096), sector=4096))
    assert found.image == UKI
    assert [finding.code for finding in found.findings] == ["disk.sector-size"]


def test_a_disk_without_partitions_boots_from_its_one_volume():
    found = boots(ESP)
    assert (found.image, str(found.partition), found.findings) == (UKI, "the whole disk", ())


def test_a_disk_that_a_master_boot_record_divides_boots_too():
    found = boots(mbr_disk((0xEF, ESP), (0x83, bytes(5_000))))
    assert (found.image, found.partition.number, found.findings) == (UKI, 1, ())
    assert str(found.partition) == "partition 1"
    assert codes(mbr_disk((0x0C, ESP))) == ["disk.not-efi-system"]


def test_firmware_looks_at_fat_volumes_of_any_type():
    disk = gpt_disk(partition(ESP, kind=LINUX))
    assert boots(disk).image == UKI
    assert codes(disk) == ["disk.not-efi-system"]


def test_a_volume_without_the_file_is_no_hindrance():
    empty = make_fat({"EFI": {"OTHER": {}}}).data
    assert boots(gpt_disk(partition(empty), partition(ESP, first=200))).partition.number == 2


@pytest.mark.attack("B6")
@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ([partition(ESP, name="a"), partition(ESP, first=200, name="b")], ['1 ("a")', '2 ("b")']),
        ([partition(ESP, name='a"b'), partition(ESP, first=200, name='"')], [r'1 ("a\x22b")', r'2 ("\x22")']),
        ([partition(ESP), partition(ESP, first=200, kind=LINUX)], ["partition 1", "partition 2"]),
        ([partition(ESP), partition(esp(ARM_PROGRAM, "BOOTAA64.EFI"), first=200)], ["BOOTX64", "BOOTAA64"]),
        (
            [partition(make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": UKI, "BOOTAA64.EFI": ARM_PROGRAM}}}).data)],
            ["BOOTX64", "BOOTAA64"],
        ),
    ],
)
def test_more_than_one_candidate_is_refused_and_all_are_named(parts, named):
    error = refused(gpt_disk(*parts))
    assert error.code == "disk.ambiguous"
    assert all(words in error.message for words in named)
    assert error.remedy


def test_a_partition_that_firmware_must_not_offer_does_not_count():
    hidden = partition(ESP, first=200, attributes=ATTRIBUTE_NO_BLOCK_IO)
    assert boots(gpt_disk(partition(ESP), hidden)).partition.number == 1
    assert refused(gpt_disk(hidden)).code == "disk.no-boot-file"


@pytest.mark.parametrize(
    "disk",
    [
        gpt_disk(),
        gpt_disk(Part(30, 40)),
        gpt_disk(partition(make_fat({}).data)),
        gpt_disk(partition(make_fat({"EFI": {"BOOT": b"a file"}}).data)),
        gpt_disk(partition(esp(name="OTHER.EFI"))),
        make_fat({}).data,
        mbr_disk((0xEF, bytes(5_000))),
    ],
)
def test_a_disk_without_the_file_boots_nothing(disk):
    assert refused(disk).code == "disk.no-boot-file"


def test_a_disk_that_boots_nothing_names_the_volumes_looked_at():
    message = refused(gpt_disk(Part(30, 40), partition(make_fat({}).data, name="esp"))).message
    assert 'partition 2 ("esp")' in message
    assert "partition 1" not in message


@pytest.mark.parametrize("disk", [bytes(100), bytes(4_096), b"\xff" * 4_096, make_mbr(), make_pe()])
def test_what_is_no_disk_is_refused(disk):
    assert refused(disk).code.startswith("mbr.")


def test_an_image_for_another_machine_than_its_name_says_is_refused():
    assert refused(gpt_disk(partition(esp(ARM_PROGRAM)))).code == "disk.wrong-machine"
    assert refused(gpt_disk(partition(esp(UKI, "BOOTAA64.EFI")))).code == "disk.wrong-machine"


def test_a_boot_file_that_is_no_program_is_refused_with_its_place():
    error = refused(gpt_disk(partition(esp(b"no program"), name="esp")))
    assert error.code == "pe.no-mz"
    assert f'in {X64} on partition 1 ("esp")' in error.message


def test_a_folder_where_the_image_should_be_is_refused():
    assert refused(gpt_disk(partition(make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": {}}}}).data))).code == "fat.folder"


def test_an_error_in_a_volume_counts_from_the_disks_start_and_names_the_partition():
    broken = make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": UKI}}})
    place = broken.entries["/EFI/BOOT/BOOTX64.EFI"]
    error = refused(gpt_disk(partition(broken.patched(place, b"bootx64"), name="esp")))
    assert (error.code, error.offset) == ("fat.short-name", 64 * 512 + place)
    assert 'in partition 1 ("esp")' in error.message


@pytest.mark.parametrize("name", ["EF\u0131", "\u0131EFI"])
def test_a_lookalike_of_the_boot_folder_is_refused_and_other_names_are_not(name):
    disk = gpt_disk(partition(make_fat({name: {"BOOT": {"BOOTX64.EFI": UKI}}}).data))
    assert refused(disk).code == ("fat.lookalike" if name == "EF\u0131" else "disk.no-boot-file")


@pytest.mark.attack("B19")
def test_a_volume_that_firmware_would_try_and_we_cannot_read_is_refused_wherever_it_is():
    damaged = make_fat({}).patched(510, b"\0\0")
    assert refused(gpt_disk(partition(ESP), partition(damaged, first=200, kind=LINUX))).code == "fat.signature"


@pytest.mark.attack("B5")
@pytest.mark.parametrize(
    ("disk", "code"),
    [
        (ESP[:446] + record(6, 1, 5) + ESP[462:], "disk.two-layouts"),
        (ESP[:446] + DISK[446:512] + DISK[512:], "disk.two-layouts"),
        (ESP[:446] + record(0xEE, 1, 5) + ESP[462:], "gpt.none"),
        (gpt_disk(partition(mbr_disk((0xEF, ESP)))), "disk.nested"),
        (gpt_disk(partition(ESP[:446] + record(6, 1, 5) + ESP[462:])), "disk.nested"),
        (gpt_disk(partition(gpt_disk(partition(ESP)))), "disk.nested"),
        (gpt_disk(partition(ESP), partition(mbr_disk((0xEF, ESP)), first=200, kind=LINUX)), "disk.nested"),
        (mbr_disk((0x83, mbr_disk((0xEF, ESP)))), "disk.nested"),
        (gpt_disk(partition(ESP), partition(bytes(32_769) + b"CD001" + bytes(9_000), first=200)), "disk.optical"),
        (gpt_disk(partition(ESP), partition(bytes(34_817) + b"BEA01" + bytes(9_000), first=200)), "disk.optical"),
        (ESP + bytes(36_865 - len(ESP)) + b"CD001" + bytes(2_042), "disk.optical"),
        (DISK[:512] + make_fat({}).data[512:1024] + DISK[1024:], "gpt.no-primary"),
        (make_mbr(*[record(6, 63, 10)]).ljust(100 * 512, b"\0")[:512] + DISK[512:], "mbr.not-protective"),
    ],
)
def test_a_disk_that_can_be_read_in_two_ways_is_refused(disk, code):
    assert refused(disk).code == code


def test_boot_code_that_reaches_into_the_records_is_no_partition():
    """The boot sectors that Windows writes have their texts there."""
    text = b"\r\nDisk error\xff\r\nPress any key to restart\r\n".ljust(64, b" ")
    windows = ESP[:446] + text[:64] + ESP[510:]
    assert boots(gpt_disk(partition(windows))).image == boots(windows).image == UKI


def beside(tree: Tree) -> list[str]:
    return codes(gpt_disk(partition(make_fat(merged({"EFI": {"BOOT": {"BOOTX64.EFI": UKI}}}, tree)).data)))


def merged(one: Tree, other: Tree) -> Tree:
    both = dict(one)
    for name, value in other.items():
        known = both.get(name, b"")
        both[name] = value if isinstance(known, bytes) or isinstance(value, bytes) else merged(known, value)
    return both


def extra(*names: str) -> Tree:
    return {"EFI": {"BOOT": {"BOOTX64.EFI.extra.d": dict.fromkeys(names, b"x")}}}


@pytest.mark.attack("B2")
@pytest.mark.attack("B3")
@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (extra("root.cred"), ["disk.credential"]),
        (extra("ROOT.CRED"), ["disk.credential"]),
        (extra("a.raw"), ["disk.extension"]),
        (extra("a.sysext.raw"), ["disk.extension"]),
        (extra("a.confext.raw"), ["disk.configuration-extension"]),
        (extra("a.addon.efi"), ["disk.addon"]),
        (extra("a.efi", "a.txt", "cred", "raw", "x.cred.old"), []),
        (
            extra("a.cred", "b.raw", "c.confext.raw"),
            ["disk.credential", "disk.extension", "disk.configuration-extension"],
        ),
        ({"loader": {"credentials": {"x.cred": b"x"}}}, ["disk.credential"]),
        ({"LOADER": {"Addons": {"x.addon.efi": b"x"}}}, ["disk.addon"]),
        (
            {"loader": {"extensions": {"x.sysext.raw": b"x", "y.confext.raw": b"y"}}},
            ["disk.extension", "disk.configuration-extension"],
        ),
        ({"loader": {"credentials": {}, "addons": {}, "loader.conf": b""}}, []),
        ({"loader": {"credentials": {"a.cred": {}}}}, []),
        ({"EFI": {"systemd": {"systemd-bootx64.efi": b"x"}}}, ["disk.second-loader"]),
        ({"EFI": {"Linux": {"other.efi": b"x"}}}, ["disk.second-loader"]),
        ({"EFI": {"BOOT": {"grubx64.efi": b"x"}}}, ["disk.second-loader"]),
        ({"EFI": {"BOOT": {"a.efi": b""}, "Linux": {"b.efi": b""}}}, ["disk.second-loader"] * 2),
        ({"EFI": {"BOOT": {"BOOT.CSV": b"x"}}}, []),
        ({"startup.nsh": b"x"}, ["disk.shell-script"]),
        ({"STARTUP.NSH": b"x"}, ["disk.shell-script"]),
        ({"mystartup.nsh": b"x", "startup.nsh.old": b""}, []),
    ],
)
def test_what_a_stub_or_a_firmware_would_pick_up_is_found(tree, expected):
    assert beside(tree) == expected


def test_a_finding_names_the_first_files_and_counts_the_others():
    names = [f"{letter}.cred" for letter in "abcde"]
    volume = make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": UKI}}, "loader": {"credentials": dict.fromkeys(names, b"x")}})
    (finding,) = boots(gpt_disk(partition(volume.data))).findings
    assert r"a.cred, b.cred, c.cred and 2 more in \loader\credentials" in finding.message
    assert "PCR 12" in finding.message


@pytest.mark.attack("B5")
def test_a_partition_that_systemd_would_mount_for_its_type_is_found():
    (finding,) = boots(gpt_disk(partition(ESP), Part(500, 600, "data", VAR))).findings
    assert finding.code == "disk.mounted-by-type"
    assert 'partition 2 ("data") (/var)' in finding.message
    assert "systemd.gpt_auto=0" in finding.message


def test_layouts_are_told_apart():
    assert parse_disk(memoryview(DISK)).scheme is Scheme.GPT
    assert parse_disk(memoryview(ESP)).scheme is Scheme.WHOLE_DISK
    assert parse_disk(memoryview(mbr_disk((6, ESP)))).scheme is Scheme.MBR


def test_partitions_say_what_they_are():
    unknown = uuid.UUID("12345678-1234-1234-1234-123456789abc")
    layout = parse_disk(memoryview(gpt_disk(partition(ESP), Part(500, 600, "x", unknown, attributes=2))))
    first, second = layout.partitions
    assert (first.is_efi_system, second.is_efi_system, second.is_withheld) == (True, False, True)
    assert second.words == f"type {unknown}"
    assert second.size_bytes == 101 * 512
    assert [at.number for at, _ in offered_volumes(memoryview(DISK), layout)] == [1]


def test_errors_about_the_image_say_where_it_lies():
    with pytest.raises(FormatError, match="in here: broken") as caught, in_boot_file("here"):
        raise FormatError("uki.no-kernel", "broken", offset=5, spec="spec", remedy="mend it")
    error = caught.value
    assert (error.code, error.offset, error.spec, error.remedy) == ("uki.no-kernel", 5, "spec", "mend it")
