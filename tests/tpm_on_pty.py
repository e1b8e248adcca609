# SPDX-License-Identifier: Apache-2.0
"""A TPM behind a character device without root: a pseudo-terminal whose other end answers.

Linux makes real TPM devices of programs with /dev/vtpmx, which most machines do not have. A pseudo-terminal in raw mode
is a character device too: bytes go through as they are, in pieces of any size, which /dev/tpm0 spares its users.
"""

from __future__ import annotations

import contextlib
import os
import pty
import threading
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

HEADER = 10


@contextlib.contextmanager
def tpm_on_pty(execute: Callable[[bytes], bytes]) -> Iterator[Path]:
    """Answer commands that come through the device at the path, one after the other, until the end of the block."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    answering = threading.Thread(target=_serve, args=(ours, execute), daemon=True)
    answering.start()
    try:
        yield Path(os.ttyname(theirs))
    finally:
        os.close(theirs)
        answering.join(timeout=10)
        os.close(ours)


def _serve(ours: int, execute: Callable[[bytes], bytes]) -> None:
    waiting = b""
    while True:
        try:
            waiting += os.read(ours, 4096)
        except OSError:  # the other end was closed
            return
        while len(waiting) >= HEADER and len(waiting) >= (size := int.from_bytes(waiting[2:6], "big")):
            command, waiting = waiting[:size], waiting[size:]
            answer = execute(command)
            for start in range(0, len(answer), 7):
                os.write(ours, answer[start : start + 7])
