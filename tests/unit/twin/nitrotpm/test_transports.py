# SPDX-License-Identifier: Apache-2.0
"""What QEMU and tcti-swtpm ask of the two channels, and what a confused client gets."""

import array
import contextlib
import errno
import os
import socket
import stat
from pathlib import Path
from unittest.mock import Mock

import pytest

from strongroom.errors import LocalFault
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.frame import MAX_FRAME_BYTES, encode_command
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.tpm import NitroTpm
from strongroom.twin.nitrotpm.transports import server
from strongroom.twin.nitrotpm.transports.control_channel import CAPABILITIES, Control, Result
from strongroom.twin.nitrotpm.transports.server import TpmServer

STARTUP_CLEAR = encode_command(Cc.STARTUP, (), (), bytes(2))
GET_RANDOM = encode_command(Cc.GET_RANDOM, (), (), b"\0\x08")
SECONDS = 10


class Endpoints:
    """A TPM that listens everywhere it can."""

    def __init__(self, folder):
        self.board = Board(NitroTpm())
        self.server = TpmServer(self.board)
        self.port = self.server.listen_tcp()
        self.control, self.data = folder / "control", folder / "data"
        self.server.listen_control(self.control)
        self.server.listen_data(self.data)


@pytest.fixture
def tpm(tmp_path):
    endpoints = Endpoints(tmp_path)
    with endpoints.server:
        yield endpoints


def connect(where):
    connection = socket.socket(socket.AF_INET if isinstance(where, int) else socket.AF_UNIX)
    connection.settimeout(SECONDS)
    connection.connect(("127.0.0.1", where) if isinstance(where, int) else str(where))
    return contextlib.closing(connection)


def answer(connection, message: bytes, size: int) -> bytes:
    connection.sendall(message)
    return received(connection, size)


def received(connection, size: int) -> bytes:
    data = b""
    while len(data) < size and (piece := connection.recv(size - len(data))):
        data += piece
    return data


def rc(response: bytes) -> int:
    return int.from_bytes(response[6:10])


def control(code: int, body: bytes = b"") -> bytes:
    return code.to_bytes(4) + body


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_commands_are_answered_one_after_the_other(tpm, kind):
    with connect(tpm.port if kind == "tcp" else tpm.data) as connection:
        assert rc(answer(connection, STARTUP_CLEAR, 10)) == Rc.SUCCESS
        first, second = answer(connection, GET_RANDOM, 20), answer(connection, GET_RANDOM, 20)
    assert rc(first) == rc(second) == Rc.SUCCESS
    assert first[12:] != second[12:]


def test_a_command_may_come_in_pieces_and_two_at_once(tpm):
    with connect(tpm.port) as connection:
        for byte in STARTUP_CLEAR:
            connection.sendall(bytes([byte]))
        assert rc(received(connection, 10)) == Rc.SUCCESS
        assert len(answer(connection, GET_RANDOM + GET_RANDOM, 40)) == 40


@pytest.mark.parametrize("size", [0, 9, MAX_FRAME_BYTES + 1, 0xFFFFFFFF])
def test_a_size_that_cannot_be_ends_the_connection_with_a_response(tpm, size):
    with connect(tpm.port) as connection:
        response = answer(connection, b"\x80\x01" + size.to_bytes(4) + Cc.GET_RANDOM.to_bytes(4), 11)
    assert rc(response) == Rc.COMMAND_SIZE
    assert len(response) == 10


def test_a_command_that_breaks_off_changes_nothing(tpm):
    with connect(tpm.port) as connection:
        connection.sendall(STARTUP_CLEAR[:-1])
    with connect(tpm.port) as connection:
        assert rc(answer(connection, GET_RANDOM, 10)) == Rc.INITIALIZE


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_the_board_is_asked_for_what_it_can_and_no_more(tpm, kind):
    with connect(tpm.port + 1 if kind == "tcp" else tpm.control) as connection:
        assert answer(connection, control(Control.GET_CAPABILITY), 8) == CAPABILITIES.to_bytes(8)
        assert answer(connection, control(Control.SET_BUFFERSIZE, (4096).to_bytes(4)), 16)[:8] == bytes(6) + b"\x10\0"
        assert answer(connection, control(Control.GET_TPM_ESTABLISHED), 8) == bytes(8)
        assert answer(connection, control(0x0C), 4) == Result.BAD_ORDINAL.to_bytes(4)  # state blobs
        assert answer(connection, b"\0", 4) == Result.BAD_PARAMETER.to_bytes(4)


