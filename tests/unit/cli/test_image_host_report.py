# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest
from tests.host_trees import AGENT, service, subject

from strongroom.cli.image_host_report import emit_host_report
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
