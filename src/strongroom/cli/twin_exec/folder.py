# SPDX-License-Identifier: Apache-2.0
"""A private folder in memory for as long as the app runs; what a killed run left behind is removed by the next one.

Each run holds a lock (flock(2)) on its folder, which the kernel lets go when the run ends, however that happens. Its
app does not hold it. So a folder without a holder is a leftover.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from strongroom.agent.medium import expect_memory
from strongroom.errors import LocalFault

PREFIX = "strongroom-exec-"
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 -- tmpfs on Linux; a private folder is made in it
_OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITABLE_BY_OTHERS = 0o022
_ATTEMPTS = 3


@contextlib.contextmanager
def memory_folder() -> Iterator[Path]:
    """Make a folder of mode 0700 below the user's runtime folder or /dev/shm, and remove it with all that is in it.

    Raises LocalFault where there is no memory to make it in, and for one that cannot be removed.
    """
    place = find_memory()
    remove_leftovers(place)
    path, descriptor = _make(place)
    try:
        yield path
    finally:
        _remove(path)
        os.close(descriptor)


def find_memory() -> Path:
    """Return the folder in memory that private folders are made in. Raises LocalFault where there is none."""
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [Path(named)] if Path(named).is_absolute() else []
    for place in (*places, _SHARED_MEMORY):
        with contextlib.suppress(OSError, LocalFault):  # then it is not the right one: the next may be
            real = place.resolve(strict=True)
            _expect_place(real)
            return real
    raise LocalFault(
        "exec.no-memory",
        f"expected a folder in memory for the secrets, XDG_RUNTIME_DIR or {_SHARED_MEMORY} on tmpfs, found none",
        remedy="Mount one: `mount -t tmpfs tmpfs /dev/shm`."
        if sys.platform == "linux"
        else "Run it on Linux, in a virtual machine or a container.",
    )


def _expect_place(place: Path) -> None:
    """Raise LocalFault for a place on disk, and for one where others could put another folder in ours's place."""
    descriptor = os.open(place, _OPEN)
    try:
        expect_memory(descriptor, place)
        state = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    closed = not state.st_mode & _WRITABLE_BY_OTHERS or state.st_mode & stat.S_ISVTX
    if state.st_uid not in (0, os.geteuid()) or not closed or not os.access(place, os.W_OK | os.X_OK):
        raise LocalFault("exec.no-memory", f"expected a folder that is ours to write in, found {place}")


def remove_leftovers(place: Path) -> None:
    """Remove what killed runs of this user left below `place`. What cannot be removed stays, as it was."""
    for path in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # it went away, or somebody holds it
            if path.lstat().st_uid == os.geteuid():
                descriptor = os.open(path, _OPEN)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path)
                finally:
                    os.close(descriptor)


def _make(place: Path) -> tuple[Path, int]:
    """Make a folder and hold it; once more where another run took it for a leftover before it was held."""
    while True:
        try:
            path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        except OSError as error:
            raise LocalFault("exec.no-folder", f"cannot make a folder in {place}: {error.strerror}") from error
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(path, _OPEN)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists():
                return path, descriptor
            os.close(descriptor)


def _remove(path: Path) -> None:
    """Remove a folder. More than once, because what the app left running may be at work in it."""
    found = None
    for _ in range(_ATTEMPTS):
        try:
            shutil.rmtree(path)
        except OSError as error:
            found = error
        if not os.path.lexists(path):
            return
    raise LocalFault(
        "exec.left-behind",
        f"cannot remove {path}: {found.strerror if found else 'it is still there'}. The secrets in it are, too",
        remedy=f"Remove it: rm -r {path}. The next run tries, too.",
    ) from found
