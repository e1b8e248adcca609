# SPDX-License-Identifier: Apache-2.0
"""A lock beside a file, for as long as this process holds it: two twins must not write one state."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from strongroom.flows.files import PRIVATE_MODE


class InUseError(Exception):
    """Another process, or another part of this one, has the lock."""


def lock_path(path: Path) -> Path:
    """Return where the lock of a file is."""
    return path.with_name(f".{path.name}.lock")


def lock_beside(path: Path) -> int:
    """Return the descriptor of `.NAME.lock`, locked (flock(2)); closing it gives the lock back, and so does a death.

    The lock file stays behind: removing it would let two have the lock. Raises InUseError, and OSError where there can
    be no such file.
    """
    descriptor = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise InUseError from error
    return descriptor
