# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest
from tests.host_trees import AGENT, service, subject
from tests.images import make_uki

from strongroom.cli.image_host_report import emit_host_report
from strongroom.cli.main import run
from strongroom.imaging.host_report.fact import QUESTIONS, Topic
from strongroom.imaging.host_report.report import CANNOT_KNOW, host_report

IMAGE = Path("disk.raw")
PLANTED = {
    "/usr/lib/strongroom/agent.toml": AGENT,
    "/etc/app.conf": "url=https://api.example.com",
    **service("a.service", "[Service]\nExecStart=/opt/a\nPrivateNetwork=yes\n"),
}


def said(capsys, *, as_json, planted=PLANTED):
    emit_host_report(IMAGE, host_report(subject(planted)), as_json=as_json)
    return capsys.readouterr().out


def test_each_question_has_its_answers_with_basis_and_place(capsys):
    out = said(capsys, as_json=False)
    assert all(question in out for question in QUESTIONS.values())
    assert "  a.service runs /opt/a as root  (/usr/lib/systemd/system/a.service:2)\n" in out
    assert "  possible: a file names https://api.example.com  (/etc/app.conf:1)\n" in out
    assert "  ruled out: a.service cannot listen" in out
    assert "What was not there to be read:\n  the disk\n" in out


def test_it_says_what_it_cannot_know(capsys):
    out = said(capsys, as_json=False)
    assert all(words in out for words in CANNOT_KNOW)
    assert json.loads(said(capsys, as_json=True))["cannot_know"] == list(CANNOT_KNOW)


def test_json_has_every_topic_with_stable_keys(capsys):
    answer = json.loads(said(capsys, as_json=True))
    assert (answer["ok"], answer["image"]) == (True, "disk.raw")
    assert set(answer["host_report"]) == {topic.value for topic in Topic}
    assert {
        "basis": "possible",
        "text": "a file names https://api.example.com",
        "path": "/etc/app.conf",
        "line": 1,
    } in answer["host_report"]["endpoints"]
    assert answer["unread"] == ["the disk", "the initrd"]


@pytest.mark.attack("A16")
def test_text_of_the_image_commands_no_terminal(capsys):
    hostile = {"/etc/app.conf": "url=https://x\x1b[2J.example"}
    assert "\x1b" not in said(capsys, as_json=False, planted=hostile)


def test_the_audit_prints_it_for_a_tree(tmp_path, capsys):
    for path, content in PLANTED.items():
        place = tmp_path / "root" / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("-> "):
            place.symlink_to(content.removeprefix("-> "))
        else:
            place.write_text(content)
    assert run(["image", "audit", str(tmp_path / "root"), "--host-report", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert any("api.example.com" in fact["text"] for fact in answer["host_report"]["endpoints"])
    assert "the kernel command line" in answer["unread"]


@pytest.mark.parametrize("options", [["--sarif"], ["--waive", "audit.x=y"]])
def test_options_of_the_audit_make_no_sense_beside_it(tmp_path, capsys, options):
    assert run(["image", "audit", str(tmp_path), "--host-report", *options]) == 2
    assert "audit.host-report" in capsys.readouterr().err


def test_an_image_without_a_root_file_system_is_refused(tmp_path, capsys):
    image = tmp_path / "image.efi"
    image.write_bytes(make_uki())
    assert run(["image", "audit", str(image), "--host-report"]) == 3
    assert "host-report.no-tree" in capsys.readouterr().err
