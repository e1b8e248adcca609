# SPDX-License-Identifier: Apache-2.0
import io
import os
import sys

import pytest

from strongroom.agent import main as main_module
from strongroom.agent.main import main
from strongroom.errors import LocalFault


@pytest.fixture(autouse=True)
def _no_effect_on_this_process(monkeypatch):
    """What the program does to its own process is tested in others (tests/flows/test_agent_program.py)."""
    monkeypatch.setattr(main_module, "forbid_core_dumps", lambda: None)
    monkeypatch.setattr(main_module, "clean_environment", lambda _: None)
    monkeypatch.setattr(main_module, "lock_memory", lambda: False)


def test_a_failure_is_one_line_with_its_code_a_remedy_and_an_exit_code(capsys, tmp_path):
    assert main(["--root", str(tmp_path), "status"]) == LocalFault.exit_code
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("strongroom-agent: no run of this boot")
    assert first.endswith("[agent.not-run]")
    assert "systemctl status strongroom-agent" in second


def test_core_dumps_are_forbidden_before_anything_else(monkeypatch, capsys):
    def refuse():
        raise LocalFault("process.dumpable", "no")

    monkeypatch.setattr(main_module, "forbid_core_dumps", refuse)
    assert main(["no such command"]) == LocalFault.exit_code
    assert "[process.dumpable]" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["fetch", "attest"])
def test_variables_are_forgotten_first(monkeypatch, tmp_path, command):
    def refuse(environment):
        assert environment is os.environ
        raise LocalFault("process.loader-variable", "no")

    monkeypatch.setattr(main_module, "clean_environment", refuse)
    assert main(["--root", str(tmp_path), command]) == LocalFault.exit_code


def test_a_document_is_not_written_to_a_terminal(monkeypatch, capsys):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stdout", Terminal())
    assert main(["attest"]) == 2
    assert "[tpm.terminal]" in capsys.readouterr().err


def test_an_interruption_is_told_by_its_exit_code(monkeypatch, capsys):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr(main_module, "forbid_core_dumps", interrupt)
    assert main(["status"]) == 130
    assert capsys.readouterr().err == "strongroom-agent: interrupted\n"


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["fetch", "--force"]])
def test_what_it_does_not_know_is_a_question_of_usage(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: strongroom-agent" in capsys.readouterr().err
