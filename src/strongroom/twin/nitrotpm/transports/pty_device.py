# SPDX-License-Identifier: Apache-2.0
"""A TPM's device file without root or a kernel module: pseudo terminals in raw mode, behind one symbolic link.

Programs open the link as they would /dev/tpm0: `tpm2_getrandom -T device:PATH 8`, `TPM_DEVICE=PATH nitro-tpm-attest`.
Three things differ from /dev/tpm0, because a terminal is a stream:

- Who uses it gets a line of its own: the first bytes on one let the link lead to the next. So several programs are
  served, a command at a time, where /dev/tpm0 says EBUSY. Two that open it before the first bytes of either have come
  share a line, and disturb each other.
- A command may come in pieces. One that stays unfinished for PIECE_SECONDS, or has a size that no command may have, is
  given to the TPM as it is, which refuses it. What follows a command before its response is dropped: one is in flight.
- /dev/tpm0 ends a read at once where no response is left, and AWS's client reads until that end. Here such a read ends
  after READ_ENDS_SECONDS. So does one that waits for a command which takes longer; tcti-device of tpm2-tss is not
  concerned, because it polls before it reads.

A response of at most 2048 bytes comes with one read; Linux may split longer ones.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import select
import termios
import threading
import tty
from pathlib import Path

from strongroom.errors import LocalFault
from strongroom.formats.tpm.frame import HEADER_BYTES, MAX_FRAME_BYTES, SIZE_AT
from strongroom.twin.nitrotpm.board import Board

PIECE_SECONDS = 0.5
READ_ENDS_SECONDS = 2.0
_OWNER_ONLY = 0o600
_CHARACTERS = 6
"""Where tcgetattr has VMIN and VTIME."""


class PtyDevice:
    """Serves a board at a path until it is closed. Raises LocalFault where the link cannot be made."""

    def __init__(self, board: Board, path: Path) -> None:
        self._board = board
        self._path = path
        self._line = _first_line(path)
        self._stopped, self._stop = os.pipe()
        self._accepting = threading.Thread(target=self._accept, name="tpm device", daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Remove the link. Lines in use end with their clients."""
        os.close(self._stop)
        self._accepting.join()
        os.close(self._stopped)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # no terminal is left, or the folder has gone, and the device with it
            while _is_used(self._line, unless_closed=self._stopped):
                self._hand_over()
        if self._path.is_symlink() and os.fspath(self._path.readlink()) == self._line.name:
            self._path.unlink()
        self._line.close()

    def _hand_over(self) -> None:
        """Give the line to whoever has used it, and let the link lead to a new one before that one gets an answer."""
        used, self._line = self._line, _Line()
        try:
            _lead(self._path, self._line)
        except OSError:
            used.close()  # hangs up, instead of letting others in
            raise
        used.leave_to_client()
        threading.Thread(target=used.serve, args=(self._board,), name="tpm line", daemon=True).start()


class _Line:
    """One pseudo terminal. Until it is used we hold the client's end too, without which ours would be hung up."""

    def __init__(self) -> None:
        self.ours, self._theirs = os.openpty()
        os.fchmod(self._theirs, _OWNER_ONLY)
        tty.setraw(self._theirs)
        _let_reads_end(self._theirs)
        self.name = os.ttyname(self._theirs)

    def leave_to_client(self) -> None:
        """From now on the line ends when the client closes it."""
        os.close(self._theirs)

    def close(self) -> None:
        """End a line that was not left to a client."""
        os.close(self._theirs)
        os.close(self.ours)

    def serve(self, board: Board) -> None:
        """Answer commands until the client has closed the line (EIO)."""
        with contextlib.suppress(OSError):
            while True:
                self._answer(board.execute(self._receive()))
        os.close(self.ours)

    def _receive(self) -> bytes:
        """Return the next command; or, once nothing more comes, something that is none."""
        received = os.read(self.ours, MAX_FRAME_BYTES)
        while not _is_whole(received) and _readable(self.ours, seconds=PIECE_SECONDS):
            received = (received + os.read(self.ours, MAX_FRAME_BYTES))[: MAX_FRAME_BYTES + 1]
        return received[: int.from_bytes(received[SIZE_AT])] if _is_whole(received) else received

    def _answer(self, response: bytes) -> None:
        while _readable(self.ours, seconds=0):
            os.read(self.ours, MAX_FRAME_BYTES)
        while response:
            response = response[os.write(self.ours, response) :]


def _first_line(path: Path) -> _Line:
    try:
        line = _Line()
        try:
            path.symlink_to(line.name)
        except OSError:
            line.close()
            raise
    except OSError as error:
        raise LocalFault(
            "twin.tpm-device",
            f"expected to make the device {path}, found: {error.strerror or error}",
            remedy="Name a path that does not exist yet, in a folder of yours. "
            "A process that was killed leaves its link behind: remove it.",
        ) from error
    return line


def _lead(path: Path, line: _Line) -> None:
    """Change a link in one step: whoever opens it finds this line or the one before."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    fresh.symlink_to(line.name)
    fresh.replace(path)


def _let_reads_end(descriptor: int) -> None:
    """Let a read that finds nothing return nothing after a while."""
    attributes = termios.tcgetattr(descriptor)
    attributes[_CHARACTERS][termios.VMIN] = 0
    attributes[_CHARACTERS][termios.VTIME] = int(READ_ENDS_SECONDS * 10)
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _is_used(line: _Line, *, unless_closed: int) -> bool:
    """Wait until something came on the line; False when the other end of a pipe was closed instead."""
    poll = select.poll()
    poll.register(line.ours, select.POLLIN)
    poll.register(unless_closed, select.POLLIN)
    return unless_closed not in dict(poll.poll())


def _readable(descriptor: int, *, seconds: float) -> bool:
    """Wait so long for bytes or the end, which the next read then finds."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _is_whole(received: bytes) -> bool:
    return len(received) >= HEADER_BYTES and HEADER_BYTES <= int.from_bytes(received[SIZE_AT]) <= len(received)
