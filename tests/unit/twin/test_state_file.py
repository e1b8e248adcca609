# SPDX-License-Identifier: Apache-2.0
"""The twin's state file: kept as a whole or not at all, by one process at a time, and left as it is when damaged."""

import sqlite3
import stat

import pytest

from strongroom.errors import FormatError, LocalFault
from strongroom.twin.state_file import VERSION, Row, StateFile

ROWS = [Row("fruit", "apple", "red"), Row("fruit", "pear", "green"), Row("tree", "apple", "tall")]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "twin.db"


@pytest.fixture
def written(path):
    with StateFile(path) as file:
        file.write(ROWS)
    return path


def read(path):
    with StateFile(path) as file:
        return [row for kind in ("fruit", "tree") for row in file.rows(kind)]


def refused(path, code):
    """Open, expect the refusal, and see that the file is as it was."""
    before = path.read_bytes()
    with pytest.raises((FormatError, LocalFault)) as caught:
        read(path)
    assert caught.value.code == code
    assert path.read_bytes() == before
    return str(caught.value)


def test_what_was_written_is_there_when_it_is_opened_again(written):
    with StateFile(written) as file:
        assert list(file.rows("fruit")) == ROWS[:2]
        file.write([Row("fruit", "pear", None), Row("fruit", "apple", "yellow")])
    with StateFile(written) as file:
        assert list(file.rows("fruit")) == [Row("fruit", "apple", "yellow")]
        assert list(file.rows("tree")) == ROWS[2:]


def test_a_new_file_is_for_its_owner_only(written):
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_an_empty_file_is_a_new_one(path):
    path.touch()
    with StateFile(path) as file:
        assert list(file.rows("fruit")) == []


def test_one_transaction_is_kept_whole_or_not_at_all(written):
    def failing():
        yield Row("fruit", "plum", "blue")
        raise sqlite3.OperationalError("the disk is full")

    with StateFile(written) as file:
        with pytest.raises(LocalFault) as caught:
            file.write(failing())
        assert caught.value.code == "twin.state-unwritable"
        assert list(file.rows("fruit")) == ROWS[:2]
        file.write([Row("fruit", "plum", "blue")])
        assert len(list(file.rows("fruit"))) == 3


def test_one_process_at_a_time_has_it(written):
    with StateFile(written) as file:
        assert "found a process that has it" in refused(written, "twin.state-in-use")
        file.write([Row("fruit", "plum", "blue")])
    with StateFile(written) as file:
        assert len(list(file.rows("fruit"))) == 3


def test_a_closed_file_takes_nothing(written):
    file = StateFile(written)
    file.close()
    file.close()
    with pytest.raises(RuntimeError):
        file.write(ROWS)


def change(path, statement):
    with sqlite3.connect(path) as database:
        database.execute(statement)
    database.close()


@pytest.mark.parametrize("statement", ["UPDATE item SET body = 'blue'", "UPDATE item SET name = name || 'x'"])
def test_a_row_that_was_changed_is_refused(written, statement):
    change(written, statement)
    assert "checksum" in refused(written, "twin.state")


def test_another_version_is_refused(written):
    change(written, f"PRAGMA user_version = {VERSION + 1}")
    assert f"expected version {VERSION}" in refused(written, "twin.state-version")


@pytest.mark.parametrize(
    "statement",
    ["PRAGMA application_id = 1", "CREATE TABLE other (name TEXT)", "ALTER TABLE item ADD COLUMN more TEXT"],
)
def test_the_database_of_another_program_is_refused(written, statement):
    change(written, statement)
    refused(written, "twin.state")


def test_what_is_no_database_is_refused(path):
    path.write_bytes(b"something that somebody may need")
    refused(path, "twin.state")


def test_a_file_that_lost_its_end_or_its_middle_is_refused(written):
    with StateFile(written) as file:
        file.write(Row("fruit", str(number), "x" * 500) for number in range(200))
    whole = written.read_bytes()
    for damaged in (whole[: len(whole) // 2], whole[:8192] + bytes(8192) + whole[16384:]):
        written.write_bytes(damaged)
        refused(written, "twin.state")


def test_no_file_can_be_in_a_folder_that_is_not_there_or_be_a_folder(tmp_path):
    for path in (tmp_path / "nowhere" / "twin.db", tmp_path):
        with pytest.raises(LocalFault) as caught:
            StateFile(path)
        assert caught.value.code == "twin.state-file"
