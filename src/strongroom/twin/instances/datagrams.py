# SPDX-License-Identifier: Apache-2.0
"""Serves a guest's small questions, of names and of the time, from one thread."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Mapping

_MAX_BYTES = 4096
_STREAM_SECONDS = 2.0
"""How long one client of a stream may take: it keeps nobody waiting but the guest it comes from."""
_LENGTH_BYTES = 2

Answer = Callable[[bytes], bytes | None]


class SmallQuestions:
    """Answers datagrams, and length-prefixed questions over TCP (RFC 1035, section 4.2.2), until it is stopped."""

    def __init__(self, datagrams: Mapping[socket.socket, Answer], streams: Mapping[socket.socket, Answer]) -> None:
        self._datagrams = dict(datagrams)
        self._streams = dict(streams)
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="guest questions", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer no more. Its sockets stay whose they were."""
        self._wake.close()
        self._thread.join()
        self._woken.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            for each in (self._woken, *self._datagrams, *self._streams):
                selector.register(each, selectors.EVENT_READ)
            while True:
                ready = [key.fileobj for key, _ in selector.select()]
                if self._woken in ready:
                    return
                for listening in ready:
                    if isinstance(listening, socket.socket):
                        self._take(listening)

    def _take(self, listening: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the guest has gone, or breaks off
            if listening in self._datagrams:
                question, sender = listening.recvfrom(_MAX_BYTES)
                reply = self._datagrams[listening](question)
                if reply is not None:
                    listening.sendto(reply, sender)
                return
            connection, _ = listening.accept()
            with connection:
                connection.settimeout(_STREAM_SECONDS)
                self._answer_stream(connection, self._streams[listening])

    @staticmethod
    def _answer_stream(connection: socket.socket, answer: Answer) -> None:
        with connection.makefile("rb") as stream:
            while len(prefix := stream.read(_LENGTH_BYTES)) == _LENGTH_BYTES:
                question = stream.read(int.from_bytes(prefix))
                reply = answer(question)
                if reply is None:
                    return
                connection.sendall(len(reply).to_bytes(_LENGTH_BYTES) + reply)
