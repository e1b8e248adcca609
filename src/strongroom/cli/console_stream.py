# SPDX-License-Identifier: Apache-2.0
"""A machine's serial line on a terminal: whole lines, in which nothing commands the terminal (ATTACKS A16)."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Callable

from strongroom.cli.terminal import printable

MAX_LINE_CHARACTERS = 4096
"""A guest may write without end, and without a line's."""
_SEQUENCE = re.compile(r"\x1b\[[0-9;=?]*[A-Za-z]")
"""What firmware clears its screen with, and colours: left out, the rest is spelled out."""


def _to_stdout(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class ConsoleStream:
    """Takes what a machine writes, and prints its lines."""

    def __init__(self, write: Callable[[str], None] = _to_stdout) -> None:
        self._write = write
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._left = ""

    def heard(self, piece: bytes) -> None:
        """Print the lines that this completes."""
        *lines, self._left = (self._left + self._decoder.decode(piece)).split("\n")
        for line in lines:
            self._print(line)
        if len(self._left) > MAX_LINE_CHARACTERS:
            self.end()

    def end(self) -> None:
        """Print what is left without an end of line."""
        left, self._left = self._left, ""
        if left:
            self._print(left)

    def _print(self, line: str) -> None:
        plain = _SEQUENCE.sub("", line.replace("\r", "")).expandtabs(8)
        self._write(printable(plain))
