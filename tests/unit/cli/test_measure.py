# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import threading

import pytest
from tests.builder_disks import BUILDERS
from tests.disks import Part, gpt_disk, partition
from tests.fat_volumes import make_fat
from tests.images import make_uki
from tests.unit.measure.test_secure_boot import OTHER, OURS, esl, signed

from strongroom.cli.main import run
from strongroom.formats.measurements import parse_measurements
from strongroom.formats.minimal_stub import minimal_kernel, minimal_stub
from strongroom.formats.uki import Architecture, assemble_uki
from strongroom.measure.predict import measure_image
from strongroom.measure.secure_boot import SecureBootKeys

ARM_KERNEL = minimal_kernel(Architecture.ARM64, release="6.1")


def esp(image: bytes | None = None, **beside: object) -> bytes:
    return make_fat({"EFI": {"BOOT": {"BOOTX64.EFI": image or make_uki()}}, **beside}).data  # type: ignore[dict-item]


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk.raw"
    path.write_bytes(gpt_disk(partition(esp(), name="esp")))
    return path


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "BOOTX64.EFI"
    path.write_bytes(make_uki())
    return path


def said(capsys, *arguments: object) -> tuple[int, str, str]:
    code = run(["measure", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_every_pcr_gets_its_value_and_a_sentence(image, capsys):
    code, out, _ = said(capsys, image)
    assert code == 0
    for index, digest in measure_image(make_uki(), secure_boot=None).pcrs.items():
        after = out.split(f"PCR{index} ", 1)[1].strip()
        assert after.startswith(digest.hex())
        assert after.splitlines()[1].strip().endswith(".")
    assert "Secure Boot is off" in out
    assert "Gate on PCR 2, 4, 12, 13." in out


def test_a_pcr11_that_is_not_predicted_is_said_to_be_left_out(image, capsys):
    image.write_bytes(make_uki(version=b"256"))
    assert "PCR11  left out" in said(capsys, image)[1]


def test_the_written_file_is_read_back(image, tmp_path, capsys):
    output = tmp_path / "measurements.json"
    code, out, _ = said(capsys, image, "-o", output)
    assert code == 0
    assert str(output) in out
    assert parse_measurements(output.read_bytes()) == measure_image(make_uki(), secure_boot=None)


def test_aws_keys_only_go_to_stdout_as_the_file_itself(image, capsys):
    _, out, _ = said(capsys, image, "--aws")
    assert sorted(json.loads(out)["Measurements"]) == ["HashAlgorithm", "PCR12", "PCR4", "PCR7"]
    assert parse_measurements(out.encode()).assumed == {2, 13}


def test_json_is_one_object_with_the_file_inside(image, tmp_path, capsys):
    _, out, _ = said(capsys, image, "--json", "-o", tmp_path / "m.json")
    answer = json.loads(out)
    assert answer["ok"] is True
    assert answer["measurements"] == json.loads((tmp_path / "m.json").read_bytes())
    assert answer["gates"] == [2, 4, 12, 13]
    assert answer["written"] == str(tmp_path / "m.json")
    aws = json.loads(said(capsys, image, "--json", "--aws")[1])
    assert set(aws["measurements"]) == {"Measurements"}
    assert aws["written"] is None


def test_keys_turn_secure_boot_on(image, tmp_path, capsys):
    image.write_bytes(signed(OURS))
    contents = {"pk": esl(OTHER), "kek": esl(OTHER, OURS), "db": esl(OURS), "dbx": esl(OTHER)}
    options: list[object] = []
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        options += [f"--{name}", tmp_path / name]
    answer = json.loads(said(capsys, image, "--json", *options)[1])
    expected = measure_image(signed(OURS), secure_boot=SecureBootKeys(**contents))
    assert parse_measurements(json.dumps(answer["measurements"]).encode()) == expected
    assert answer["gates"] == [2, 4, 7, 12, 13]
    assert "Secure Boot is on" in said(capsys, image, *options)[1]


@pytest.mark.parametrize("option", ["--kek", "--db", "--dbx"])
def test_keys_without_a_platform_key_make_no_sense(image, capsys, option):
    code, _, err = said(capsys, image, option, image)
    assert code == 2
    assert "measure.no-pk" in err


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x7fELF" + bytes(60), "an ELF program"),
        (b"\x1f\x8b\x08" + bytes(60), "a gzip file"),
        (bytes(1080) + b"\x53\xef" + bytes(600), "a file system image"),
        (bytes.fromhex("8444a1013822a05911"), "an attestation document"),
        (b'{"Measurements": {}}', "a measurements file"),
    ],
)
def test_another_kind_of_file_is_refused_by_its_name(image, capsys, content, words):
    image.write_bytes(content)
    code, _, err = said(capsys, image)
    assert code == 3
    assert words in err
    assert "measure.not-an-image" in err


@pytest.mark.parametrize("offset", [512, 4096])
def test_a_broken_disk_is_refused_by_what_is_wrong_with_it(image, capsys, offset):
    image.write_bytes(bytes(offset) + b"EFI PART" + bytes(8184))
    code, _, err = said(capsys, image)
    assert code == 3
    assert "mbr.signature" in err


