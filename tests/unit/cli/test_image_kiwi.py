# SPDX-License-Identifier: Apache-2.0
"""`strongroom image kiwi`, and KIWI NG itself as the judge of what it writes."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.formats.test_trust import trust
from tests.unit.imaging.kiwi.test_translate import AGENT, PAYLOAD, SPEC

from strongroom.cli import image_inputs, image_kiwi
from strongroom.cli.main import run
from strongroom.formats.trust import encode_trust
from strongroom.imaging.agent_payload import AgentSettings

READER = Path(__file__).parents[2] / "kiwi_reader.py"


@pytest.fixture
def spec(tmp_path, monkeypatch):
    """A specification with an agent, whose files are two small ones, and a trust file that is taken as it is."""
    monkeypatch.setattr(image_kiwi, "agent_payload", lambda settings, *_, **__: PAYLOAD if settings else ())
    monkeypatch.setattr(image_inputs, "verify_trust", lambda _: None)
    path = tmp_path / "image.toml"
    path.write_text(SPEC + AGENT.replace("[agent]\n", '[agent]\ntrust = "trust.json"\n'))
    (tmp_path / "trust.json").write_bytes(encode_trust(trust()))
    return path


def call(*arguments: object) -> int:
    return run(["image", "kiwi", *map(str, arguments)])


def test_a_description_is_written_whole(spec, tmp_path, capsys):
    folder = tmp_path / "description"
    assert call(spec, "-o", folder, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    assert answer["files"] == len(found)
    assert {"appliance.xml", "config.sh", "edit_boot_install.sh", "BUILD.txt", "root/usr/lib/acme/app.py"} <= set(found)
    assert "root/usr/bin/strongroom-agent" in found
    for name, mode in (("config.sh", 0o755), ("root/usr/bin/strongroom-agent", 0o755), ("appliance.xml", 0o644)):
        assert (folder / name).stat().st_mode & 0o7777 == mode
    assert {path.stat().st_mode & 0o7777 for path in folder.rglob("*") if path.is_dir()} == {0o755}


def test_it_says_that_building_takes_root(spec, tmp_path, capsys):
    assert call(spec, "-o", tmp_path / "d") == 0
    assert "BUILD.txt says how to build; it takes root" in capsys.readouterr().out
    assert "as root" in (tmp_path / "d/BUILD.txt").read_text()


def test_files_beside_the_specification_are_read_from_its_folder(spec, tmp_path):
    (tmp_path / "app.bin").write_bytes(b"\0binary")
    spec.write_text(spec.read_text().replace('contents = "print(1)"', 'source = "app.bin"'))
    assert call(spec, "-o", tmp_path / "d") == 0
    assert (tmp_path / "d/root/usr/lib/acme/app.py").read_bytes() == b"\0binary"


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (["--release", "2022.1"], "kiwi.release"),
        (["--release", "latest/../x"], "kiwi.release"),
        (["--package", "openssl"], "kiwi.package"),
        (["--package", "openssl=a b"], "kiwi.package"),
        (["--package", "other=x"], "kiwi.unused-package"),
    ],
)
def test_options_that_make_no_sense_are_refused_and_nothing_is_written(spec, tmp_path, capsys, options, code):
    assert call(spec, "-o", tmp_path / "d", *options) == 2
    assert code in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.toml", "trust.json"]


def test_a_folder_that_is_there_stays_as_it_is(spec, tmp_path, capsys):
    (tmp_path / "d").mkdir()
    assert call(spec, "-o", tmp_path / "d") == 2
    assert "kiwi.output-exists" in capsys.readouterr().err
    assert not list((tmp_path / "d").iterdir())


def test_a_folder_that_cannot_be_written_is_said(spec, tmp_path, capsys):
    assert call(spec, "-o", tmp_path / "no/such/d") == 9
    assert "kiwi.unwritable" in capsys.readouterr().err


def test_bundles_come_from_the_folder_that_the_specification_names(spec, tmp_path, monkeypatch):
    seen: list[AgentSettings] = []
    monkeypatch.setattr(image_kiwi, "agent_payload", lambda settings, *_, **__: seen.append(settings) or ())
    spec.write_text(spec.read_text().replace('"user-data"', '"image"\nbundle-folder = "out"'))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/database.bundle").write_bytes(b"sealed")
    assert call(spec, "-o", tmp_path / "d") == 0
    assert seen[0].bundles == {"database": b"sealed"}


def understood(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, str(READER), str(folder)], capture_output=True, text=True, check=False, env=environment
    )


needs_kiwi = pytest.mark.skipif(
    importlib.util.find_spec("kiwi") is None, reason="kiwi is absent: `make setup` installs it"
)


@needs_kiwi
@pytest.mark.slow
def test_kiwi_reads_the_description_and_understands_it_as_it_is_meant(spec, tmp_path):
    folder = tmp_path / "description"
    assert call(spec, "-o", folder) == 0
    done = understood(folder)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["name"], said["image"], said["firmware"], said["bootloader"]) == (
        "acme",
        "oem",
        "uefi",
        "systemd_boot",
    )
    assert {"openssl", "python3.11", "dracut-kiwi-verity"} <= set(said["packages"])
    assert {"openssh-server", "amazon-ssm-agent", "cloud-init"} <= set(said["ignored"])
    assert said["collections"] == ["ami-minimal", "core"]
    assert (said["overlayroot"], said["write_partition"], said["readonly_filesystem"]) == (True, False, "erofs")
    assert (said["verity_blocks"], said["uefi"], said["signatures"], said["resize"]) == ("all", True, True, False)
    assert "rd.kiwi.verity_options=panic-on-corruption" in said["kernelcmdline"].split()
    assert said["keys"] == ["file:///etc/pki/rpm-gpg/RPM-GPG-KEY-amazon-linux-2023"]
    assert (folder / said["editbootinstall"]).exists()


@needs_kiwi
@pytest.mark.slow
@pytest.mark.parametrize("damage", ["verity_blocks", "<preferences"])
def test_kiwi_refuses_a_damaged_description(spec, tmp_path, damage):
    folder = tmp_path / "description"
    assert call(spec, "-o", folder) == 0
    text = (folder / "appliance.xml").read_text()
    (folder / "appliance.xml").write_text(text.replace(damage, "unknown" if damage[0] != "<" else "<unknown", 1))
    assert understood(folder).returncode != 0
