# SPDX-License-Identifier: Apache-2.0
"""The private folder of a run: in memory, ours alone, gone afterwards, and no leftover of a killed run survives."""

import fcntl
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from strongroom.agent.medium import expect_memory
from strongroom.cli.twin_exec import folder
from strongroom.cli.twin_exec.folder import PREFIX, find_memory, memory_folder, remove_leftovers
from strongroom.errors import LocalFault

HOLD = """
import sys
from strongroom.cli.twin_exec.folder import memory_folder
with memory_folder() as folder:
    (folder / "secret").write_text("hush")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def memory(monkeypatch):
    """A runtime folder in memory, as a session has one."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made:
        monkeypatch.setenv("XDG_RUNTIME_DIR", made)
        yield Path(made)


def held() -> "tuple[subprocess.Popen[str], Path]":
    """Another run, which holds a folder."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, Path(process.stdout.readline().strip())


def test_it_is_in_memory_ours_alone_and_gone_afterwards(memory):
    with memory_folder() as made:
        assert made.parent == memory
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        descriptor = os.open(made, os.O_RDONLY)
        expect_memory(descriptor, made)
        os.close(descriptor)
        (made / "bundle").mkdir(mode=0o711)
        (made / "bundle/secret").touch(mode=0o400)
    assert list(memory.iterdir()) == []


def test_it_goes_when_the_block_fails_too(memory):
    with pytest.raises(KeyboardInterrupt), memory_folder():
        raise KeyboardInterrupt
    assert list(memory.iterdir()) == []


def test_an_app_may_remove_it_itself(memory):
    with memory_folder() as made:
        shutil.rmtree(made)
    assert list(memory.iterdir()) == []


def test_what_a_killed_run_left_is_removed_by_the_next_and_a_living_runs_is_not(memory):
    killed, left = held()
    living, kept = held()
    killed.kill()
    killed.communicate()
    assert (left / "secret").read_text() == "hush"
    with memory_folder():
        assert not left.exists()
        assert (kept / "secret").read_text() == "hush"
    living.communicate("")
    assert living.returncode == 0
    assert list(memory.iterdir()) == []


def test_only_what_a_run_of_ours_has_left_is_removed(memory):
    (memory / f"{PREFIX}file").write_text("a file")
    (memory / "other").mkdir()
    (memory / f"{PREFIX}link").symlink_to(memory / "other")
    remove_leftovers(memory)
    assert sorted(path.name for path in memory.iterdir()) == sorted((f"{PREFIX}file", "other", f"{PREFIX}link"))


@pytest.mark.skipif(os.geteuid() != 0, reason="a folder of another user needs root")
def test_the_folders_of_other_users_stay(memory):
    other = memory / f"{PREFIX}other"
    other.mkdir()
    os.chown(other, 65534, 65534)
    remove_leftovers(memory)
    assert other.is_dir()


@pytest.mark.parametrize("taken_by", ["mkdtemp", "flock"])
def test_a_folder_that_another_run_takes_for_a_leftover_is_made_again(memory, monkeypatch, taken_by):
    made = []

    def make(**options):
        made.append(tempfile.mkdtemp(**options))
        if taken_by == "mkdtemp" and len(made) == 1:
            Path(made[0]).rmdir()
        return made[-1]

    def lock(descriptor, kind):
        if taken_by == "flock" and len(made) == 1:
            Path(made[0]).rmdir()
        fcntl.flock(descriptor, kind)

    monkeypatch.setattr(folder, "tempfile", SimpleNamespace(mkdtemp=make))
    monkeypatch.setattr(folder, "fcntl", SimpleNamespace(flock=lock, LOCK_EX=fcntl.LOCK_EX, LOCK_NB=fcntl.LOCK_NB))
    with memory_folder() as path:
        assert [str(path)] == made[1:]


def test_a_place_without_room_is_told(memory, monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(folder, "tempfile", SimpleNamespace(mkdtemp=full))
    with pytest.raises(LocalFault) as caught, memory_folder():
        pytest.fail("there was no room")
    assert caught.value.code == "exec.no-folder"
    assert str(memory) in caught.value.message


def test_a_runtime_folder_on_disk_is_not_used(monkeypatch, tmp_path):
    on_disk = tmp_path if not str(tmp_path).startswith("/dev/shm") else Path.home()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(on_disk))
    assert find_memory() == Path("/dev/shm")


@pytest.mark.parametrize("named", ["relative", "", "/no/such/folder"])
def test_a_runtime_folder_that_is_none_is_not_used(monkeypatch, named):
    monkeypatch.setenv("XDG_RUNTIME_DIR", named)
    assert find_memory() == Path("/dev/shm")


def test_a_runtime_folder_that_others_can_change_is_not_used(memory):
    memory.chmod(0o777)
    assert find_memory() == Path("/dev/shm")
    memory.chmod(0o1777)
    assert find_memory() == memory, "as /dev/shm is: nobody can rename what is another's"


@pytest.mark.skipif(os.geteuid() != 0, reason="a folder of another user needs root")
def test_a_runtime_folder_of_another_user_is_not_used(memory):
    os.chown(memory, 65534, 65534)
    assert find_memory() == Path("/dev/shm")


def test_without_memory_nothing_is_made(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(folder, "_SHARED_MEMORY", tmp_path)
    monkeypatch.setattr(folder, "expect_memory", refuse)
    with pytest.raises(LocalFault) as caught, memory_folder():
        pytest.fail("there was no memory")
    assert caught.value.code == "exec.no-memory"
    assert list(tmp_path.iterdir()) == []


def refuse(descriptor, shown, **_):
    raise LocalFault("delivery.on-disk", f"{shown} is on disk")


def test_what_cannot_be_removed_is_told_with_its_place(memory, monkeypatch):
    def stubborn(path):
        raise OSError(16, "Device or resource busy", str(path))

    monkeypatch.setattr(folder, "shutil", SimpleNamespace(rmtree=stubborn))
    with pytest.raises(LocalFault) as caught, memory_folder() as made:
        pass
    assert caught.value.code == "exec.left-behind"
    assert str(made) in caught.value.message
    assert str(made) in caught.value.remedy


def test_what_still_writes_is_tried_again(memory, monkeypatch):
    attempts = []

    def late(path):
        attempts.append(path)
        if len(attempts) == 1:
            raise OSError(39, "Directory not empty")
        shutil.rmtree(path)

    monkeypatch.setattr(folder, "shutil", SimpleNamespace(rmtree=late))
    with memory_folder():
        pass
    assert len(attempts) == 2
    assert list(memory.iterdir()) == []
