# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin tpm`, run as a user runs it: it says where it listens, answers there, and leaves nothing behind."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.cli.main import run
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.frame import encode_command
from strongroom.formats.tpm.response_codes import Rc

GET_RANDOM = encode_command(Cc.GET_RANDOM, (), (), b"\0\x08")
SECONDS = 20


@contextlib.contextmanager
def running(folder, *options: str):
    """Run the command until the block ends, and hand out what it said first."""
    command = [sys.executable, "-m", "strongroom", "twin", "tpm", "--json", *options]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
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


def ask(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as connection:
        connection.sendall(GET_RANDOM)
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


def test_without_a_folder_the_root_is_there_while_it_runs(tmp_path):
    with running(tmp_path, "--ctrl", "a") as (said, process):
        root = Path(said["root"])
        assert b"BEGIN CERTIFICATE" in root.read_bytes()
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)
        assert not root.exists()


def test_one_process_at_a_time_has_a_folder(tmp_path, refused):
    with running(tmp_path, "--ctrl", "a", "--state", "tpm"):
        code, error = refused(tmp_path, "--ctrl", "b", "--state", "tpm")
        assert (code, error["code"]) == (9, "twin.tpm-state-in-use")


@pytest.mark.parametrize(
    ("name", "content", "code", "exits"),
    [
        ("tpm.json", b"{", "twin.tpm-state", 3),
        ("instance.json", b'{"instance_id": "me", "region": "eu-central-1"}', None, 3),
        ("pki.pem", b"-----BEGIN PRIVATE KEY-----\n", "twin.tpm-root", 3),
    ],
)
def test_damaged_files_are_refused_and_left_as_they_are(tmp_path, refused, name, content, code, exits):
    with running(tmp_path, "--ctrl", "a", "--state", "tpm", "--start"):
        pass
    (tmp_path / "tpm" / name).write_bytes(content)
    exit_code, error = refused(tmp_path, "--ctrl", "b", "--state", "tpm")
    assert exit_code == exits
    assert code in {None, error["code"]}
    assert (tmp_path / "tpm" / name).read_bytes() == content


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), "twin.tpm-unreachable"),
        (("--ctrl", "a", "--banks", "md5"), "twin.tpm-banks"),
        (("--ctrl", "a", "--banks", "sha1,sha1"), "twin.tpm-banks"),
        (("--ctrl", "a", "--region", "moon"), "twin.region"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path, refused, options, code):
    exit_code, error = refused(tmp_path, *options)
    assert (exit_code, error["code"]) == (2, code)
