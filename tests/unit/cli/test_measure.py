# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json

import pytest
from tests.images import make_uki
from tests.unit.measure.test_secure_boot import OTHER, OURS, esl, signed

from strongroom.cli.main import run
from strongroom.formats.measurements import parse_measurements
from strongroom.measure.predict import measure_image
from strongroom.measure.secure_boot import SecureBootKeys


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
        (b"\x1f\x8b\x08" + bytes(60), "a compressed file"),
        (bytes(512) + b"EFI PART" + bytes(600), "a disk image"),
        (bytes.fromhex("8444a1013822a05911"), "an attestation document"),
        (b'{"Measurements": {}}', "a JSON file"),
    ],
)
def test_another_kind_of_file_is_refused_by_its_name(image, capsys, content, words):
    image.write_bytes(content)
    code, _, err = said(capsys, image)
    assert code == 3
    assert words in err
    assert "measure.not-an-image" in err


@pytest.mark.parametrize("offset", [512, 4096])
def test_a_disk_is_recognised_and_the_way_out_is_named(image, capsys, offset):
    image.write_bytes(bytes(offset) + b"EFI PART" + bytes(600))
    assert "mcopy" in said(capsys, image)[2]


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
