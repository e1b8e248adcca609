# SPDX-License-Identifier: Apache-2.0
"""Commands that read several files say which of them is not what it should be, and what it looks like."""

import pytest
from tests.verify_world import AT, CHALLENGED, GATES, make_world, measured

from strongroom.cli.main import run

ZIP = b"PK\x03\x04 and so on"
VERIFY = ("verify", "document", "--authentic-only", *AT)


@pytest.fixture
def world(tmp_path, capsys, monkeypatch):
    world = make_world(tmp_path, capsys)
    world.write("measurements", measured())
    world.write("rules", {"version": 1, "pcrs": GATES})
    world.write("wrong", ZIP)
    monkeypatch.chdir(tmp_path)
    return world


@pytest.mark.parametrize(
    "arguments",
    [
        (*VERIFY, "--deny", "wrong"),
        (*VERIFY, "--root", "wrong"),
        ("verify", "document", "--policy", "wrong", *CHALLENGED),
        ("verify", "document", "--measurements", "measurements", "--measurements", "wrong", *CHALLENGED),
        ("explain", "--measurements", "wrong", "--document", "document", "--root", "root"),
        ("explain", "--measurements", "measurements", "--document", "document", "--root", "wrong"),
        ("explain", "--measurements", "measurements", "--event-log", "wrong"),
        ("explain", "--measurements", "measurements", "--image", "wrong"),
        ("identity", "verify", "wrong", "--rsa2048", "root"),
    ],
)
def test_the_wrong_one_of_several_files_is_named(world, arguments):
    assert run(arguments) == 3
    said = world.capsys.readouterr()
    assert said.out == ""
    first, *_ = said.err.splitlines()
    assert "wrong" in first
    assert "a ZIP archive" in first
