# SPDX-License-Identifier: Apache-2.0
"""The data channel: commands one after the other, each answered before the next is read. Nothing around them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable

from strongroom.formats.tpm.frame import HEADER_BYTES, MAX_FRAME_BYTES, SIZE_AT, encode_response
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.board import Board


def serve_data(board: Board, connection: socket.socket) -> None:
    """Answer the commands of one connection until it ends, or turns out to be none."""
    receive, received = _receiver(connection), b""
    with contextlib.suppress(OSError), connection:
        while len(received := receive(HEADER_BYTES, received)) >= HEADER_BYTES:
            size_bytes = int.from_bytes(received[SIZE_AT])
            if not HEADER_BYTES <= size_bytes <= MAX_FRAME_BYTES:  # no next command can be found
                connection.sendall(encode_response(Rc.COMMAND_SIZE))
                return
            if len(received) < size_bytes:
                received = receive(size_bytes, received)
                if len(received) < size_bytes:
                    return
            connection.sendall(board.execute(received[:size_bytes]))
            received = received[size_bytes:]


def _receiver(connection: socket.socket) -> Callable[[int, bytes], bytes]:
    """Return what receives at least so many bytes, with those in front that were received before.

    It takes what there is, most often a whole command, with one system call. It returns fewer bytes only where the
    connection ends.
    """
    is_tcp = connection.family == socket.AF_INET

    def receive(least_bytes: int, received: bytes) -> bytes:
        while len(received) < least_bytes:
            if is_tcp:
                acknowledge_at_once(connection)
            piece = connection.recv(MAX_FRAME_BYTES)
            if not piece:
                break
            received += piece
        return received

    return receive


def acknowledge_at_once(connection: socket.socket) -> None:
    """Spare a TCP client that sends in small pieces the 40 ms that an acknowledgement is held back."""
    if hasattr(socket, "TCP_QUICKACK"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
