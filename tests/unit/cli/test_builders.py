# SPDX-License-Identifier: Apache-2.0
"""Images of kiwi, mkosi and NixOS: measured as they boot, in files that the other commands take."""

from __future__ import annotations

import json

import pytest
from tests.builder_disks import BUILDERS
from tests.nitro_pki import PCRS, document, good_pki, root_pem
from tests.verify_world import AT, CHALLENGED

from strongroom.cli.main import run

NAMES = sorted(BUILDERS)


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run([*map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_boots_the_image_is_measured_as_the_image_alone(name, tmp_path, capsys):
    disk, image = tmp_path / "disk.raw", tmp_path / BUILDERS[name].name
    disk.write_bytes(BUILDERS[name].direct())
    image.write_bytes(BUILDERS[name].image)
    of_disk = json.loads(call(capsys, "measure", disk, "--json")[1])
    of_image = json.loads(call(capsys, "measure", image, "--json")[1])
    assert of_disk["measurements"] == of_image["measurements"]
    assert of_disk["findings"] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_boots_a_menu_is_refused_with_what_to_do(name, tmp_path, capsys):
    disk = tmp_path / "disk.raw"
    disk.write_bytes(BUILDERS[name].with_menu())
    code, _, said = call(capsys, "measure", disk)
    assert code == 3
    assert "disk.boot-menu" in said
    assert rf"\EFI\Linux\{BUILDERS[name].name}" in said


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("algorithm", ["SHA384", "SHA384 { ... }"])
def test_measurements_of_such_an_image_are_a_policy(name, algorithm, tmp_path, capsys):
    """In the form of AWS's tool, which kiwi's hook runs: written by us, and with its way of naming the bank."""
    disk, measured, root = tmp_path / "disk.raw", tmp_path / "pcr_measurements.json", tmp_path / "root.pem"
    disk.write_bytes(BUILDERS[name].direct())
    assert call(capsys, "measure", disk, "--aws", "-o", measured)[0] == 0
    written = json.loads(measured.read_text())
    written["Measurements"]["HashAlgorithm"] = algorithm
    measured.write_text(json.dumps(written))
    root.write_bytes(root_pem(good_pki()))
    booted = PCRS | {4: bytes.fromhex(written["Measurements"]["PCR4"])}
    booted[7] = bytes.fromhex(written["Measurements"]["PCR7"])
    for pcrs, expected in ((booted, 0), (PCRS, 5)):
        (tmp_path / "document").write_bytes(document(pcrs=pcrs))
        rules = ("--measurements", measured, "--root", root)
        code, _, said = call(capsys, "verify", tmp_path / "document", *rules, *CHALLENGED, *AT)
        assert code == expected, said
