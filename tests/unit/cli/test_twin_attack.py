# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin attack` says what it would play, and refuses what it cannot."""

import json

import pytest

from strongroom.cli import twin_attack
from strongroom.cli.main import run
from strongroom.twin.attack.engine import run_rows
from strongroom.twin.attack.row import NotPlayed, Reached, Row, Stopped
from strongroom.twin.attack.rows import ROWS


def answer(capsys, *arguments):
    code = run(["twin", "attack", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_the_rows_are_listed_in_the_order_of_their_attacks(capsys):
    code, found = answer(capsys, "--list")
    attacks = [int(row["attack"][1:]) for row in found["rows"]]
    assert code == 0
    assert attacks == sorted(attacks)
    assert len(attacks) == len(ROWS) >= 15
    assert all(row["guards"] and row["removed"] for row in found["rows"])


def test_some_are_listed(capsys):
    assert [row["name"] for row in answer(capsys, "--list", "--only", "B20")[1]["rows"]] == ["driver", "preparation"]


@pytest.mark.parametrize(
    ("arguments", "code"), [([], "attack.no-image"), (["--list", "--only", "B99"], "attack.no-row")]
)
def test_what_makes_no_sense_is_refused(capsys, arguments, code):
    exit_code, found = answer(capsys, *arguments)
    assert (exit_code, found["error"]["code"]) == (2, code)


def test_people_read_names_guards_and_what_is_taken_out(capsys):
    assert run(["twin", "attack", "--list", "--only", "kexec"]) == 0
    said = capsys.readouterr().out
    assert "B9   kexec" in said
    assert "guard: kernel: lockdown; taken out: an image without lockdown=" in said


def test_the_table_says_how_each_play_ended(capsys):
    def row(name, play):
        return Row(name, "B1", "an attack", ("gate",), "no gate", lambda _: play, lambda _: Reached("[bold]"))

    endings = [Stopped("gate", "shut"), Reached("\x1b[2Jthe secret"), NotPlayed("no tool"), Stopped("wall", "high")]
    results = run_rows([row(str(number), each) for number, each in enumerate(endings)], None)
    twin_attack._print(twin_attack.console(), results, 1.5)
    said = " ".join(capsys.readouterr().out.split())
    for words in ("GOT THROUGH", "NOT RUN", "OTHER GUARD", "[bold]", "1 of 4 stopped"):
        assert words in said
    assert "\x1b[2J" not in said
