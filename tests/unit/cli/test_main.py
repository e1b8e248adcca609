# SPDX-License-Identifier: Apache-2.0
import importlib
import io
import json
import sys

import click
import pytest

from strongroom import errors
from strongroom.cli import main
from strongroom.errors import (
    Finding,
    FormatError,
    KeyRefused,
    LocalFault,
    NotAuthentic,
    NotTrusted,
    ServiceFault,
    TpmFault,
    UsageError,
)

FAMILIES = [
    (UsageError("a.b", "m"), 2),
    (FormatError("a.b", "m", offset=3, spec="RFC 1"), 3),
    (NotAuthentic("a.b", "m"), 4),
    (NotTrusted("a.b", "m", findings=[Finding("c.d", "why")]), 5),
    (KeyRefused("a.b", "m"), 6),
    (TpmFault("a.b", "m", rc=1), 7),
    (ServiceFault("a.b", "m", retryable=True), 8),
    (LocalFault("a.b", "m"), 9),
]


@pytest.fixture
def command(monkeypatch):
    """Register a command that does what the test says."""

    def register(action):
        class Module:
            command = click.command("act")(click.option("--json", "as_json", is_flag=True)(lambda as_json: action()))

        monkeypatch.setitem(main.COMMANDS, "act", "act")
        monkeypatch.setattr(importlib, "import_module", lambda name: Module)

    return register


def raising(error):
    def action():
        raise error

    return action


@pytest.mark.parametrize(("error", "code"), FAMILIES, ids=lambda value: type(value).__name__)
def test_each_family_of_errors_has_its_exit_code(command, capsys, error, code):
    command(raising(error))
    assert main.run(["act"]) == code
    said = capsys.readouterr()
    assert said.err.startswith("strongroom: m")
    assert "[a.b]" in said.err
    assert not said.out


def test_every_family_is_covered():
    leaves = {kind for kind in vars(errors).values() if isinstance(kind, type)} - {Finding, errors.StrongroomError}
    assert {kind for kind in leaves if issubclass(kind, errors.StrongroomError)} == {type(e) for e, _ in FAMILIES}


def test_prose_names_the_byte_the_findings_and_the_remedy(command, capsys):
    command(raising(NotTrusted("a.b", "m", findings=[Finding("c.d", "why")], remedy="Do this.")))
    main.run(["act"])
    assert capsys.readouterr().err == "strongroom: m [a.b]\n  c.d: why\n  Do this.\n"
    command(raising(FormatError("a.b", "m", offset=3)))
    main.run(["act"])
    assert capsys.readouterr().err == "strongroom: m at byte 3 [a.b]\n"


def test_json_is_one_object_on_stdout(command, capsys):
    command(raising(FormatError("a.b", "m", offset=3, spec="RFC 1", remedy="r")))
    assert main.run(["act", "--json"]) == 3
    said = capsys.readouterr()
    assert not said.err
    about = {"code": "a.b", "message": "m at byte 3", "remedy": "r", "offset": 3, "spec": "RFC 1"}
    assert json.loads(said.out) == {"ok": False, "error": about}
    command(raising(NotTrusted("a.b", "m", findings=[Finding("c.d", "why")])))
    main.run(["act", "--json"])
    assert json.loads(capsys.readouterr().out)["error"]["findings"] == [{"code": "c.d", "message": "why"}]


def test_an_interrupt_is_130(command, capsys):
    for error in (KeyboardInterrupt(), click.Abort()):
        command(raising(error))
        assert main.run(["act"]) == 130
        assert "interrupted" in capsys.readouterr().err


def test_a_command_may_choose_its_exit_code(command):
    command(lambda: click.get_current_context().exit(1))
    assert main.run(["act"]) == 1
    command(lambda: None)
    assert main.run(["act"]) == 0


def test_a_reader_that_went_away_is_no_error(command, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    command(raising(BrokenPipeError()))
    assert main.run(["act"]) == 0


def test_usage_errors_of_click_are_ours(capsys):
    assert main.run(["no-such-command"]) == 2
    assert main.run(["verify"]) == 2
    assert "Usage:" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(main.COMMANDS))
def test_every_command_has_help_with_an_example(name, capsys):
    assert main.run([name, "--help"]) == 0
    assert f"Example:  strongroom {name}" in capsys.readouterr().out


def test_version_and_help(capsys):
    assert main.run(["--version"]) == 0
    assert main.run(["--help"]) == 0
    assert "verify" in capsys.readouterr().out
