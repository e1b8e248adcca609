# SPDX-License-Identifier: Apache-2.0
"""How machines begin and end, as root and as an ordinary user, and that they leave nothing behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.boot.guest_disk import busybox_image, disk_of
from tests.processes import ended, wait_until

from strongroom.errors import LocalFault
from strongroom.formats.efi_variables import EfiVariables
from strongroom.measure.predict import measure_image
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.qemu.hardware import Hardware
from strongroom.twin.qemu.machine import Cause, Machine
from strongroom.twin.qemu.variables import file_option, option_variables, secure_boot_variables

pytestmark = pytest.mark.slow

SECONDS = 180
WITHOUT_PRIVILEGES = ["setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all", "--no-new-privs"]
"""Root as good as without capabilities: this one Linux wants of whoever maps the user 0."""
OPTIONS = "console=ttyS0 added=yes"


@pytest.fixture(scope="module")
def image(parts):
    return busybox_image(parts, 'case "$(cat /proc/cmdline)" in *added=yes*) echo ADDED;; esac')


@pytest.fixture(scope="module")
def disk(image, tmp_path_factory):
    path = tmp_path_factory.mktemp("disk") / "a, disk: fat.raw"
    path.write_bytes(disk_of(image))
    return path


def started(disk: Path, *prefix: str) -> "subprocess.Popen[bytes]":
    command = [*prefix, sys.executable, "-m", "tests.boot.boot_once", str(disk), str(SECONDS)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=Path(__file__).parents[2])


def emulators_of(disk: Path) -> list[int]:
    """The processes that have this disk in their command line, but for those that were given it by us."""
    found = []
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = each.read_bytes()
        except OSError:
            continue
        if b"file.filename=" in line and os.fsencode(disk.parent) in line:
            found.append(int(each.parent.name))
    return found


def test_an_ordinary_user_boots_an_image_and_measures_what_was_predicted(image, disk):
    prefix = WITHOUT_PRIVILEGES if os.geteuid() == 0 else []
    with ended(started(disk, *prefix)) as process:
        said = process.communicate()[0].decode()
    assert "ENDED guest-shutdown" in said
    assert f"PCR4 {measure_image(image, secure_boot=None).pcrs[4].hex()}" in said
    assert not emulators_of(disk)


def test_a_machine_does_not_outlive_whoever_started_it_even_killed(disk):
    with ended(started(disk)) as process:
        assert process.stdout
        with process.stdout as said:
            assert said.readline() == b"RUNNING\n"
        assert emulators_of(disk)
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not emulators_of(disk), "QEMU goes on", seconds=20)


def test_variables_of_hostile_owners_and_of_aws_reach_the_firmware(image, disk, keys):
    option = file_option(r"\EFI\BOOT\BOOTX64.EFI", command_line=OPTIONS)
    variables = EfiVariables(option_variables("Boot", [option], first=0x42))
    tpm = NitroTpm()
    with Machine(Hardware(disk, variables, memory_mib=512), tpm=Board(tpm)) as machine:
        machine.switch_on()
        ending = machine.wait(SECONDS)
    assert ending
    assert ending.cause is Cause.POWERED_OFF, machine.console.text[-2000:]
    assert "ADDED" in machine.console.text
    assert tpm.pcrs()[12] != bytes(48)
    found = machine.variables().content("Boot0042")
    assert OPTIONS.encode("utf-16-le") in found, "the store can be read after the end, too"
    with Machine(Hardware(disk, EfiVariables(secure_boot_variables(keys)), memory_mib=512)) as machine:
        machine.switch_on()
        assert machine.console.wait_for("Access Denied", seconds=SECONDS), "Secure Boot is on: nobody signed it"
        ending = machine.stop(Cause.TIMED_OUT)
    assert ending.cause is Cause.TIMED_OUT


def test_a_machine_that_resets_itself_has_ended(parts, tmp_path):
    (tmp_path / "disk").write_bytes(disk_of(busybox_image(parts, "reboot -f")))
    with Machine(Hardware(tmp_path / "disk", memory_mib=512)) as machine:
        machine.switch_on()
        ending = machine.wait(SECONDS)
    assert ending
    assert ending.cause is Cause.RESET


def test_a_disk_that_is_not_there_is_said_and_nothing_is_left(tmp_path):
    with pytest.raises(LocalFault) as caught, Machine(Hardware(tmp_path / "none")) as machine:
        machine.switch_on()
    assert caught.value.code == "qemu.not-started"
    assert "No such file" in str(caught.value)


def test_where_namespaces_are_forbidden_it_is_said_what_would_allow_them(disk, tmp_path, monkeypatch):
    (tmp_path / "unshare").write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LocalFault) as caught, Machine(Hardware(disk)):
        pytest.fail("a machine was made")
    assert caught.value.code == "qemu.no-namespace"
    assert "Operation not permitted" in str(caught.value)
    assert "user.max_user_namespaces" in caught.value.remedy
