# SPDX-License-Identifier: Apache-2.0
"""Folders that only their owner may look into."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from strongroom.errors import LocalFault

_MODE = 0o700
_OTHERS = 0o077


def open_private_folder(path: Path) -> Path:
    """Make a folder of mode 0700, or find that it is one, and return it.

    Raises LocalFault where there can be none, or where it is another user's or open to others: keys lie in it.
    """
    try:
        path.mkdir(mode=_MODE, parents=True, exist_ok=True)
        found = path.stat()
    except OSError as error:
        raise LocalFault(
            "twin.folder",
            f"expected a folder, or a place for one, at {path}, found: {error.strerror}",
            remedy="Name a folder of yours with --folder.",
        ) from error
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
        raise LocalFault(
            "twin.folder-open",
            f"expected a folder of yours that nobody else may enter at {path}, found one of user {found.st_uid} with "
            f"mode {stat.S_IMODE(found.st_mode):04o}: private keys lie in it",
            remedy=f"`chmod 700 {path}`, or name another folder with --folder.",
        )
    return path