def test_every_capability_that_is_claimed_is_carried_out(tpm):
    """PTM_CAP_* has a bit for each command but the first, in another order where STORE_VOLATILE stands between."""
    bits = {Control.INIT: 0, Control.SHUTDOWN: 1, Control.GET_TPM_ESTABLISHED: 2, Control.SET_LOCALITY: 3}
    bits |= {Control.CANCEL_TPM_CMD: 5, Control.RESET_TPM_ESTABLISHED: 7, Control.STOP: 10}
    bits |= {Control.SET_DATAFD: 12, Control.SET_BUFFERSIZE: 13}
    assert sum(1 << bit for bit in bits.values()) == CAPABILITIES
    assert {*bits, Control.GET_CAPABILITY} == set(Control)
    with connect(tpm.control) as connection:
        for code in bits:
            assert answer(connection, control(code, bytes(4)), 4) != Result.BAD_ORDINAL.to_bytes(4)
            connection.settimeout(0.05)
            with contextlib.suppress(TimeoutError):
                connection.recv(64)  # the rest of a longer answer
            connection.settimeout(SECONDS)


def test_power_goes_and_comes_with_init(tpm):
    with connect(tpm.data) as data, connect(tpm.control) as board:
        assert rc(answer(data, STARTUP_CLEAR, 10)) == Rc.SUCCESS
        assert rc(answer(data, STARTUP_CLEAR, 10)) == Rc.INITIALIZE
        assert answer(board, control(Control.INIT, bytes(4)), 4) == bytes(4)
        assert rc(answer(data, STARTUP_CLEAR, 10)) == Rc.SUCCESS


@pytest.mark.parametrize("padding", [b"", b"\0\0\0"], ids=["tcti-swtpm", "qemu"])
def test_a_locality_is_set_by_one_byte_or_by_a_union(tpm, padding):
    with connect(tpm.control) as board:
        assert answer(board, control(Control.SET_LOCALITY, b"\x03" + padding), 4) == bytes(4)
        assert tpm.board.locality == 3
        assert answer(board, control(Control.SET_LOCALITY, b"\x05" + padding), 4) == Result.BAD_LOCALITY.to_bytes(4)
        assert tpm.board.locality == 3
        assert answer(board, control(Control.INIT, bytes(4)), 4) == bytes(4)
    assert tpm.board.locality == 0


def test_a_socket_that_comes_with_a_message_carries_commands(tpm):
    ours, theirs = socket.socketpair()
    with connect(tpm.control) as board, contextlib.closing(ours):
        ours.settimeout(SECONDS)
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [theirs.fileno()]))]
        board.sendmsg([control(Control.SET_DATAFD)], ancillary)
        theirs.close()
        assert received(board, 4) == bytes(4)
        assert rc(answer(ours, STARTUP_CLEAR, 10)) == Rc.SUCCESS


def test_a_socket_that_did_not_come_is_missed(tpm):
    with connect(tpm.control) as board:
        assert answer(board, control(Control.SET_DATAFD), 4) == Result.FAIL.to_bytes(4)


def handed_over(board, message: bytes, *descriptors: int) -> bytes:
    socket.send_fds(board, [message], descriptors)
    return received(board, 4)


def test_what_comes_in_the_place_of_a_socket_is_missed_and_ends_nothing(tpm, tmp_path):
    with connect(tpm.control) as board, (tmp_path / "file").open("wb") as file:
        assert handed_over(board, control(Control.SET_DATAFD), file.fileno()) == Result.FAIL.to_bytes(4)
        assert answer(board, control(Control.STOP), 4) == bytes(4)
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):  # neither is connected
        with connect(tpm.control) as board, socket.socket(socket.AF_INET, kind) as lonely:
            assert handed_over(board, control(Control.SET_DATAFD), lonely.fileno()) == bytes(4)
    with connect(tpm.data) as connection:
        assert rc(answer(connection, STARTUP_CLEAR, 10)) == Rc.SUCCESS


