# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin tpm`, run as a user runs it: it says where it listens, answers there, and leaves nothing behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from strongroom.cli.main import run
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.frame import encode_command
from strongroom.formats.tpm.response_codes import Rc

GET_RANDOM = encode_command(Cc.GET_RANDOM, (), (), b"\0\x08")
SHUTDOWN = encode_command(Cc.SHUTDOWN, (), (), b"\0\0")
"""It changes what the TPM remembers."""
SECONDS = 20


@contextlib.contextmanager
def running(folder, *options: str):
    """Run the command until the block ends, and hand out what it said first."""
    command = [sys.executable, "-m", "strongroom", "twin", "tpm", "--json", *options]
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)  # tests in the background inherit that it is ignored
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    try:
        assert process.stdout
        assert process.stderr
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield json.loads(line), process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def refused(capsys, monkeypatch):
    """Run the command in this process, where it has to end by itself, and return its exit code and error."""

    def run_in(folder, *options: str) -> tuple[int, dict[str, object]]:
        monkeypatch.chdir(folder)
        code = run(["twin", "tpm", "--json", *options])
        return code, json.loads(capsys.readouterr().out)["error"]

    return run_in


def rc_of(answer: bytes) -> int:
    return int.from_bytes(answer[6:10])


def ask(port: int, command: bytes = GET_RANDOM) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(command)
        return connection.recv(4096)


def test_it_listens_where_it_says_and_is_started_if_asked(tmp_path):
    with running(tmp_path, "--swtpm", "0", "--start") as (said, _):
        assert said["ok"]
        assert rc_of(ask(said["swtpm"])) == Rc.SUCCESS
    with running(tmp_path, "--swtpm", "0") as (said, _):
        assert rc_of(ask(said["swtpm"])) == Rc.INITIALIZE


def test_a_device_is_opened_like_one_and_gone_at_the_end(tmp_path):
    with running(tmp_path, "--device", "tpm0", "--start", "--ctrl", "control") as (said, process):
        descriptor = os.open(said["device"], os.O_RDWR | os.O_NOCTTY)
        os.write(descriptor, GET_RANDOM)
        assert rc_of(os.read(descriptor, 4096)) == Rc.SUCCESS
        os.close(descriptor)
        assert (tmp_path / "control").is_socket()
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    assert list(tmp_path.iterdir()) == []


def test_banks_may_be_written_as_other_commands_do(tmp_path):
    with running(tmp_path, "--swtpm", "0", "--start", "--banks", "SHA384, sha256") as (said, _):
        assert rc_of(ask(said["swtpm"])) == Rc.SUCCESS


def test_an_interrupt_ends_it_as_every_command(tmp_path):
    with running(tmp_path, "--ctrl", "control") as (_, process):
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
    assert not (tmp_path / "control").exists()


def test_a_folder_keeps_the_instance_and_its_root(tmp_path):
    with running(tmp_path, "--ctrl", "a", "--state", "tpm", "--region", "us-west-2") as (first, _):
        root = (tmp_path / "tpm/root.pem").read_bytes()
    with running(tmp_path, "--ctrl", "b", "--state", "tpm") as (second, _):
        assert second["instance_id"] == first["instance_id"]
        assert second["region"] == "us-west-2"
        assert (tmp_path / "tpm/root.pem").read_bytes() == root
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "tpm").glob("[pt]*")} == {0o600}


def test_a_region_is_not_taken_for_another_that_the_folder_has(tmp_path, refused):
    with running(tmp_path, "--ctrl", "a", "--state", "tpm", "--region", "us-west-2"):
        pass
    code, error = refused(tmp_path, "--ctrl", "b", "--state", "tpm", "--region", "eu-central-1")
    assert (code, error["code"]) == (2, "twin.tpm-region")
    with running(tmp_path, "--ctrl", "c", "--state", "tpm", "--region", "us-west-2") as (said, _):
        assert said["region"] == "us-west-2"


