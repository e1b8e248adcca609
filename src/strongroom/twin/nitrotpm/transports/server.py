# SPDX-License-Identifier: Apache-2.0
"""Listens for TPM clients on this machine: loopback TCP, and unix sockets and devices that only their owner opens."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from strongroom.errors import LocalFault
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.transports.control_channel import ControlConnection
from strongroom.twin.nitrotpm.transports.data_channel import serve_data
from strongroom.twin.nitrotpm.transports.pty_device import PtyDevice

LOOPBACK = "127.0.0.1"
_BACKLOG = 16
_OWNER_ONLY = 0o177
_TRIES = 20
_CHOICE = range(16384, 32766)
"""Where free neighbours are looked for: below what Linux gives to clients (ip_local_port_range), each of whose ports is
taken for a minute after its connection has ended, so that every second one may be."""
_CLOSED = frozenset({errno.EBADF, errno.EINVAL})
_PAUSE_SECONDS = 0.1
MOST_CONNECTIONS = 64

Serve = Callable[[Board, socket.socket], None]


def _serve_control(board: Board, connection: socket.socket) -> None:
    ControlConnection(board, connection).serve()


class TpmServer:
    """Serves one board until it is closed. Every connection has a thread; the TPM takes one command at a time.

    Connections beyond MOST_CONNECTIONS are closed at once: whoever can reach a port can open many.
    """

    def __init__(self, board: Board) -> None:
        self._board = board
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._open = contextlib.ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def listen_tcp(self, port: int = 0) -> int:
        """Serve data on a port and control on the one above it, as tcti-swtpm expects; return the first.

        With 0, two free neighbours are looked for. Raises LocalFault where a port is taken.
        """
        data, control = _bind_neighbours(port)
        self._accept(data, serve_data)
        self._accept(control, _serve_control)
        return int(data.getsockname()[1])

    def listen_control(self, path: Path) -> None:
        """Serve control on a unix socket; QEMU hands over the socket for data on it. Raises LocalFault."""
        self._accept(self._bind_unix(path), _serve_control)

    def listen_data(self, path: Path) -> None:
        """Serve data on a unix socket. Raises LocalFault."""
        self._accept(self._bind_unix(path), serve_data)

    def listen_device(self, path: Path) -> None:
        """Serve data to programs that open the path as a TPM's device file (`pty_device`). Raises LocalFault."""
        self._open.callback(PtyDevice(self._board, path).close)

    def close(self) -> None:
        """Listen no more, and remove unix sockets and devices. Connections that are open end with their clients."""
        self._open.close()

    def _accept(self, listening: socket.socket, serve: Serve) -> None:
        self._open.callback(_stop, listening)
        thread = threading.Thread(target=self._accept_all, args=(listening, serve), name="tpm", daemon=True)
        thread.start()

    def _accept_all(self, listening: socket.socket, serve: Serve) -> None:
        while connection := _accepted(listening):
            if not self._room.acquire(blocking=False):
                connection.close()
                continue
            arguments = (connection, serve)
            threading.Thread(target=self._serve, args=arguments, name="tpm connection", daemon=True).start()

    def _serve(self, connection: socket.socket, serve: Serve) -> None:
        try:
            serve(self._board, connection)
        finally:
            self._room.release()

    def _bind_unix(self, path: Path) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX)
        try:
            with _umask(_OWNER_ONLY):
                listening.bind(os.fspath(path))
        except OSError as error:
            listening.close()
            raise LocalFault(
                "twin.tpm-socket",
                f"expected to make the socket {path}, found: {error.strerror or error}",
                remedy="Name a path that does not exist yet, in a folder of yours, of at most 107 bytes. "
                "A process that was killed leaves its socket behind: remove it.",
            ) from error
        self._open.callback(path.unlink, missing_ok=True)
        listening.listen(_BACKLOG)
        return listening


def _bind_neighbours(port: int) -> tuple[socket.socket, socket.socket]:
    for attempt in range(_TRIES):
        data, control = socket.socket(socket.AF_INET), socket.socket(socket.AF_INET)
        try:
            first = port or secrets.choice(_CHOICE)
            _bind(data, first)
            _bind(control, first + 1)
        except (OSError, OverflowError) as error:
            data.close()
            control.close()
            if port or attempt == _TRIES - 1:
                raise LocalFault(
                    "twin.no-port",
                    f"expected two free ports on {LOOPBACK}, {port or 'any'} and the next, found: {error}",
                    remedy="Name another port, or end what listens there.",
                ) from error
        else:
            return data, control
    raise AssertionError("the last attempt raised or returned")


def _bind(listening: socket.socket, port: int) -> None:
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((LOOPBACK, port))
    listening.listen(_BACKLOG)


def _accepted(listening: socket.socket) -> socket.socket | None:
    """Return the next connection; None once the socket was closed."""
    while True:
        try:
            connection, _ = listening.accept()
            if connection.family == socket.AF_INET:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            if error.errno in _CLOSED:
                return None
            time.sleep(_PAUSE_SECONDS)  # no descriptor is free, or the client has gone again
        else:
            return connection


def _stop(listening: socket.socket) -> None:
    """Wake the thread that waits in `accept`, which closing alone does not do on Linux."""
    with contextlib.suppress(OSError):
        listening.shutdown(socket.SHUT_RDWR)
    listening.close()


@contextlib.contextmanager
def _umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
