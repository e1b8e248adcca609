# SPDX-License-Identifier: Apache-2.0
"""The sandbox keeps a program from the network, this machine's files, and more than its share."""

import time

import pytest

from strongroom.errors import FormatError, LocalFault
from strongroom.imaging import sandbox
from strongroom.imaging.sandbox import INPUT, SCRATCH, Limits, find_program, python_in_sandbox, run_in_sandbox

pytestmark = [pytest.mark.slow, pytest.mark.attack("B19")]


@pytest.fixture
def run(tmp_path):
    source, scratch = tmp_path / "source", tmp_path / "scratch"
    source.write_bytes(b"input")
    scratch.mkdir()

    def call(script, *, limits=None, as_root=False):
        run_in_sandbox(("/bin/sh", "-ec", script), source=source, scratch=scratch, limits=limits, as_root=as_root)
        return {path.name: path.read_bytes() for path in scratch.iterdir() if path.is_file()}

    return call


def test_a_program_has_its_input_and_a_scratch_folder(run):
    assert run(f"cat {INPUT} > {SCRATCH}/out; pwd > where") == {"out": b"input", "where": b"/scratch\n"}


def test_a_program_has_nothing_else(run, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    for script in (
        f"cat {secret}",
        "cat /etc/passwd",
        "ls /home",
        "ls /work",
        f"echo x > {INPUT}",
        "touch /usr/x",
        "mount -t tmpfs none /tmp",
        "kill -0 $(($$ + 100000))",
    ):
        with pytest.raises(FormatError) as caught:
            run(script)
        assert caught.value.code == "sandbox.failed"
    assert run("ls /proc | grep -c '^[0-9]' > count; cat /proc/net/dev | wc -l >> count")["count"] == b"4\n3\n"
    assert secret.read_text() == "x"
    assert b"HOME" not in run("env > env")["env"]


def test_a_program_seems_to_be_root_where_it_is_asked_for(run):
    found = run("touch x; chown 5:6 x; stat -c %u:%g x > owner; mknod d c 1 3; stat -c %t:%T d >> owner", as_root=True)
    assert found["owner"] == b"5:6\n1:3\n"


@pytest.mark.parametrize(
    ("script", "limits", "code"),
    [
        ("sleep 60", Limits(seconds=0.5), "sandbox.limit"),
        ("while :; do cat /dev/zero | head -c 4000000 >> all; sleep 0.02; done", Limits(disk_bytes=20_000_000), None),
        ("head -c 3000000 /dev/zero > one", Limits(disk_bytes=4_000_000), "sandbox.failed"),
        (" ".join((*python_in_sandbox(), "-c", "'bytes(1 << 31)'")), Limits(memory_bytes=1 << 30), "sandbox.failed"),
        ("(sleep 60 &) ; sleep 60", Limits(seconds=0.5), "sandbox.limit"),
    ],
    ids=["time", "disk", "file", "memory", "children"],
)
def test_more_than_its_share_ends_it(run, script, limits, code):
    started = time.monotonic()
    with pytest.raises(FormatError) as caught:
        run(script, limits=limits)
    assert caught.value.code == code if code else caught.value.code in {"sandbox.limit", "sandbox.failed"}
    assert time.monotonic() - started < 20


def test_a_program_that_is_missing_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(sandbox.shutil, "which", lambda *_, **__: None)
    with pytest.raises(LocalFault) as caught:
        find_program("unsquashfs")
    assert caught.value.remedy == "Install it: apt-get install squashfs-tools"


def test_walls_that_cannot_be_built_are_this_machines_fault(run, monkeypatch):
    monkeypatch.setattr(sandbox, "INPUT", "/proc/1/nothing")
    with pytest.raises(LocalFault) as caught:
        run("true")
    assert caught.value.code == "sandbox.no-walls"
