# SPDX-License-Identifier: Apache-2.0
"""What `image boot` reads, and refuses before anything boots; the boots themselves are in tests/boot."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest
from tests.disks import gpt_disk, partition
from tests.fat_volumes import make_fat
from tests.twin_world import small_uki

from strongroom.cli.boot_subject import BootSubject, read_subject
from strongroom.cli.main import run
from strongroom.errors import FormatError
from strongroom.formats.efi import signature_list_of_certificate
from strongroom.formats.efi_variables import EfiVariables
from strongroom.formats.measurements import encode_measurements
from strongroom.formats.uefi_data import write_uefi_data
from strongroom.measure.predict import measure_image
from strongroom.measure.secure_boot import SecureBootKeys
from strongroom.twin.qemu.variables import boot_next, file_option, option_variables, secure_boot_variables

IMAGE = small_uki()
OTHER = small_uki(kernel=b"another kernel")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """The folder of a build, without measurements."""
    folder = tmp_path / "out"
    folder.mkdir()
    tree = {"EFI": {"BOOT": {"BOOTX64.EFI": IMAGE}}}
    (folder / "disk.raw").write_bytes(gpt_disk(partition(make_fat(tree, kind=16).data)))
    return folder


def read(path: Path, tmp_path: Path, uefi_data: Path | None = None) -> BootSubject:
    return read_subject(path, uefi_data, tmp_path)


def test_without_a_file_the_measurements_are_computed(build, tmp_path):
    found = read(build, tmp_path)
    assert found.disk == build / "disk.raw"
    assert (found.expected, found.source) == (measure_image(IMAGE, secure_boot=None), "computed")
    assert read(build / "disk.raw", tmp_path).expected == found.expected


def test_the_file_beside_the_image_counts(build, tmp_path):
    other = measure_image(OTHER, secure_boot=None)
    (build / "pcr_measurements.json").write_bytes(encode_measurements(other))
    for path in (build, build / "disk.raw"):
        found = read(path, tmp_path)
        assert (found.expected, found.source) == (other, str(build / "pcr_measurements.json"))
    (build / "pcr_measurements.json").write_text("{}")
    with pytest.raises(FormatError, match=r"pcr_measurements\.json"):
        read(build, tmp_path)


def test_variables_are_those_given_or_of_the_build_and_change_what_is_expected(build, tmp_path):
    variables = EfiVariables((boot_next(1),))
    (build / "uefi-data.b64").write_bytes(write_uefi_data(variables))
    assert read(build, tmp_path).variables == variables
    hostile = EfiVariables(option_variables("Driver", [file_option(r"\driver.efi")]))
    (tmp_path / "hostile").write_bytes(write_uefi_data(hostile))
    found = read(build, tmp_path, tmp_path / "hostile")
    assert found.variables == hostile
    assert found.expected is None, "it is booted, and nothing is promised of it"
    assert "driver" in found.source
    keys = SecureBootKeys(pk=signature_list_of_certificate(b"certificate", uuid.UUID(int=1)))
    (tmp_path / "keys").write_bytes(write_uefi_data(EfiVariables(secure_boot_variables(keys))))
    assert read(build, tmp_path, tmp_path / "keys").expected is None, "nobody has signed it"


@pytest.mark.parametrize("port", ["8443", "8443:", ":443", "a:b", "1:0", "65536:1", "1:65536", "-1:1", "1:1:1", "²:1"])
def test_ports_are_two_numbers(build, capsys, port):
    assert run(["image", "boot", str(build), f"--port={port}", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "boot.port"


def test_what_is_no_image_is_said_before_anything_starts(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("strongroom.cli.image_boot.expect_qemu", lambda: None)
    (tmp_path / "file").write_text("no image")
    assert run(["image", "boot", "file"]) == 3
    assert not (tmp_path / ".strongroom").exists()
