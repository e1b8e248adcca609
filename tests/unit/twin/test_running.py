# SPDX-License-Identifier: Apache-2.0
"""Whose folder it is, and which process is the twin in it."""

import json
import os
import subprocess
import threading
import time
from dataclasses import asdict, replace

import pytest
from tests.processes import ended

from strongroom.errors import FormatError, LocalFault
from strongroom.twin.clock import SystemClock
from strongroom.twin.home import is_locked, locked, open_home
from strongroom.twin.running import RUNNING_NAME, Running, ask, birth_of, end, find_running, write_running

HERE = Running(
    pid=os.getpid(),
    born=birth_of(os.getpid()),
    since="2026-11-25T00:00:00Z",
    endpoint="http://127.0.0.1:9",
    tls_endpoint="https://127.0.0.1:9",
    region="eu-central-1",
    accounts={"vendor": "111111111111"},
    token="t",
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "twin").mkdir(mode=0o700)
    return tmp_path / "twin"


def test_one_at_a_time_has_the_folder(folder):
    with locked(folder):
        assert is_locked(folder)
        with pytest.raises(LocalFault) as caught, locked(folder):
            pass
    assert caught.value.code == "twin.running"
    assert not is_locked(folder)


def test_who_only_looks_keeps_nobody_out(folder):
    """`twin status` takes the lock for an instant, which may be that of `twin up`."""
    taken, gone = threading.Event(), threading.Event()

    def look():
        with locked(folder):
            taken.set()
            time.sleep(0.06)
        gone.set()

    threading.Thread(target=look).start()
    assert taken.wait(5)
    with locked(folder):
        assert gone.is_set()


def test_looking_makes_nothing(tmp_path):
    assert not is_locked(tmp_path / "not-there")
    assert find_running(tmp_path / "not-there") is None
    assert list(tmp_path.iterdir()) == []


def test_a_twin_is_the_process_that_wrote_it_while_it_has_the_folder(folder):
    write_running(folder, HERE)
    assert find_running(folder) is None
    with locked(folder):
        assert find_running(folder) == HERE
        write_running(folder, replace(HERE, born="another boot/1"))
        assert find_running(folder) is None
        (folder / RUNNING_NAME).unlink()
        assert find_running(folder) is None


@pytest.mark.parametrize(
    "change",
    [{"pid": "1"}, {"pid": 0}, {"accounts": []}, {"more": 1}, {"token": None}],
    ids=lambda value: next(iter(value)),
)
def test_a_file_that_is_none_of_ours_is_refused(folder, change):
    (folder / RUNNING_NAME).write_text(json.dumps(asdict(HERE) | change))
    with locked(folder), pytest.raises(FormatError):
        find_running(folder)


def test_a_process_that_has_the_id_now_is_left_alone():
    with ended(subprocess.Popen(["sleep", "60"])) as bystander:
        end(replace(HERE, pid=bystander.pid), seconds=1)
        assert bystander.poll() is None
        end(replace(HERE, pid=bystander.pid, born=birth_of(bystander.pid)), seconds=10)
        assert bystander.wait() == -15
    end(replace(HERE, pid=bystander.pid), seconds=1)


def test_a_process_that_does_not_end_is_told(tmp_path):
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    with ended(subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE)) as deaf:
        assert deaf.stdout.readline() == b"ready\n"
        with pytest.raises(LocalFault) as caught:
            end(replace(HERE, pid=deaf.pid, born=birth_of(deaf.pid)), seconds=0.3)
        deaf.stdout.close()
    assert caught.value.code == "twin.does-not-end"
    assert f"kill -9 {deaf.pid}" in caught.value.remedy


def test_a_twin_that_does_not_answer_is_told():
    with pytest.raises(LocalFault) as caught:
        ask(HERE)
    assert caught.value.code == "twin.silent"


def test_a_folder_that_is_damaged_is_given_back(folder):
    (folder / "accounts.toml").write_text("nonsense")
    with pytest.raises(FormatError), open_home(folder, accounts={}, clock=SystemClock()):
        pass
    assert not is_locked(folder)
