# SPDX-License-Identifier: Apache-2.0
import errno
import importlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from strongroom import errors
from strongroom.__main__ import main as entry
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
    about = {"code": "a.b", "message": "m", "remedy": "r", "offset": 3, "spec": "RFC 1"}
    assert json.loads(said.out) == {"ok": False, "error": about}
    command(raising(NotTrusted("a.b", "m", findings=[Finding("c.d", "why")])))
    main.run(["act", "--json"])
    (finding,) = json.loads(capsys.readouterr().out)["error"]["findings"]
    assert (finding["code"], finding["message"], finding["severity"]) == ("c.d", "why", "error")


@pytest.mark.parametrize(
    ("error", "member", "value"),
    [
        (KeyRefused("a.b", "m", statement="Deny1"), "statement", "Deny1"),
        (ServiceFault("a.b", "m", retryable=True), "retryable", True),
        (TpmFault("a.b", "m", rc=0x922), "rc", 0x922),
    ],
)
def test_json_carries_what_each_family_adds(command, capsys, error, member, value):
    command(raising(error))
    assert main.run(["act", "--json"]) == error.exit_code
    assert json.loads(capsys.readouterr().out)["error"][member] == value


def test_json_carries_a_mistake_in_the_arguments_too(command, capsys):
    command(raising(FormatError("a.b", "m")))
    assert main.run(["act", "--json", "--no-such-option"]) == 2
    said = capsys.readouterr()
    assert json.loads(said.out)["error"]["code"] == "usage.arguments"
    assert not said.err


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


@pytest.mark.parametrize("error", [BrokenPipeError(), BrokenPipeError(errno.EPIPE, "Broken pipe")])
def test_a_reader_that_went_away_is_told_apart_from_yes_and_no(command, monkeypatch, error):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    command(raising(error))
    assert main.run(["act"]) == 141


def program(*arguments, **options):
    command = [sys.executable, "-m", "strongroom", *arguments]
    environment = os.environ | {"PYTHONPATH": str(Path(main.__file__).parents[2])}
    return subprocess.run(command, env=environment, check=False, stderr=subprocess.PIPE, text=True, **options)


def test_a_closed_pipe_ends_the_program_without_a_word():
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        run = program("--help", stdout=closed)
    assert (run.returncode, run.stderr) == (141, "")


@pytest.mark.parametrize("arguments", [("--help",), ("verify", "nothing", "--authentic-only", "--json")])
def test_a_full_disk_is_no_answer(arguments):
    with Path("/dev/full").open("wb") as full:
        run = program(*arguments, stdout=full)
    assert (run.returncode, "No space left on device [output.unwritable]" in run.stderr) == (9, True)
    assert "Traceback" not in run.stderr


def test_a_full_disk_under_standard_error_is_no_answer():
    command = [sys.executable, "-m", "strongroom", "verify", "nothing"]
    environment = os.environ | {"PYTHONPATH": str(Path(main.__file__).parents[2])}
    with Path("/dev/full").open("wb") as full:
        assert subprocess.run(command, env=environment, check=False, stderr=full).returncode == 9


@pytest.mark.parametrize(("closed", "code"), [("stdout", 9), ("stderr", 0)])
def test_closed_streams_leave_an_exit_code_that_says_what_was_written(command, monkeypatch, closed, code):
    command(lambda: None)
    monkeypatch.setattr(sys, closed, None)
    assert main.run(["act"]) == code


def test_other_faults_of_the_system_are_not_taken_for_a_full_disk(command):
    command(raising(OSError(errno.EPERM, "no")))
    with pytest.raises(OSError, match="no"):
        main.run(["act"])


@pytest.mark.parametrize("encoding", ["ascii:strict", "utf-8:strict"])
def test_a_file_name_that_the_terminal_cannot_show_is_spelled_out(monkeypatch, tmp_path, encoding):
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    project = os.fsencode(tmp_path) + b"/\xff.toml"
    run = program("init", "--product", "acme", "--project", project, stdout=subprocess.PIPE)
    assert (run.returncode, run.stderr) == (0, "")
    assert "\\udcff.toml" in run.stdout


@pytest.mark.parametrize("missing", ["click", "cheroot"])
def test_without_an_extra_the_program_says_what_to_install(monkeypatch, capsys, missing):
    for name in [n for n in sys.modules if n.startswith("strongroom.cli") or n.partition(".")[0] == missing]:
        monkeypatch.delitem(sys.modules, name)
    for name in ("strongroom.twin.listener", "strongroom.twin.server"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(sys, "argv", ["strongroom", "demo"])
    assert entry() == 9
    said = capsys.readouterr().err
    assert f"needs '{missing}" in said
    assert "pip install 'strongroom[cli,twin]'" in said


def test_usage_errors_of_click_are_ours(capsys):
    assert main.run(["no-such-command"]) == 2
    assert main.run(["verify"]) == 2
    assert "Usage:" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(main.COMMANDS))
def test_every_command_has_help_with_an_example(name, capsys):
    assert main.run([name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"  Example:  strongroom {name}") for line in lines), "on a line of its own"
    assert not any("\\b" in line for line in lines)


def test_version_and_help(capsys):
    assert main.run(["--version"]) == 0
    assert main.run(["--help"]) == 0
    assert "verify" in capsys.readouterr().out
