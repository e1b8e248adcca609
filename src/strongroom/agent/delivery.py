# SPDX-License-Identifier: Apache-2.0
"""Hand opened secrets to the app as files: in memory, whole or absent, readable by one user (ATTACKS K17).

Each file is written under another name in its folder and renamed, so a reader sees the old content or the new one, also
after kill -9 or on a full file system. No symbolic link is followed on the way, neither in the folder's path nor in an
entry's name. tmpfs pages can reach a swap device: an image has none (the audit's rule), or mounts with `noswap`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from strongroom.agent.medium import UnsafeDiskDelivery, expect_memory
from strongroom.agent.names import segments_of
from strongroom.errors import LocalFault, UsageError

FILE_MODE = 0o400
FOLDER_MODE = 0o711
"""Folders of entries: everybody may pass, nobody may list. The files in them are closed to all but their owner."""
PART_PREFIX = ".~strongroom-"
"""How the name begins under which a file grows. No entry can be called so: `~` is not allowed in entry names. The rest
is random, so that of two deliveries at a time none can rename the other's part. A part that kill -9 left behind is
removed by the next delivery into the folder; so is that of a delivery which still runs, and that one fails."""

_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OPEN_PART = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITABLE_BY_OTHERS = 0o022


@dataclass(frozen=True, slots=True)
class Owner:
    """The user and the group that the delivered files belong to, by number."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class _Rights:
    owner: Owner
    mode: int


def deliver(
    secrets: Mapping[str, bytes],
    folder: Path,
    *,
    owner: Owner,
    mode: int = FILE_MODE,
    unsafe_disk: UnsafeDiskDelivery | None = None,
) -> tuple[Path, ...]:
    """Write each entry as a file of `mode` in `folder`, which exists, and return the paths.

    Every name is read before anything is written. Raises FormatError for a name that could lead out of the folder,
    UsageError for a relative folder, LocalFault when the folder is not in memory, is open to others, or cannot be
    written; then every file is as it was or as it should be.
    """
    placed = {name: segments_of(name) for name in secrets}
    with _open_folder(folder) as root:
        expect_memory(root, folder, unsafe_disk=unsafe_disk)
        for name, secret in secrets.items():
            *folders, last = placed[name]
            with _open_below(root, folders, folder) as descriptor:
                expect_memory(descriptor, folder.joinpath(*folders), unsafe_disk=unsafe_disk)
                _write(descriptor, last, secret, rights=_Rights(owner, mode), shown=folder / name)
    return tuple(folder.joinpath(*segments) for segments in placed.values())


@contextlib.contextmanager
def _open_folder(folder: Path) -> Iterator[int]:
    """Open a folder by its absolute path, through real folders only, and expect that only we may change it."""
    if not folder.is_absolute() or ".." in folder.parts:
        raise UsageError("delivery.relative", f"expected an absolute path without '..', found {folder}")
    with contextlib.ExitStack() as stack:
        descriptor = _enter(stack, "/", None, folder)
        for part in folder.parts[1:]:
            descriptor = _enter(stack, part, descriptor, folder)
        _expect_closed(descriptor, folder)
        yield descriptor


def _expect_closed(descriptor: int, shown: Path) -> None:
    state = os.fstat(descriptor)
    if state.st_uid not in (0, os.geteuid()) or state.st_mode & _WRITABLE_BY_OTHERS:
        raise LocalFault(
            "delivery.open-folder",
            f"expected {shown} to belong to root or to the agent and to be writable by its owner only, "
            f"found uid {state.st_uid}, mode {state.st_mode & 0o7777:04o}",
            remedy=f"Whoever can write there can replace the secret: chmod 0755 {shown}",
        )


def _enter(stack: contextlib.ExitStack, part: str, parent: int | None, shown: Path) -> int:
    try:
        descriptor = os.open(part, _OPEN_FOLDER, dir_fd=parent)
    except OSError as error:
        raise LocalFault(
            "delivery.no-folder",
            f"expected a folder at {shown}, reached without symbolic links; {part!r} is none: {error.strerror}",
            remedy="Name the folder by its real path, and make it before the agent starts (RuntimeDirectory=).",
        ) from error
    stack.callback(os.close, descriptor)
    return descriptor


@contextlib.contextmanager
def _open_below(root: int, folders: list[str], shown: Path) -> Iterator[int]:
    with contextlib.ExitStack() as stack:
        descriptor = root
        for part in folders:
            made = _make_folder(descriptor, part, shown)
            descriptor = _enter(stack, part, descriptor, shown)
            if made:
                os.fchmod(descriptor, FOLDER_MODE)  # whatever the umask is: the app must be able to pass
            _expect_closed(descriptor, shown / part)
        yield descriptor


def _make_folder(parent: int, name: str, shown: Path) -> bool:
    """Make a folder, and tell whether it is new. `_enter` finds out whether what was there before is one."""
    try:
        os.mkdir(name, FOLDER_MODE, dir_fd=parent)
    except FileExistsError:
        return False
    except OSError as error:
        raise _unwritable(shown / name, error) from error
    return True


def _write(folder: int, name: str, secret: bytes, *, rights: _Rights, shown: Path) -> None:
    part = PART_PREFIX + os.urandom(8).hex()
    try:
        for left_behind in os.listdir(folder):
            if left_behind.startswith(PART_PREFIX):
                _remove(folder, left_behind)
        try:
            _write_part(folder, part, secret, rights)
            os.replace(part, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        finally:
            _remove(folder, part)
    except OSError as error:
        raise _unwritable(shown, error) from error


def _write_part(folder: int, part: str, secret: bytes, rights: _Rights) -> None:
    descriptor = os.open(part, _OPEN_PART, FILE_MODE, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fchmod(descriptor, rights.mode)  # before it is given away: the agent's unit has no right over others' files
        os.fchown(descriptor, rights.owner.uid, rights.owner.gid)
        os.fsync(descriptor)


def _remove(folder: int, part: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part, dir_fd=folder)


def _unwritable(path: Path, error: OSError) -> LocalFault:
    return LocalFault(
        "delivery.unwritable",
        f"cannot write {path}: {error.strerror}",
        remedy="What was there before is still there. Give the folder room, and the agent the right to write in it.",
    )
