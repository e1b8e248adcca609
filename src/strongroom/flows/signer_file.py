# SPDX-License-Identifier: Apache-2.0
"""Private signing keys in files: written for their owner only, and refused when others could have read them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from strongroom.crypto.signers import MAX_PEM_BYTES, Ed25519Signer, parse_ed25519_signer
from strongroom.errors import LocalFault
from strongroom.flows.files import PRIVATE_MODE, write_file

_FOLDER_MODE = 0o700
_OTHERS = 0o077
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""Without O_NONBLOCK a named pipe in the place of the key would hold us for ever."""


def read_signer_file(path: Path) -> Ed25519Signer:
    """Return the signer whose private key lies at `path`. Raises LocalFault, FormatError."""
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as error:
        raise LocalFault(
            "signer.missing",
            f"expected a private key at {path}: {error.strerror}",
            remedy="Restore it from where you keep copies, or make another with `strongroom signer rotate`.",
        ) from error
    try:
        _expect_closed(os.fstat(descriptor), path)
        return parse_ed25519_signer(os.read(descriptor, MAX_PEM_BYTES + 1))
    finally:
        os.close(descriptor)


def _expect_closed(state: os.stat_result, path: Path) -> None:
    """Look at the file that is open and will be read, which may not be what has its name a moment later."""
    if not stat.S_ISREG(state.st_mode):
        raise LocalFault("signer.no-file", f"expected a private key in a file at {path}, found something else")
    if stat.S_IMODE(state.st_mode) & _OTHERS or state.st_uid not in (0, os.geteuid()):
        raise LocalFault(
            "signer.readable",
            f"expected {path} to be yours and closed to others, found uid {state.st_uid}, "
            f"mode {stat.S_IMODE(state.st_mode):04o}",
            remedy=f"If nobody else can have read it, chmod 600 {path}; else `strongroom signer rotate --compromised`.",
        )


def write_signer_file(path: Path, signer: Ed25519Signer) -> None:
    """Write a private key with mode 0600, in folders that are made with mode 0700. Never replaces a file.

    Raises LocalFault.
    """
    try:
        for folder in reversed(path.parents):  # mkdir(parents=True) gives the mode to the last one only
            folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        taken = path.exists() or path.is_symlink()
    except OSError as error:
        raise LocalFault("signer.folder", f"cannot use the folder {path.parent}: {error.strerror}") from error
    if taken:
        raise LocalFault(
            "signer.exists",
            f"expected no file at {path}, found one: a private key is never overwritten",
            remedy="Move it away, or name another place with --private-key.",
        )
    write_file(path, signer.private_pem(), mode=PRIVATE_MODE)
