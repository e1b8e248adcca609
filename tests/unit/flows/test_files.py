# SPDX-License-Identifier: Apache-2.0
"""Files are whole or absent: under kill -9, on a full disk, and for users who may not read or write them."""

import os
import random
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from strongroom.errors import FormatError, LocalFault
from strongroom.flows import files
from strongroom.flows.files import PRIVATE_MODE, PUBLIC_MODE, read_file, write_file

SOURCE = str(Path(files.__file__).parents[2])


def child(code, *arguments, **options):
    """Run Python code that may use strongroom in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], env=environment, **options)


def refused(kind, code, call, *arguments, **named):
    with pytest.raises(kind) as caught:
        call(*arguments, **named)
    assert caught.value.code == code, caught.value
    return caught.value


def test_what_was_written_is_read(tmp_path):
    write_file(tmp_path / "f", b"content", mode=PRIVATE_MODE)
    assert read_file(tmp_path / "f", maximum_bytes=7) == b"content"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("mode", [PRIVATE_MODE, PUBLIC_MODE])
def test_the_mode_is_exact_whatever_the_umask(tmp_path, mode):
    before = os.umask(0o077)
    try:
        write_file(tmp_path / "f", b"x", mode=mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == mode


def test_a_file_is_replaced_not_followed(tmp_path):
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    write_file(tmp_path / "link", b"new", mode=PUBLIC_MODE)
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert not (tmp_path / "link").is_symlink()


def test_what_cannot_be_read_is_named(tmp_path):
    refused(LocalFault, "file.missing", read_file, tmp_path / "absent", maximum_bytes=1)
    refused(LocalFault, "file.directory", read_file, tmp_path, maximum_bytes=1)
    (tmp_path / "empty").touch()
    refused(FormatError, "file.empty", read_file, tmp_path / "empty", maximum_bytes=1)
    (tmp_path / "large").write_bytes(b"xx")
    refused(FormatError, "file.too-large", read_file, tmp_path / "large", maximum_bytes=1)
    (tmp_path / "file").write_bytes(b"x")
    refused(LocalFault, "file.unreadable", read_file, tmp_path / "file" / "below", maximum_bytes=1)


def test_an_endless_file_is_read_no_further_than_the_limit():
    refused(FormatError, "file.too-large", read_file, Path("/dev/zero"), maximum_bytes=1 << 20)


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    error = refused(LocalFault, "file.unwritable", write_file, tmp_path / "no" / "f", b"x", mode=PUBLIC_MODE)
    assert error.remedy
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    refused(LocalFault, "file.not-a-file", write_file, tmp_path / "folder", b"x", mode=PUBLIC_MODE)
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize("name", ["file/below", "x" * 300], ids=["below a file", "too long"])
def test_a_place_where_no_file_can_be_is_refused_like_any_other(tmp_path, name):
    (tmp_path / "file").write_bytes(b"old")
    refused(LocalFault, "file.unwritable", write_file, tmp_path / name, b"x", mode=PUBLIC_MODE)
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_device_or_a_pipe_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    for name in ("pipe", "link"):
        refused(LocalFault, "file.not-a-file", write_file, tmp_path / name, b"x", mode=PUBLIC_MODE)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("descriptor", ["file", "closed"])
def test_a_name_of_an_open_file_is_not_replaced_like_a_link_to_a_file(tmp_path, descriptor):
    """As root, `-o /dev/stdout` with output redirected to a file would leave this machine without /dev/stdout."""
    with (tmp_path / "redirected").open("wb") as file:
        number = file.fileno() if descriptor == "file" else 999_999
        (tmp_path / "stdout").symlink_to(f"/proc/self/fd/{number}")
        refused(LocalFault, "file.not-a-file", write_file, tmp_path / "stdout", b"x", mode=PUBLIC_MODE)
    assert (tmp_path / "stdout").is_symlink()
    assert (tmp_path / "redirected").read_bytes() == b""


def test_what_is_too_large_is_called_what_it_looks_like(tmp_path):
    (tmp_path / "program").write_bytes(b"\x7fELF" + bytes(100))
    error = refused(FormatError, "file.too-large", read_file, tmp_path / "program", maximum_bytes=10)
    assert "an ELF program" in error.message


_AS_NOBODY = """
import os, sys
from pathlib import Path
from strongroom.errors import LocalFault
from strongroom.flows.files import read_file, write_file
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
for call in (
    lambda: read_file(Path(sys.argv[1]), maximum_bytes=9),
    lambda: write_file(Path(sys.argv[2]), b"new", mode=0o600),
):
    try:
        call()
    except LocalFault as error:
        print(error.code, error)
"""


@pytest.fixture
def open_folder():
    """A folder that every user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_permissions_are_honoured(open_folder):
    closed = open_folder / "closed"
    closed.mkdir()
    (closed / "secret").write_bytes(b"secret")
    (closed / "secret").chmod(0)
    closed.chmod(0o555)
    run = child(_AS_NOBODY, closed / "secret", closed / "new", stdout=subprocess.PIPE, text=True)
    said = run.communicate(timeout=60)[0].splitlines()
    closed.chmod(0o755)
    assert run.returncode == 0
    assert [line.split()[0] for line in said] == ["file.unreadable", "file.unwritable"]
    assert all("Permission denied" in line for line in said)
    assert [p.name for p in closed.iterdir()] == ["secret"]


_FULL = """
import resource, signal, sys
from pathlib import Path
from strongroom.errors import LocalFault
from strongroom.flows.files import write_file
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    write_file(Path(sys.argv[1]), b"n" * 1_000_000, mode=0o600)
except LocalFault as error:
    print(error.code, error.exit_code)
"""


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "f").write_bytes(b"old")
    run = child(_FULL, tmp_path / "f", stdout=subprocess.PIPE, text=True)
    assert run.communicate(timeout=60)[0].split() == ["file.unwritable", "9"]
    assert (tmp_path / "f").read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 65_536


_FOREVER = """
import sys
from pathlib import Path
from strongroom.flows.files import write_file
print("ready", flush=True)
for number in range(10**9):
    write_file(Path(sys.argv[1]), bytes([number % 256]) * 2_000_000, mode=0o600)
"""


@pytest.mark.slow
def test_kill_9_at_any_instant_leaves_the_old_file_or_the_new_one(tmp_path):
    seed = random.randrange(2**32)
    sys.stdout.write(f"seed {seed}\n")  # pytest shows it when the test fails
    instants = random.Random(seed)
    target = tmp_path / "f"
    for _ in range(12):
        run = child(_FOREVER, target, stdout=subprocess.PIPE)
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        time.sleep(instants.uniform(0, 0.15))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        if target.exists():
            content = target.read_bytes()
            assert len(content) == 2_000_000
            assert content == content[:1] * len(content)
    leftovers = [p.name for p in tmp_path.iterdir() if p != target]
    assert all(name.startswith(".f.") and name.endswith(".part") for name in leftovers)


def test_the_data_is_on_disk_before_the_name_and_the_name_after(tmp_path, monkeypatch):
    steps = []
    real_fsync = os.fsync

    def fsync(descriptor):
        steps.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        real_fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    real_replace = Path.replace

    def replace(self, to):
        steps.append("replace")
        return real_replace(self, to)

    monkeypatch.setattr(Path, "replace", replace)
    write_file(tmp_path / "f", b"x", mode=PRIVATE_MODE)
    assert steps == ["file", "replace", "folder"]
