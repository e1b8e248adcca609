# SPDX-License-Identifier: Apache-2.0
"""The folder that a twin of `strongroom twin up` lives in (docs/twin.md, "The folder of a twin").

::

    accounts.toml                 accounts, users, roles and access keys; may be edited while the twin is down
    state.db                      what KMS keeps (docs/formats/twin-state.md)
    private/, nitro-root.pem, …   roots and signers (`authorities`)
    aws/config, aws/credentials   an AWS configuration with a profile for each account
    running.json                  where it listens, while it runs (`running`)
    requests.jsonl                the request log; requests.1.jsonl before it
    twin.log                      what a twin in the background says
    .gitignore                    keeps all of it out of a repository

The folder is its owner's alone (mode 0700), and one process at a time has it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import LocalFault
from strongroom.flows.files import PRIVATE_MODE, write_file
from strongroom.ports import Clock
from strongroom.twin.accounts_book import AccountsBook, open_accounts
from strongroom.twin.authorities import KeptAuthorities
from strongroom.twin.lock_file import InUseError, lock_beside, lock_path
from strongroom.twin.private_folder import open_private_folder

_LOCKED = "twin"
_TRIES, _MOMENT_SECONDS = 4, 0.05


@dataclass(frozen=True, slots=True)
class Home:
    """A twin's folder, for this process alone. The files of accounts and roots are there and whole."""

    path: Path
    book: AccountsBook
    authorities: KeptAuthorities

    @property
    def state_path(self) -> Path:
        """What KMS keeps."""
        return self.path / "state.db"


@contextlib.contextmanager
def open_home(path: Path, *, accounts: Mapping[str, str], clock: Clock) -> Iterator[Home]:
    """Have the folder for the block; what is not there yet is made. `accounts` are ids by name, added where they lack.

    Raises LocalFault where another process has it or files cannot be had, FormatError where one is damaged, UsageError
    for accounts that contradict those in the folder.
    """
    open_private_folder(path)
    with locked(path):
        write_file(path / ".gitignore", b"*\n", mode=PRIVATE_MODE)
        yield Home(path, open_accounts(path / "accounts.toml", accounts), KeptAuthorities(path, clock))


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes out of the folder for the block. Raises LocalFault where one is in it."""
    try:
        descriptor = _lock(path)
    except InUseError as error:
        raise LocalFault(
            "twin.running",
            f"expected no twin in {path}, found one that runs",
            remedy="`strongroom twin status` says where it listens, `strongroom twin down` ends it. For a second one, "
            "name another folder with --folder and other ports.",
        ) from error
    except OSError as error:
        raise LocalFault("twin.folder", f"expected a folder of yours at {path}, found: {error.strerror}") from error
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int:
    """Take the lock, after a moment where somebody has it: `is_locked` does, for less than that."""
    for _ in range(_TRIES):
        with contextlib.suppress(InUseError):
            return lock_beside(path / _LOCKED)
        time.sleep(_MOMENT_SECONDS)
    return lock_beside(path / _LOCKED)


def is_locked(path: Path) -> bool:
    """Say whether a process has the folder. A folder without a lock file has none, and gets none."""
    if not lock_path(path / _LOCKED).exists():
        return False
    try:
        os.close(lock_beside(path / _LOCKED))
    except InUseError:
        return True
    except OSError as error:
        raise LocalFault("twin.folder", f"expected a folder of yours at {path}, found: {error.strerror}") from error
    return False
