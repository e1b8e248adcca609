# SPDX-License-Identifier: Apache-2.0
import errno
import os
import select
import time

import pytest
from tests.tpm_on_pty import tpm_on_pty
from tests.tpm_wire import response

from strongroom.errors import LocalFault, StrongroomError, TpmFault
from strongroom.formats.tpm.algorithms import Alg
from strongroom.tpm import device
from strongroom.tpm.connection import Connection
from strongroom.tpm.device import BUSY_SECONDS, open_tpm
from strongroom.tpm.pcrs import read_pcrs

COMMAND = response(0x17A)


def fault(*arguments, **options) -> StrongroomError:
    with pytest.raises(StrongroomError) as caught, open_tpm(*arguments, **options) as opened:
        opened.transmit(COMMAND)
    return caught.value


@pytest.fixture
def busy(monkeypatch):
    """Let opening a device answer EBUSY so many times; return the paths that were opened."""
    genuine = os.open
    left = {}
    opened = []

    def opening(path, flags, *rest):
        if str(path) in left:
            opened.append(str(path))
            left[str(path)] -= 1
            if left[str(path)] >= 0:
                raise OSError(errno.EBUSY, "busy")
            path = "/dev/null"
        return genuine(path, flags, *rest)

    monkeypatch.setattr(device.os, "open", opening)
    return left, opened


def test_a_tpm_behind_a_device_answers_whatever_the_size_of_its_pieces(tpm):
    with tpm_on_pty(tpm.execute) as path, open_tpm(path) as opened:
        assert len(read_pcrs(Connection(opened), Alg.SHA512)) == 24


def test_the_device_is_closed_after_an_error():
    before = len(list(device.Path("/proc/self/fd").iterdir()))
    with pytest.raises(ValueError, match="ours"), open_tpm(device.Path("/dev/null")):
        raise ValueError("ours")
    assert len(list(device.Path("/proc/self/fd").iterdir())) == before


def test_a_path_that_leads_to_a_file_between_the_look_and_the_opening_gets_no_command(tmp_path, monkeypatch):
    path, swapped = tmp_path / "tpm0", tmp_path / "file"
    path.symlink_to("/dev/null")
    swapped.write_bytes(b"kept")
    genuine = os.open

    def opening(asked, flags):
        path.unlink()
        path.symlink_to(swapped)
        return genuine(asked, flags)

    monkeypatch.setattr(device.os, "open", opening)
    assert fault(path).code == "tpm.not-a-device"
    assert swapped.read_bytes() == b"kept"


def test_a_machine_without_a_tpm_says_what_to_look_at(tmp_path):
    found = fault(tmp_path / "tpm0")
    assert isinstance(found, TpmFault)
    assert found.code == "tpm.absent"
    assert found.exit_code == 7
    assert "NitroTPM" in found.remedy


@pytest.mark.parametrize("kind", ["file", "folder", "pipe"])
def test_what_is_no_character_device_is_not_opened(tmp_path, kind):
    path = tmp_path / "thing"
    {"file": lambda: path.write_bytes(b"kept"), "folder": path.mkdir, "pipe": lambda: os.mkfifo(path)}[kind]()
    found = fault(path)
    assert isinstance(found, LocalFault)
    assert found.code == "tpm.not-a-device"
    assert kind != "file" or path.read_bytes() == b"kept"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, "tpm.permission"),
        (errno.EPERM, "tpm.permission"),
        (errno.ENXIO, "tpm.absent"),
        (errno.ENODEV, "tpm.absent"),
        (errno.EIO, "tpm.unopenable"),
    ],
)
def test_other_reasons_are_told_apart(monkeypatch, number, code):
    def opening(*_):
        raise OSError(number, "why")

    monkeypatch.setattr(device.os, "open", opening)
    assert fault(device.Path("/dev/null")).code == code


def test_a_busy_device_is_waited_for(busy):
    left, opened = busy
    left["/dev/null"] = 3
    pauses = []
    with open_tpm(device.Path("/dev/null"), sleep=pauses.append):
        pass
    assert len(opened) == 4
    assert len(pauses) == 3
    assert pauses == sorted(pauses)


