# SPDX-License-Identifier: Apache-2.0
"""The control channel of swtpm (its swtpm_ioctls(3)): what a board does to a TPM, and QEMU on the board's behalf.

A message is one read: a 32-bit command, then what it needs; clients differ in how much they send of a union. An answer
begins with a 32-bit result, but for the capabilities, which are 64 bits alone.
"""

from __future__ import annotations

import array
import contextlib
import enum
import os
import socket
import threading
from collections.abc import Callable

from strongroom.formats.tpm.frame import MAX_FRAME_BYTES
from strongroom.formats.tpm.wire import u32, u64
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.profile import LOCALITIES
from strongroom.twin.nitrotpm.transports.data_channel import serve_data

MAX_MESSAGE_BYTES = 4096
LEAST_BUFFER_BYTES = 1024
_COMMAND_BYTES = 4
_ONE_DESCRIPTOR = socket.CMSG_SPACE(array.array("i").itemsize)


class Control(enum.IntEnum):
    """CMD_*: what we carry out."""

    GET_CAPABILITY = 0x01
    INIT = 0x02
    SHUTDOWN = 0x03
    GET_TPM_ESTABLISHED = 0x04
    SET_LOCALITY = 0x05
    CANCEL_TPM_CMD = 0x09
    RESET_TPM_ESTABLISHED = 0x0B
    STOP = 0x0E
    SET_DATAFD = 0x10
    SET_BUFFERSIZE = 0x11


class Result(enum.IntEnum):
    """What the first word of an answer says: TPM 1.2 result codes, as swtpm uses them."""

    SUCCESS = 0x00
    BAD_PARAMETER = 0x03
    FAIL = 0x09
    BAD_ORDINAL = 0x0A
    BAD_LOCALITY = 0x3D


CAPABILITIES = 0x0001 | 0x0002 | 0x0004 | 0x0008 | 0x0020 | 0x0080 | 0x0400 | 0x1000 | 0x2000
"""PTM_CAP_*, a bit for each of the above. No state blobs: QEMU cannot migrate or snapshot a machine with this TPM."""


class ControlConnection:
    """One connection of the control channel."""

    def __init__(self, board: Board, connection: socket.socket) -> None:
        self._board = board
        self._connection = connection
        self._descriptors: list[int] = []
        self._actions: dict[int, Callable[[bytes], bytes]] = {
            Control.GET_CAPABILITY: lambda _: u64(CAPABILITIES),
            Control.INIT: self._init,
            Control.SHUTDOWN: lambda _: u32(Result.SUCCESS),
            # The bit that a dynamic launch sets (TPM_ESTABLISHED): there are none here.
            Control.GET_TPM_ESTABLISHED: lambda _: u32(Result.SUCCESS) + u32(0),
            Control.SET_LOCALITY: self._set_locality,
            # Nothing here takes long enough to be cancelled.
            Control.CANCEL_TPM_CMD: lambda _: u32(Result.SUCCESS),
            Control.RESET_TPM_ESTABLISHED: lambda _: u32(Result.SUCCESS),
            Control.STOP: lambda _: u32(Result.SUCCESS),
            Control.SET_DATAFD: self._set_data_descriptor,
            Control.SET_BUFFERSIZE: lambda _: (
                u32(Result.SUCCESS) + u32(MAX_FRAME_BYTES) + u32(LEAST_BUFFER_BYTES) + u32(MAX_FRAME_BYTES)
            ),
        }

    def serve(self) -> None:
        """Answer messages until the connection ends, or speaks another protocol."""
        with contextlib.suppress(OSError), self._connection, contextlib.closing(self):
            while message := self._receive():
                self._connection.sendall(self._answer(message))
                if message[0]:  # no command begins so, but what a browser sends to a port, whose rest may look like one
                    break

    def close(self) -> None:
        """Close the descriptors that came with the last message and were of no use."""
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._descriptors.clear()

    def _receive(self) -> bytes:
        self.close()
        if self._connection.family != socket.AF_UNIX:
            return self._connection.recv(MAX_MESSAGE_BYTES)
        message, ancillary, _, _ = self._connection.recvmsg(MAX_MESSAGE_BYTES, _ONE_DESCRIPTOR)
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                self._descriptors += array.array("i", data[: len(data) - len(data) % array.array("i").itemsize])
        return message

    def _answer(self, message: bytes) -> bytes:
        if len(message) < _COMMAND_BYTES:
            return u32(Result.BAD_PARAMETER)
        action = self._actions.get(int.from_bytes(message[:_COMMAND_BYTES]))
        return action(message[_COMMAND_BYTES:]) if action is not None else u32(Result.BAD_ORDINAL)

    def _init(self, _flags: bytes) -> bytes:
        self._board.power_cycle()
        return u32(Result.SUCCESS)

    def _set_locality(self, body: bytes) -> bytes:
        if not body or body[0] not in LOCALITIES:
            return u32(Result.BAD_LOCALITY)
        self._board.locality = body[0]
        return u32(Result.SUCCESS)

    def _set_data_descriptor(self, _body: bytes) -> bytes:
        """Serve commands on the socket that came with the message."""
        if not self._descriptors:
            return u32(Result.FAIL)
        try:
            connection = socket.socket(fileno=self._descriptors[-1])
        except OSError:  # it is no socket
            return u32(Result.FAIL)
        self._descriptors.pop()
        threading.Thread(target=serve_data, args=(self._board, connection), name="tpm data", daemon=True).start()
        return u32(Result.SUCCESS)
