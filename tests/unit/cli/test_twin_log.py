# SPDX-License-Identifier: Apache-2.0
"""`twin log` and the folder that commands about a twin mean, without a twin."""

import json

import pytest

from strongroom.cli import main
from strongroom.cli.twin_folder import project_regions, twin_folder
from strongroom.cli.twin_log_lines import entry_lines
from strongroom.errors import FormatError
from strongroom.twin.request_log import LOG_NAME, OLD_NAME

DENIED = {
    "number": 2,
    "time": "2026-11-25T01:02:03.000Z",
    "caller": "arn:aws:iam::222222222222:user/admin",
    "service": "kms",
    "action": "Decrypt",
    "outcome": "denied",
    "status": 400,
    "error": "AccessDeniedException",
    "message": "no",
    "key": "arn:aws:kms:eu-central-1:111111111111:key/1",
    "reason": "no statement of the key policy allows kms:Decrypt",
    "missed": [
        {"policy": "key policy", "statement": "Open", "element": "StringEquals x", "expected": ["a", "b"], "seen": []}
    ],
}
ALLOWED = {**DENIED, "number": 1, "outcome": "allowed", "action": "Encrypt", "status": 200, "missed": []}


def test_a_denial_says_on_what_it_hangs():
    assert entry_lines(DENIED) == [
        "2026-11-25T01:02:03.000Z denied  kms:Decrypt  arn:aws:iam::222222222222:user/admin",
        "    on arn:aws:kms:eu-central-1:111111111111:key/1",
        "    no statement of the key policy allows kms:Decrypt",
        "    key policy, Open: StringEquals x expected a or b, seen nothing",
        "    400 AccessDeniedException no",
    ]


def test_what_strangers_send_reaches_no_terminal():
    lines = entry_lines({**DENIED, "action": "\x1b[2J\nallowed", "missed": [{"seen": ["\x1b]0;"]}, "no object"]})
    assert not any(c in "\n".join(lines[1:]) + lines[0] for c in "\x1b")
    assert "\\x1b[2J\\nallowed" in lines[0]


@pytest.mark.parametrize("entry", [{}, {"missed": 1}, {"missed": [{"expected": 2}]}, {"time": None}])
def test_a_line_of_another_shape_is_printed_all_the_same(entry):
    assert entry_lines(entry)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / OLD_NAME).write_text(json.dumps(ALLOWED) + "\n")
    (tmp_path / LOG_NAME).write_text(json.dumps(DENIED) + '\n{"number": 3, "ti')
    return tmp_path


def test_both_files_are_read_and_half_a_line_is_none(folder, capsys):
    assert main.run(["twin", "log", "--folder", str(folder), "--json"]) == 0
    assert [json.loads(line)["number"] for line in capsys.readouterr().out.splitlines()] == [1, 2]


def test_only_what_was_refused_is_shown_on_request(folder, capsys):
    assert main.run(["twin", "log", "--folder", str(folder), "--denied"]) == 0
    out = capsys.readouterr().out
    assert "Decrypt" in out
    assert "Encrypt" not in out


def test_the_folder_is_beside_the_nearest_project(tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    assert twin_folder(None) == tmp_path / "a" / "b" / ".strongroom" / "twin"
    (tmp_path / "strongroom.toml").write_text("")
    assert twin_folder(None) == tmp_path / ".strongroom" / "twin"
    assert twin_folder(tmp_path / "other") == tmp_path / "other"
    with pytest.raises(FormatError):
        project_regions(None)
    assert project_regions(tmp_path / "other") == ()
