# SPDX-License-Identifier: Apache-2.0
"""What a machine writes to its serial line: the latest of it is kept, and whoever wants hears it as it comes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

KEPT_BYTES = 4 << 20
"""A guest may write without end. A whole boot of Linux writes some 60 KiB."""

Heard = Callable[[bytes], None]
"""Told each piece as it comes, in the thread that reads the line."""


class Console:
    """The serial line of one machine."""

    def __init__(self, heard: Heard | None = None, *, kept_bytes: int = KEPT_BYTES) -> None:
        self._heard = heard
        self._kept_bytes = kept_bytes
        self._latest = bytearray()
        self._written = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def written_bytes(self) -> int:
        """How much the machine wrote so far."""
        with self._changed:
            return self._written

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can come."""
        with self._changed:
            return self._closed

    @property
    def contents(self) -> bytes:
        """The latest of what it wrote, KEPT_BYTES at most."""
        with self._changed:
            return bytes(self._latest)

    @property
    def text(self) -> str:
        """The same as text."""
        return self.contents.decode("utf-8", "replace")

    def since(self, offset: int) -> tuple[int, bytes]:
        """Return what was written from an offset on, and where it begins: later than asked for where that is gone."""
        with self._changed:
            first = self._written - len(self._latest)
            start = min(max(offset, first), self._written)
            return start, bytes(self._latest[start - first :])

    def write(self, piece: bytes) -> None:
        """Take what the machine wrote next."""
        with self._changed:
            self._latest += piece
            self._written += len(piece)
            del self._latest[: max(0, len(self._latest) - self._kept_bytes)]
            self._changed.notify_all()
        if self._heard is not None:
            self._heard(piece)

    def close(self) -> None:
        """Let nobody wait any longer: the machine is off."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_for(self, words: str, *, seconds: float) -> bool:
        """Wait until the machine has written these words; False where it ended, or took longer, without."""
        wanted, deadline = words.encode(), time.monotonic() + seconds
        with self._changed:
            while wanted not in self._latest:
                left = deadline - time.monotonic()
                if self._closed or left <= 0:
                    return False
                self._changed.wait(left)
            return True

    def wait_beyond(self, offset: int, *, seconds: float) -> None:
        """Wait until more than this was written, or the machine is off, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._written > offset, timeout=seconds)
