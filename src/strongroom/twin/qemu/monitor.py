# SPDX-License-Identifier: Apache-2.0
"""QEMU's own control of a machine (QMP, QEMU documentation, "QEMU Machine Protocol Specification")."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any

from strongroom.errors import LocalFault

ANSWER_SECONDS = 30
MAX_LINE_BYTES = 1 << 20

Event = Callable[[str, Mapping[str, Any]], None]
"""Told each event by its name and data, in the monitor's own thread."""


class Monitor:
    """QEMU's connection to its monitor, when it has just started. One command at a time."""

    def __init__(self, connection: socket.socket, event: Event) -> None:
        """Wait until QEMU takes commands. Raises LocalFault where it does not."""
        self._event = event
        self._lock = threading.Lock()
        self._answers: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
        self._socket = connection
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._listen, name="qemu monitor", daemon=True)
        self._thread.start()
        try:
            self.execute("qmp_capabilities")
        except LocalFault:
            self.close()
            raise

    def execute(self, command: str, /, **arguments: object) -> object:
        """Return the answer to a command. Raises LocalFault for one that QEMU refuses, and once it has ended."""
        asked = {"execute": command, "arguments": arguments} if arguments else {"execute": command}
        with self._lock:
            try:
                self._socket.sendall(json.dumps(asked).encode() + b"\n")
                answer = self._answers.get(timeout=ANSWER_SECONDS)
            except (OSError, Empty) as error:
                raise _silent(str(error) or "no answer") from error
        if answer is None:
            self._answers.put(None)
            raise _silent("it has ended")
        if "error" in answer:
            raise LocalFault("qemu.refused", f"expected QEMU to {command}, found: {answer['error'].get('desc')}")
        return answer.get("return")

    def close(self) -> None:
        """Hang up, and wait until every event was told."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._thread:
            self._thread.join()
        self._socket.close()

    def drain(self) -> None:
        """Wait until QEMU has hung up, and every event was told."""
        self._thread.join(ANSWER_SECONDS)

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError), self._socket.makefile("rb") as lines:
            while line := lines.readline(MAX_LINE_BYTES):
                message = json.loads(line)
                if "event" in message:
                    self._event(str(message["event"]), message.get("data", {}))
                elif "QMP" not in message:
                    self._answers.put(message)
        self._answers.put(None)


def _silent(why: str) -> LocalFault:
    return LocalFault("qemu.silent", f"expected QEMU to take commands, found: {why}")