def test_descriptors_that_nobody_asked_for_are_closed(tpm, tmp_path):
    ours, theirs = os.pipe()
    with connect(tpm.control) as board:
        assert handed_over(board, control(Control.STOP), theirs, theirs) == bytes(4)
        assert answer(board, control(Control.STOP), 4) == bytes(4)
        os.close(theirs)
        assert os.read(ours, 1) == b"", "nobody holds the other end any more"
    os.close(ours)


def test_another_protocol_is_not_searched_for_commands(tpm):
    """A page in a browser can send text to a port, in pieces that it chooses."""
    tpm.board.locality = 3
    with connect(tpm.port + 1) as browser:
        assert answer(browser, b"POST / HTTP/1.1\r\n\r\n", 4) == Result.BAD_ORDINAL.to_bytes(4)
        with contextlib.suppress(ConnectionError):
            browser.sendall(control(Control.INIT, bytes(4)))
            assert browser.recv(4) == b""
    assert tpm.board.locality == 3


def test_more_connections_than_there_is_room_for_are_closed(monkeypatch):
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 2)
    with TpmServer(Board(NitroTpm())) as small, contextlib.ExitStack() as first:
        port = small.listen_tcp()
        for _ in range(2):
            assert rc(answer(first.enter_context(connect(port)), GET_RANDOM, 10)) == Rc.INITIALIZE
        with connect(port) as third, contextlib.suppress(ConnectionError):
            assert answer(third, GET_RANDOM, 10) == b""
        first.close()
        assert rc(eventually(port)) == Rc.INITIALIZE


def eventually(port: int) -> bytes:
    """Return the answer on the first connection that there is room for again."""
    while True:
        with connect(port) as connection, contextlib.suppress(ConnectionError):
            if got := answer(connection, GET_RANDOM, 10):
                return got


def test_a_moment_without_descriptors_does_not_end_the_listening():
    ours, theirs = socket.socketpair()
    answers = [OSError(errno.EMFILE, "too many"), OSError(errno.ECONNABORTED, "gone"), (theirs, "")]
    listening = Mock(accept=Mock(side_effect=answers))
    with contextlib.closing(ours), contextlib.closing(theirs):
        assert server._accepted(listening) is theirs


def test_only_the_owner_may_open_the_sockets(tpm):
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tpm.control, tpm.data)} == {0o600}


def test_closing_removes_the_sockets_and_frees_the_ports(tmp_path):
    endpoints = Endpoints(tmp_path)
    endpoints.server.close()
    assert not endpoints.control.exists()
    assert not endpoints.data.exists()
    with TpmServer(endpoints.board) as again:
        assert again.listen_tcp(endpoints.port) == endpoints.port


def test_a_path_that_is_taken_is_left_as_it_is(tpm):
    tpm.data.with_name("file").write_text("kept")
    with pytest.raises(LocalFault) as refused:
        tpm.server.listen_data(tpm.data.with_name("file"))
    assert refused.value.code == "twin.tpm-socket"
    assert tpm.data.with_name("file").read_text() == "kept"


@pytest.mark.parametrize("port", ["taken", 65535, 70000])
def test_a_port_that_cannot_be_is_said(tpm, port):
    with TpmServer(tpm.board) as server, pytest.raises(LocalFault) as refused:
        server.listen_tcp(tpm.port if port == "taken" else port)
    assert refused.value.code == "twin.no-port"


def test_free_ports_are_looked_for_where_no_client_has_its_own(tpm):
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert tpm.port + 1 < lowest


def test_connections_share_one_tpm_and_wait_for_each_other(tpm):
    with connect(tpm.port) as one, connect(tpm.data) as other:
        assert rc(answer(one, STARTUP_CLEAR, 10)) == Rc.SUCCESS
        assert rc(answer(other, GET_RANDOM, 20)) == Rc.SUCCESS