def test_a_disk_is_measured_as_the_image_that_it_boots(image, disk, capsys):
    one, other = (json.loads(said(capsys, path, "--json")[1]) for path in (image, disk))
    assert one["measurements"] == other["measurements"]
    assert one["source"] == {"kind": "efi-image", "file": str(image)}
    assert one["findings"] == other["findings"] == []
    assert other["source"] == {
        "kind": "disk",
        "file": str(disk),
        "path": "\\EFI\\BOOT\\BOOTX64.EFI",
        "partition": {
            "number": 1,
            "name": "esp",
            "type": "c12a7328-f81f-11d2-ba4b-00a0c93ec93b",
            "meaning": "EFI system partition",
            "guid": "00000000-0000-0000-0000-000000000001",
            "offset_bytes": 64 * 512,
            "size_bytes": len(esp()),
        },
    }


def test_it_is_said_where_on_the_disk_the_image_was_found(disk, capsys):
    out = said(capsys, disk)[1]
    assert out.startswith('Measured \\EFI\\BOOT\\BOOTX64.EFI on partition 1 ("esp"), which is what firmware boots.\n')
    assert "PCR4 " in out


def test_an_image_for_arm_is_measured_from_its_disk(disk, capsys):
    uki = assemble_uki(minimal_stub(Architecture.ARM64, version="257"), [(".linux", ARM_KERNEL), (".initrd", b"i")])
    disk.write_bytes(gpt_disk(partition(make_fat({"EFI": {"BOOT": {"BOOTAA64.EFI": uki}}}).data)))
    answer = json.loads(said(capsys, disk, "--json")[1])
    assert parse_measurements(json.dumps(answer["measurements"]).encode()) == measure_image(uki, secure_boot=None)
    assert answer["source"]["path"] == "\\EFI\\BOOT\\BOOTAA64.EFI"
    assert answer["measurements"]["strongroom"]["architecture"] == "arm64"


@pytest.mark.attack("B2")
def test_what_lies_beside_the_image_is_told(disk, capsys):
    disk.write_bytes(gpt_disk(partition(esp(loader={"credentials": {"root.cred": b"x"}}))))
    code, out, _ = said(capsys, disk)
    assert code == 0
    assert "disk.credential: expected no credentials" in out
    assert out.count("Zero, unless the findings above come true.") == 2
    assert "was added" not in out
    assert "root.cred in \\loader\\credentials" in out
    assert "may leave other values than the ones below" in out
    assert [finding["code"] for finding in json.loads(said(capsys, disk, "--json")[1])["findings"]] == [
        "disk.credential"
    ]


def test_findings_leave_the_file_on_stdout_alone(disk, capsys):
    disk.write_bytes(gpt_disk(partition(esp(loader={"credentials": {"root.cred": b"x"}}))))
    _, out, err = said(capsys, disk, "--aws")
    assert parse_measurements(out.encode()).assumed == {2, 13}
    assert "disk.credential" in err


@pytest.mark.attack("B19")
def test_a_disk_cannot_speak_to_the_terminal(disk, capsys):
    hostile = Part(64, 63 + len(esp()) // 512, "\x1b[2J\x07", content=esp(**{"x\u202ey.nsh": b"", "startup.nsh": b""}))
    disk.write_bytes(gpt_disk(hostile))
    out = said(capsys, disk)[1]
    assert all(character.isprintable() for line in out.split("\n") for character in line)
    assert r"\x1b[2J\x07" in out


def test_an_error_about_the_image_says_where_on_the_disk_it_lies(disk, capsys):
    disk.write_bytes(gpt_disk(partition(esp(make_uki(drop=[".linux"])), name="esp")))
    code, _, err = said(capsys, disk)
    assert code == 3
    assert 'in \\EFI\\BOOT\\BOOTX64.EFI on partition 1 ("esp"): expected a section .linux' in err


@pytest.mark.parametrize(
    ("mark", "name"),
    [(b"QFI\xfb", "qcow2"), (b"KDMV", "vmdk"), (b"vhdxfile", "vhdx"), (b"conectix", "vpc")],
)
def test_a_disk_in_another_format_is_named_with_the_way_to_a_raw_one(disk, capsys, mark, name):
    disk = disk.rename(disk.with_name("my disk.img"))
    disk.write_bytes(mark + bytes(1_000))
    code, _, err = said(capsys, disk)
    assert code == 3
    assert f"qemu-img convert -f {name} -O raw '{disk}' 'my disk.raw'" in err


def test_a_pipe_is_measured_as_a_file_is(image, disk, tmp_path, capsys):
    """Opened twice, a pipe would lose its first bytes to whoever looked first."""
    for path in (image, disk):
        expected = json.loads(said(capsys, path, "--json")[1])
        pipe = tmp_path / f"pipe to {path.name}"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=(path.read_bytes(),))
        writer.start()
        answer = json.loads(said(capsys, pipe, "--json")[1])
        writer.join()
        assert answer["measurements"] == expected["measurements"]
        assert answer["source"]["file"] == str(pipe)


@pytest.mark.attack("B1")
def test_an_unknown_stub_is_not_attestable(image, capsys):
    image.write_bytes(make_uki(version=None))
    code, out, err = said(capsys, image)
    assert (code, out) == (5, "")
    assert "measure.unknown-stub" in err


def test_a_missing_file_and_an_unwritable_place_are_this_machines_fault(image, tmp_path, capsys):
    assert said(capsys, tmp_path / "nothing.efi")[0] == 9
    assert said(capsys, image, "-o", tmp_path / "no" / "folder.json")[0] == 9


def test_help_has_an_example(capsys):
    assert "Example:  strongroom measure" in said(capsys, "--help")[1]


def test_a_disk_that_boots_a_menu_is_refused(tmp_path, capsys):
    path = tmp_path / "menu.raw"
    path.write_bytes(BUILDERS["mkosi"].with_menu())
    code, _, err = said(capsys, path)
    assert code != 0
    assert "disk.boot-menu" in err