def test_what_a_killed_process_leaves_is_named_with_what_to_do(tmp_path, refused):
    with running(tmp_path, "--ctrl", "control", "--device", "tpm0") as (_, process):
        process.kill()
        process.wait(SECONDS)
    for option, name, expected in (("--ctrl", "control", "twin.tpm-socket"), ("--device", "tpm0", "twin.tpm-device")):
        code, error = refused(tmp_path, option, name)
        assert (code, error["code"], "remove it" in error["remedy"]) == (9, expected, True)
        (tmp_path / name).unlink()
        with running(tmp_path, option, name):
            pass


_AS_NOBODY = """
import os, sys
from strongroom.cli import twin
from strongroom.cli.main import run
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(run(sys.argv[1:]))
"""


def test_a_folder_that_nobody_may_enter_is_refused():
    with tempfile.TemporaryDirectory() as name:  # every user may reach it, unlike pytest's own
        Path(name).chmod(0o755)
        (Path(name) / "closed").mkdir(mode=0)
        command = [sys.executable, "-c", _AS_NOBODY, "twin", "tpm", "--json", "--swtpm", "0", "--state"]
        for folder in ("closed", "closed/below"):
            found = subprocess.run(
                [*command, f"{name}/{folder}"], capture_output=True, text=True, check=False, timeout=SECONDS
            )
            assert found.stdout, found.stderr
            assert (found.returncode, "Permission denied" in found.stdout) == (9, True)


def test_without_a_folder_the_root_is_there_while_it_runs(tmp_path):
    with running(tmp_path, "--ctrl", "a") as (said, process):
        root = Path(said["root"])
        assert b"BEGIN CERTIFICATE" in root.read_bytes()
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)
        assert not root.exists()


def test_a_state_that_cannot_be_kept_is_told_where_the_tpm_runs(tmp_path):
    with running(tmp_path, "--swtpm", "0", "--state", "tpm", "--start") as (said, process):
        (tmp_path / "tpm").rename(tmp_path / "elsewhere")
        assert rc_of(ask(said["swtpm"], SHUTDOWN)) == Rc.NV_UNAVAILABLE
        (tmp_path / "elsewhere").rename(tmp_path / "tpm")
        assert rc_of(ask(said["swtpm"])) == Rc.SUCCESS
        process.send_signal(signal.SIGTERM)
        warning = " ".join(process.communicate(timeout=SECONDS)[1].split())
    assert warning.startswith("WARNING file.unwritable: cannot write tpm/tpm.json: No such file")


def test_one_process_at_a_time_has_a_folder(tmp_path, refused):
    with running(tmp_path, "--ctrl", "a", "--state", "tpm"):
        code, error = refused(tmp_path, "--ctrl", "b", "--state", "tpm")
        assert (code, error["code"]) == (9, "twin.tpm-state-in-use")


@pytest.mark.parametrize(
    ("name", "content", "code", "exits"),
    [
        ("tpm.json", b"{", "twin.tpm-state", 3),
        ("instance.json", b'{"instance_id": "me", "region": "eu-central-1"}', "twin.tpm-instance", 3),
        ("instance.json", b"x", "twin.tpm-instance", 3),
        ("pki.pem", b"-----BEGIN PRIVATE KEY-----\n", "twin.tpm-root", 3),
    ],
)
def test_damaged_files_are_refused_and_left_as_they_are(tmp_path, refused, name, content, code, exits):
    with running(tmp_path, "--ctrl", "a", "--state", "tpm", "--start"):
        pass
    (tmp_path / "tpm" / name).write_bytes(content)
    exit_code, error = refused(tmp_path, "--ctrl", "b", "--state", "tpm")
    assert (exit_code, error["code"]) == (exits, code)
    assert f"tpm/{name}" in error["message"]
    assert error["remedy"]
    assert (tmp_path / "tpm" / name).read_bytes() == content


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), "twin.tpm-unreachable"),
        (("--ctrl", "a", "--banks", "md5"), "twin.tpm-banks"),
        (("--ctrl", "a", "--banks", "sha1,sha1"), "twin.tpm-banks"),
        (("--ctrl", "a", "--region", "moon"), "usage.region"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, refused, options, code):
    exit_code, error = refused(tmp_path, *options)
    assert (exit_code, error["code"]) == (2, code)
