# SPDX-License-Identifier: Apache-2.0
"""Copies of disks that cost little: blocks are shared where the file system can, and holes stay holes elsewhere.

The attacker never writes to what he was given: each attempt has a copy of its own.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import BinaryIO

from strongroom.errors import LocalFault

_FICLONE = 0x4004_9409
"""ioctl_ficlone(2)."""
_PIECE_BYTES = 8 << 20


def sparse_copy(source: Path, target: Path) -> None:
    """Copy a file to a new one. Raises LocalFault."""
    try:
        with source.open("rb") as read, target.open("xb") as write:
            try:
                fcntl.ioctl(write.fileno(), _FICLONE, read.fileno())
            except OSError:  # this file system shares no blocks, or the two are on different ones
                _copy_data(read, write)
    except OSError as error:
        raise LocalFault("attack.copy", f"cannot copy {source} to {target}: {error.strerror}") from error


def _copy_data(read: BinaryIO, write: BinaryIO) -> None:
    size = os.fstat(read.fileno()).st_size
    write.truncate(size)
    offset = 0
    while offset < size:
        try:
            start = os.lseek(read.fileno(), offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        end = os.lseek(read.fileno(), start, os.SEEK_HOLE)
        while start < end:
            start += _copy_piece(read, write, start, end)
        offset = end


def _copy_piece(read: BinaryIO, write: BinaryIO, start: int, end: int) -> int:
    piece = os.pread(read.fileno(), min(_PIECE_BYTES, end - start), start)
    write.seek(start)
    return write.write(piece)
