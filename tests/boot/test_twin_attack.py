# SPDX-License-Identifier: Apache-2.0
"""The hostile customer against a bootable image: every row is stopped by its guard, and works without it."""

import json

import pytest
from tests.boot.machine import initrd_that_prints_pcrs

from strongroom.cli.main import run
from strongroom.formats.uki import assemble_uki
from strongroom.twin.attack.rows import ROWS

pytestmark = pytest.mark.slow

GUARDED = b"console=ttyS0 quiet lockdown=integrity nohibernate rd.shell=0"


def image_file(parts, folder, command_line):
    sections = [
        (".osrel", b'ID=test\nVERSION_ID="1"\n'),
        (".cmdline", command_line),
        (".uname", b"6.1.0-test"),
        (".linux", parts.kernel.read_bytes()),
        (".initrd", initrd_that_prints_pcrs(parts.busybox.read_bytes())),
    ]
    file = folder / "image.efi"
    file.write_bytes(assemble_uki(parts.stub.read_bytes(), sections))
    return str(file)


def attacked(capsys, *arguments):
    code = run(["twin", "attack", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.attack("B1")
@pytest.mark.attack("B2")
@pytest.mark.attack("B3")
@pytest.mark.attack("B4")
@pytest.mark.attack("B6")
@pytest.mark.attack("B7")
@pytest.mark.attack("B9")
@pytest.mark.attack("B12")
@pytest.mark.attack("B14")
@pytest.mark.attack("B15")
@pytest.mark.attack("B16")
@pytest.mark.attack("B17")
@pytest.mark.attack("B20")
def test_every_attack_is_stopped_by_the_guard_that_its_row_names(parts, tmp_path, capsys):
    code, answer = attacked(capsys, image_file(parts, tmp_path, GUARDED))
    assert [row["name"] for row in answer["rows"]] == [row.name for row in ROWS]
    assert [row for row in answer["rows"] if row["verdict"] != "stopped"] == []
    assert all(row["with_guard"]["guard"] in row["guards"] for row in answer["rows"])
    assert (code, answer["holds"]) == (0, True)


@pytest.mark.attack("B9")
def test_an_image_that_lacks_a_guard_is_told_so(parts, tmp_path, capsys):
    code, answer = attacked(capsys, image_file(parts, tmp_path, b"console=ttyS0 quiet"), "--only", "kexec")
    (row,) = answer["rows"]
    assert (row["verdict"], row["with_guard"]["ending"]) == ("got through", "reached")
    assert (code, answer["holds"]) == (1, False)
