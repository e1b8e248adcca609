# SPDX-License-Identifier: Apache-2.0
"""A device file that programs open, use and close as /dev/tpm0, and what confused programs get."""

import contextlib
import os
import random
import select
import stat
import threading
import time

import pytest
from tests.processes import wait_until

from strongroom.errors import LocalFault
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.frame import MAX_FRAME_BYTES, encode_command, encode_response
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.nitrotpm.transports import pty_device
from strongroom.twin.nitrotpm.transports.server import TpmServer

STARTUP_CLEAR = encode_command(Cc.STARTUP, (), (), bytes(2))
GET_RANDOM = encode_command(Cc.GET_RANDOM, (), (), b"\0\x08")
SECONDS = 10


@pytest.fixture
def device(tmp_path):
    with TpmServer(Board(NitroTpm())) as server:
        server.listen_device(tmp_path / "tpm0")
        yield tmp_path / "tpm0"


@pytest.fixture
def started(device):
    with opened(device) as program:
        assert rc(answer(program, STARTUP_CLEAR)) == Rc.SUCCESS
    return device


@contextlib.contextmanager
def opened(path):
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def answer(program: int, command: bytes) -> bytes:
    assert os.write(program, command) == len(command)
    return read(program)


def read(program: int) -> bytes:
    assert select.select([program], [], [], SECONDS)[0], "no answer"
    return os.read(program, MAX_FRAME_BYTES)


def rc(response: bytes) -> int:
    return int.from_bytes(response[6:10])


def test_a_program_opens_it_and_each_command_is_answered(device):
    with opened(device) as program:
        assert rc(answer(program, STARTUP_CLEAR)) == Rc.SUCCESS
        first, second = answer(program, GET_RANDOM), answer(program, GET_RANDOM)
    assert rc(first) == rc(second) == Rc.SUCCESS
    assert first[12:] != second[12:]


def test_programs_open_it_one_after_the_other_and_it_is_the_same_tpm(started):
    for _ in range(20):
        with opened(started) as program:
            assert len(answer(program, GET_RANDOM)) == 20
    with opened(started) as program:
        assert rc(answer(program, STARTUP_CLEAR)) == Rc.INITIALIZE


def test_a_program_that_says_nothing_changes_nothing(started):
    where = started.readlink()
    for _ in range(3):
        with opened(started):
            pass
    assert started.readlink() == where
    with opened(started) as program:
        assert len(answer(program, GET_RANDOM)) == 20


def test_a_command_may_come_in_pieces(started):
    with opened(started) as program:
        for byte in GET_RANDOM:
            os.write(program, bytes([byte]))
            time.sleep(0.001)
        assert len(read(program)) == 20


def test_every_byte_goes_through_as_it_is(tmp_path):
    """Terminals have characters of their own: interrupt, erase, end of file, flow control, carriage return."""
    seen = []

    class Echo:
        def execute(self, command):
            seen.append(command)
            return encode_response(0, bytes(range(256)) * 7)

    command = encode_command(Cc.STIR_RANDOM, (), (), bytes(range(256)) * 15)
    with TpmServer(Echo()) as server:
        server.listen_device(tmp_path / "tpm0")
        with opened(tmp_path / "tpm0") as program:
            for _ in range(10):
                assert answer(program, command) == encode_response(0, bytes(range(256)) * 7)
    assert seen == [command] * 10


@pytest.mark.parametrize("size", [0, 9, MAX_FRAME_BYTES + 1, 0xFFFFFFFF])
def test_a_size_that_cannot_be_is_refused_and_the_next_command_answered(started, size):
    with opened(started) as program:
        response = answer(program, b"\x80\x01" + size.to_bytes(4) + Cc.GET_RANDOM.to_bytes(4) + bytes(2))
        assert response == encode_response(Rc.COMMAND_SIZE)
        assert len(answer(program, GET_RANDOM)) == 20


@pytest.mark.parametrize("size", [1, 9, 11])
def test_a_command_that_breaks_off_is_refused_and_the_next_one_answered(started, size):
    with opened(started) as program:
        assert rc(answer(program, GET_RANDOM[:size])) in {Rc.INSUFFICIENT, Rc.COMMAND_SIZE}
        assert len(answer(program, GET_RANDOM)) == 20


def test_a_flood_is_one_refusal(started):
    flood = random.Random(1).randbytes(20_000)
    with opened(started) as program:
        writing = threading.Thread(target=write_all, args=(program, flood))
        writing.start()
        assert rc(read(program)) != Rc.SUCCESS
        writing.join()
        assert len(answer(program, GET_RANDOM)) == 20


def write_all(program: int, data: bytes) -> None:
    while data:
        data = data[os.write(program, data) :]