def test_a_device_that_stays_busy_is_given_up(busy):
    left, _ = busy
    left["/dev/null"] = 10_000
    pauses = []
    found = fault(device.Path("/dev/null"), sleep=pauses.append)
    assert found.code == "tpm.busy"
    assert sum(pauses) == pytest.approx(BUSY_SECONDS)


@pytest.fixture
def devices(tmp_path, monkeypatch):
    """Two names of a character device in place of /dev/tpm0 and /dev/tpmrm0."""
    names = tmp_path / "tpm0", tmp_path / "tpmrm0"
    for name in names:
        name.symlink_to("/dev/null")
    monkeypatch.setattr(device, "DEVICE", names[0])
    monkeypatch.setattr(device, "RESOURCE_MANAGER", names[1])
    return names


def test_the_resource_manager_is_the_second_choice_while_the_device_stays_busy(busy, devices):
    left, opened = busy
    left.update({str(devices[0]): 10_000, str(devices[1]): 0})
    with open_tpm(sleep=lambda _: None):
        pass
    assert opened[-1] == str(devices[1])
    assert set(opened[:-1]) == {str(devices[0])}


def test_without_a_resource_manager_busy_is_busy(busy, devices):
    left, _ = busy
    left[str(devices[0])] = 10_000
    devices[1].unlink()
    assert fault(sleep=lambda _: None).code == "tpm.busy"


def test_a_device_that_was_named_is_the_only_one(busy, devices):
    left, opened = busy
    left.update({str(devices[0]): 10_000, str(devices[1]): 0})
    assert fault(devices[0], sleep=lambda _: None).code == "tpm.busy"
    assert str(devices[1]) not in opened


def test_an_absent_device_is_not_replaced_by_the_resource_manager(devices):
    devices[0].unlink()
    assert fault().code == "tpm.absent"


@pytest.mark.parametrize(
    ("path", "words"),
    [("/dev/null", "answered with 0 bytes"), ("/dev/full", "failed: No space left"), ("/dev/zero", "too short")],
)
def test_a_device_that_is_no_tpm_is_a_fault(path, words):
    if path == "/dev/zero":
        with open_tpm(device.Path(path)) as opened, pytest.raises(TpmFault) as caught:
            Connection(opened).run(ask())
        assert caught.value.code == "tpm.answer"
    else:
        found = fault(device.Path(path))
        assert found.code == "tpm.device"
        assert words in str(found)


def ask():
    from strongroom.tpm.commands import get_capability

    return get_capability(6, 0x12C, 1)


@pytest.mark.parametrize("lost", [False, True])
def test_the_response_of_an_interrupted_command_is_not_taken_for_the_next(monkeypatch, lost):
    """The signal comes before the response is read, or after."""
    answers = {COMMAND: response(0, b"first"), COMMAND[:-1] + b"x": response(0, b"second")}
    genuine = os.read

    def interrupted(descriptor, size):
        if descriptor != opened._descriptor:  # the other end of the line reads in this process, too
            return genuine(descriptor, size)
        monkeypatch.setattr(device.os, "read", genuine)
        select.select([descriptor], [], [])
        if lost:
            time.sleep(0.1)  # all of it is there
            genuine(descriptor, size)
        raise KeyboardInterrupt

    with tpm_on_pty(answers.__getitem__) as path, open_tpm(path) as opened:
        monkeypatch.setattr(device.os, "read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            opened.transmit(COMMAND)
        assert opened.transmit(COMMAND[:-1] + b"x") == response(0, b"second")


def test_an_answer_that_does_not_end_is_cut_off():
    with tpm_on_pty(lambda command: b"\x80\x01\0\0\x20\0" + bytes(8186)) as path:
        assert fault(path).code == "tpm.device"


def test_a_command_that_is_taken_in_part_is_a_fault(monkeypatch):
    monkeypatch.setattr(device.os, "write", lambda descriptor, data: len(data) - 1)
    assert "took 9 of 10 bytes" in str(fault(device.Path("/dev/null")))
