# SPDX-License-Identifier: Apache-2.0
import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from strongroom.errors import LocalFault, ServiceFault, UsageError
from strongroom.formats.uki import Architecture
from strongroom.imaging import wheels
from strongroom.imaging.wheels import ImagePython, Wheel, fetch_wheel, wheels_for

LOCK = (Path(__file__).parents[3] / "requirements.lock").read_text()
DATA = b"PK wheel"
WHEEL = Wheel("cffi-2.0-cp311-cp311-manylinux_2_17_x86_64.whl", hashlib.sha256(DATA).hexdigest())


@pytest.mark.parametrize("architecture", list(Architecture))
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_each_image_python_has_two_wheels_of_the_locked_versions(version, architecture):
    found = wheels_for(ImagePython(version, architecture))
    assert sorted(wheel.package for wheel in found) == ["cffi", "cryptography"]
    for wheel in found:
        locked = re.search(rf"^{wheel.package}==(\S+)[^\n]*\\\n((?: +--hash=\S+[^\n]*\n)+)", LOCK, re.MULTILINE)
        assert locked is not None
        assert locked[1] == wheel.version
        assert f"sha256:{wheel.sha256}" in locked[2]
        python, abi, platforms = wheel.tags
        assert int(python.removeprefix("cp3")) <= int(version.removeprefix("3."))
        assert abi in {"abi3", f"cp{version.replace('.', '')}"}
        assert all(each.endswith({"x86_64": "x86_64", "arm64": "aarch64"}[architecture]) for each in platforms)


def test_a_python_that_nobody_has_wheels_for_is_refused():
    with pytest.raises(UsageError) as caught:
        wheels_for(ImagePython("3.10", Architecture.ARM64))
    assert caught.value.code == "image.python"


def downloads(monkeypatch, data=DATA, *, code=0, error="", name=None):
    """Stand in for pip, and return the commands that it got."""
    commands = []

    def run(command, **_):
        commands.append(command)
        if data is not None:
            folder = Path(command[command.index("--dest") + 1])
            assert (folder / "wheel.txt").read_text() == f"cffi==2.0 --hash=sha256:{WHEEL.sha256}\n"
            (folder / (name or WHEEL.file)).write_bytes(data)
        return subprocess.CompletedProcess(command, code, "", error)

    monkeypatch.setattr(subprocess, "run", run)
    return commands


def test_a_wheel_is_downloaded_once_by_its_digest(monkeypatch, tmp_path):
    commands = downloads(monkeypatch)
    assert [fetch_wheel(WHEEL, tmp_path / "cache") for _ in range(2)] == [DATA, DATA]
    (command,) = commands
    assert "--require-hashes" in command
    assert "--only-binary=:all:" in command
    assert "--platform=manylinux_2_17_x86_64" in command
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [WHEEL.file]


def test_a_damaged_file_in_the_cache_is_downloaded_again(monkeypatch, tmp_path):
    downloads(monkeypatch)
    (tmp_path / WHEEL.file).write_bytes(b"damaged")
    assert fetch_wheel(WHEEL, tmp_path) == DATA


def refused(kind, tmp_path) -> str:
    with pytest.raises(kind) as caught:
        fetch_wheel(WHEEL, tmp_path)
    code: str = caught.value.code
    return code


@pytest.mark.attack("B18")
def test_other_bytes_than_the_known_ones_are_never_used(monkeypatch, tmp_path):
    downloads(monkeypatch, b"PK evil")
    assert refused(LocalFault, tmp_path) == "image.wheel-digest"


@pytest.mark.parametrize(
    ("outcome", "kind", "code"),
    [
        ({"data": None, "code": 1, "error": "no network"}, ServiceFault, "image.wheel-download"),
        ({"name": "other.whl"}, ServiceFault, "image.wheel-download"),
        ({"data": None, "code": 1, "error": "No module named pip"}, LocalFault, "image.no-pip"),
    ],
)
def test_a_download_that_fails_says_why(monkeypatch, tmp_path, outcome, kind, code):
    downloads(monkeypatch, **{"data": DATA} | outcome)
    assert refused(kind, tmp_path) == code


def test_pip_does_not_keep_a_build_waiting_for_ever(monkeypatch, tmp_path):
    def hang(command, *, timeout, **_):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(wheels.subprocess, "run", hang)
    assert refused(ServiceFault, tmp_path) == "image.wheel-download"
