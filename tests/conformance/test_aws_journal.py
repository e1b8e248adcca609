# SPDX-License-Identifier: Apache-2.0
"""The journal of a run: what it says after a run that ended anywhere, and what it does not believe."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from conformance.aws.journal import BadJournalError, Journal, JournalInUseError, Thing
from tests.conformance.aws_world import ACCOUNT, account
from tests.conformance.suite import ROOT

KEY, ROLE = Thing("src-1", "key", "src-1-1-key1"), Thing("src-1", "role", "src-1-1-app")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "folder" / "journal"


def left(file):
    with Journal(file) as journal:
        return journal.left


def test_what_was_intended_created_and_not_removed_is_left_the_latest_first(file):
    with Journal(file) as journal:
        journal.intend(KEY)
        assert left_by_another_reader(file) == [KEY.name], "before the call"
        known = journal.created(KEY, "arn:key")
        journal.intend(ROLE)
    assert left(file) == (ROLE, replace(KEY, arn="arn:key"))
    with Journal(file) as journal:
        journal.gone(known)
    assert left(file) == (ROLE,)


def left_by_another_reader(file):
    return [line.split('"name": "')[1].split('"')[0] for line in file.read_text().splitlines()]


def test_a_journal_of_nothing_is_emptied(file):
    with Journal(file) as journal:
        journal.intend(KEY)
        journal.gone(KEY)
    assert left(file) == ()
    assert file.read_text() == ""


def test_a_line_that_was_cut_off_was_followed_by_no_call(file):
    with Journal(file) as journal:
        journal.intend(KEY)
        journal.intend(ROLE)
    whole = file.read_bytes()
    for length in range(len(whole) // 2 + 1, len(whole)):
        file.write_bytes(whole[:length])
        assert left(file) == (KEY,)
        assert file.read_bytes().endswith(b"}\n")


@pytest.mark.parametrize(
    "line",
    [
        "not JSON",
        "[]",
        "{}",
        '{"state": "created"}',
        '{"state": "created", "run": "", "kind": "", "name": "", "x": ""}',
        "",
        # Somebody else's alias, which carries no tag by which that could be seen.
        '{"state": "created", "run": "src-1", "kind": "alias", "name": "production"}',
        '{"state": "created", "run": "production", "kind": "alias", "name": "production-db"}',
    ],
)
def test_nothing_is_cleared_away_by_a_line_that_no_run_wrote(file, line):
    with Journal(file) as journal:
        journal.intend(KEY)
    with file.open("a") as stream:
        stream.write(line + "\n")
    before = file.read_bytes()
    with pytest.raises(BadJournalError, match="no run wrote"):
        Journal(file)
    assert file.read_bytes() == before
    with pytest.raises(BadJournalError):
        Journal(file)


def test_one_run_at_a_time_has_it(file):
    with Journal(file), pytest.raises(JournalInUseError, match="another run"):
        Journal(file)
    assert left(file) == ()


# --- a run that is ended from outside ---------------------------------------------------------------------------------


@pytest.fixture
def tried(tmp_path, monkeypatch):
    with account(tmp_path, monkeypatch) as found:
        yield found


def started(tried, *only):
    """Start the program, which waits for long before it asks; return it when it has set everything up."""
    command = [sys.executable, "-m", "conformance.aws", "--confirm", ACCOUNT, "--settle", "120", "--patience", "0"]
    command += ["--journal", str(tried.journal), "--report", str(tried.folder / "report")]
    command += [part for row in only for part in ("--only", row)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if tried.journal.exists() and tried.journal.read_text().count('"created"') >= 4:
            time.sleep(0.5)
            return process
        time.sleep(0.1)
    process.kill()
    raise AssertionError(process.communicate()[0])


@pytest.mark.slow
def test_what_a_killed_run_left_is_cleared_away_by_the_next_one(tried, capsys):
    process = started(tried, "grant-allows", "bare-names")
    process.kill()
    process.communicate()
    foreign = tried.make_client("kms").create_key()["KeyMetadata"]["Arn"]
    assert len(tried.keys_in_use()) >= 3
    assert tried.principals()
    assert tried.run("--only", "pages") == 0
    assert "things of an earlier run" in capsys.readouterr().out
    assert tried.keys_in_use() == [foreign]
    assert tried.principals() == []
    assert not tried.twin.kms._store._aliases
    assert left(tried.journal) == ()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_asked_to_end_clears_away_first(tried, number):
    process = started(tried, "grant-allows", "bare-names")
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3, output
    assert "The run was interrupted." in output
    assert tried.keys_in_use() == []
    assert tried.principals() == []
    assert not tried.twin.kms._store._aliases
    assert left(tried.journal) == ()