def test_what_follows_a_command_before_its_response_is_dropped(started):
    with opened(started) as program:
        assert len(answer(program, GET_RANDOM + b"junk")) == 20
        assert len(answer(program, GET_RANDOM + GET_RANDOM)) == 20
        assert len(answer(program, GET_RANDOM)) == 20


def test_who_leaves_in_the_middle_leaves_nothing_behind(started):
    for bytes_sent in (GET_RANDOM[:5], GET_RANDOM):
        where = started.readlink()
        with opened(started) as program:
            os.write(program, bytes_sent)
        wait_until(lambda where=where: started.readlink() != where, "the link stays where it was")
    with opened(started) as program:
        assert len(answer(program, GET_RANDOM)) == 20
        assert not select.select([program], [], [], 0.1)[0]


def test_each_of_several_programs_gets_its_own_answers(started):
    """Each asks for as many random bytes as nobody else does."""
    with contextlib.ExitStack() as open_programs:
        programs = []
        for size in range(1, 6):
            program = open_programs.enter_context(opened(started))
            programs.append((program, size))
            assert len(answer(program, wanting(size))) == 12 + size
        for _ in range(20):
            for program, size in programs:
                os.write(program, wanting(size))
            for program, size in programs:
                assert len(read(program)) == 12 + size


def wanting(size: int) -> bytes:
    return encode_command(Cc.GET_RANDOM, (), (), size.to_bytes(2))


def test_a_read_ends_where_no_response_is_left(started):
    """AWS's client reads on until the end of its file."""
    with opened(started) as program:
        assert len(answer(program, GET_RANDOM)) == 20
        before = time.monotonic()
        assert os.read(program, 100) == b""
        assert time.monotonic() - before == pytest.approx(pty_device.READ_ENDS_SECONDS, abs=1)
        assert len(answer(program, GET_RANDOM)) == 20


def test_who_polls_waits_for_a_slow_command_and_who_reads_does_not(tmp_path, monkeypatch):
    monkeypatch.setattr(pty_device, "READ_ENDS_SECONDS", 0.1)

    class Slow:
        def execute(self, command):
            time.sleep(0.5)
            return encode_response(0)

    with TpmServer(Slow()) as server:
        server.listen_device(tmp_path / "tpm0")
        with opened(tmp_path / "tpm0") as program:
            assert answer(program, GET_RANDOM) == encode_response(0)
            os.write(program, GET_RANDOM)
            assert os.read(program, 100) == b""


def test_only_the_owner_may_open_it(started):
    for _ in range(2):
        status = started.stat()
        assert stat.S_ISCHR(status.st_mode)
        assert stat.S_IMODE(status.st_mode) == 0o600
        with opened(started) as program:
            answer(program, GET_RANDOM)


def test_closing_removes_the_path_and_serves_who_is_there(tmp_path):
    server = TpmServer(Board(NitroTpm()))
    server.listen_device(tmp_path / "tpm0")
    with opened(tmp_path / "tpm0") as program:
        answer(program, STARTUP_CLEAR)
        server.close()
        assert list(tmp_path.iterdir()) == []
        assert len(answer(program, GET_RANDOM)) == 20


def test_closing_leaves_what_others_have_put_there(tmp_path):
    with TpmServer(Board(NitroTpm())) as server:
        server.listen_device(tmp_path / "tpm0")
        (tmp_path / "tpm0").unlink()
        (tmp_path / "tpm0").write_text("kept")
    assert (tmp_path / "tpm0").read_text() == "kept"


def test_no_descriptor_and_no_thread_is_left(tmp_path):
    before = descriptors(), set(threading.enumerate())
    with TpmServer(Board(NitroTpm())) as server:
        server.listen_device(tmp_path / "tpm0")
        for _ in range(3):
            with opened(tmp_path / "tpm0") as program:
                answer(program, GET_RANDOM)
    wait_until(lambda: set(threading.enumerate()) <= before[1], "a thread is left")
    assert descriptors() <= before[0]


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- names, of which one is for the listing itself


@pytest.mark.parametrize("where", ["taken", "no/folder"])
def test_a_path_that_cannot_be_is_refused(tmp_path, where):
    (tmp_path / "taken").write_text("kept")
    with TpmServer(Board(NitroTpm())) as server, pytest.raises(LocalFault) as refused:
        server.listen_device(tmp_path / where)
    assert refused.value.code == "twin.tpm-device"
    assert (tmp_path / "taken").read_text() == "kept"


def test_a_program_is_hung_up_where_no_new_line_can_be_made(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with TpmServer(Board(NitroTpm())) as server:
        server.listen_device(folder / "tpm0")
        with opened(folder / "tpm0") as program:
            (folder / "tpm0").unlink()
            folder.rmdir()
            os.write(program, STARTUP_CLEAR)
            assert read(program) == b""
