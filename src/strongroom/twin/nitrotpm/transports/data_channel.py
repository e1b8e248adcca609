# SPDX-License-Identifier: Apache-2.0
"""The data channel: commands one after the other, each answered before the next is read. Nothing around them."""

from __future__ import annotations

import contextlib
import socket

from strongroom.formats.tpm.frame import HEADER_BYTES, MAX_FRAME_BYTES, encode_response
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.board import Board

_SIZE = slice(2, 6)


def serve_data(board: Board, connection: socket.socket) -> None:
    """Answer the commands of one connection until it ends, or turns out to be none."""
    with contextlib.suppress(OSError), connection:
        while command := _receive_command(connection):
            connection.sendall(board.execute(command))


def _receive_command(connection: socket.socket) -> bytes:
    """Return the next command; nothing when the other side is done, or so confused that no next one can be found."""
    header = _receive(connection, HEADER_BYTES)
    if len(header) < HEADER_BYTES:
        return b""
    size_bytes = int.from_bytes(header[_SIZE])
    if not HEADER_BYTES <= size_bytes <= MAX_FRAME_BYTES:
        connection.sendall(encode_response(Rc.COMMAND_SIZE))
        return b""
    rest = _receive(connection, size_bytes - HEADER_BYTES)
    return header + rest if len(rest) == size_bytes - HEADER_BYTES else b""


def _receive(connection: socket.socket, size_bytes: int) -> bytes:
    """Return so many bytes, fewer only where the connection ends."""
    received = b""
    while len(received) < size_bytes:
        acknowledge_at_once(connection)
        piece = connection.recv(size_bytes - len(received))
        if not piece:
            break
        received += piece
    return received


def acknowledge_at_once(connection: socket.socket) -> None:
    """Spare a client that sends in small pieces the 40 ms that TCP holds an acknowledgement back."""
    if connection.family == socket.AF_INET and hasattr(socket, "TCP_QUICKACK"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
