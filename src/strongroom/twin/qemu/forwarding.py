# SPDX-License-Identifier: Apache-2.0
"""Ports of this machine that lead into a guest: each connection is continued by one that is made inside."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

from strongroom.errors import LocalFault

LOOPBACK = "127.0.0.1"
MOST_CONNECTIONS = 64
_PIECE_BYTES = 64 * 1024
_BACKLOG = 16

Dial = Callable[[], socket.socket]
"""Connects to the guest's port; raises OSError."""


class Forwarding:
    """One forwarded port, on 127.0.0.1, until it is closed. Raises LocalFault where the port is taken.

    Connections beyond MOST_CONNECTIONS are closed at once, and so are those that the guest does not take.
    """

    def __init__(self, port: int, dial: Dial) -> None:
        self._dial = dial
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._listening = socket.socket()
        try:
            self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listening.bind((LOOPBACK, port))
            self._listening.listen(_BACKLOG)
        except OSError as error:
            self._listening.close()
            raise LocalFault(
                "qemu.port-taken",
                f"expected port {port} of {LOOPBACK} to be free, found: {error.strerror}",
                remedy="Name another in --port; 0 is any.",
            ) from error
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, name="qemu forwarding", daemon=True).start()

    def close(self) -> None:
        """Take no more connections. Those that are open end with the guest."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._listening.accept()
                if not self._room.acquire(blocking=False):
                    connection.close()
                    continue
                threading.Thread(target=self._join, args=(connection,), name="qemu forwarded", daemon=True).start()

    def _join(self, ours: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(ours), self._dial() as theirs:
            back = threading.Thread(target=_copy, args=(theirs, ours), name="qemu forwarded back", daemon=True)
            back.start()
            _copy(ours, theirs)
            back.join()
        self._room.release()


def _copy(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until one side ends, then tell the other."""
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE_BYTES):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
