# SPDX-License-Identifier: Apache-2.0
"""Files that are whole or absent: read with a bound, written so that kill -9 or a full disk leaves no half."""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from strongroom.errors import FormatError, LocalFault
from strongroom.formats.file_kind import FileKind, guess_kind, looks_like

PRIVATE_MODE = 0o600
PUBLIC_MODE = 0o644


def read_file(path: Path, *, maximum_bytes: int) -> bytes:
    """Return the contents of a file of 1 to `maximum_bytes` bytes; a pipe is read to its end.

    Raises LocalFault for what cannot be read, FormatError for what is empty or too large.
    """
    data = read_head(path, maximum_bytes=maximum_bytes + 1)
    if len(data) > maximum_bytes:
        raise FormatError(
            "file.too-large",
            f"expected at most {maximum_bytes} bytes in {path}, found more; this looks like {_too_large(data)}",
        )
    return data


def _too_large(data: bytes) -> str:
    """Return what a file is that is too large, with its reader where that is a command which takes any size."""
    kind = guess_kind(data)
    return looks_like(data) if kind in {FileKind.EFI_IMAGE, FileKind.DISK} else str(kind)


def read_head(path: Path, *, maximum_bytes: int) -> bytes:
    """Return the first `maximum_bytes` bytes of a file, or all there are. Raises as `read_file`."""
    with _opened(path) as file:
        data = file.read(maximum_bytes)
    if not data:
        raise _empty(path)
    return data


def map_file(path: Path, *, maximum_piped_bytes: int) -> memoryview:
    """Return the contents of a file or of a block device of any size without reading them: pages come when asked for.

    It is opened once. A pipe is read to its end, up to `maximum_piped_bytes`. Raises as `read_file`. Whoever shortens
    the file while it is looked at ends this process (SIGBUS).
    """
    with _opened(path) as file:
        data = _mapped(file) if _has_size(file) else memoryview(_piped(file, path, maximum_piped_bytes))
    if not data:
        raise _empty(path)
    return data


def _piped(file: BinaryIO, path: Path, maximum_bytes: int) -> bytes:
    data = file.read(maximum_bytes + 1)
    if len(data) > maximum_bytes:
        raise FormatError(
            "file.too-large",
            f"expected at most {maximum_bytes} bytes from {path}, found more",
            remedy="Give a file instead of a pipe: its size does not matter.",
        )
    return data


def _has_size(file: BinaryIO) -> bool:
    mode = os.fstat(file.fileno()).st_mode
    return stat.S_ISREG(mode) or stat.S_ISBLK(mode)


def _mapped(file: BinaryIO) -> memoryview:
    size = file.seek(0, os.SEEK_END)
    return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ) if size else b"")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except FileNotFoundError as error:
        raise LocalFault("file.missing", f"expected a file at {path}, found nothing") from error
    except IsADirectoryError as error:
        raise LocalFault("file.directory", f"expected a file at {path}, found a directory") from error
    except OSError as error:
        raise LocalFault("file.unreadable", f"cannot read {path}: {error.strerror}") from error


def _empty(path: Path) -> FormatError:
    return FormatError("file.empty", f"expected content in {path}, found an empty file", offset=0)


def write_file(path: Path, data: bytes, *, mode: int) -> None:
    """Replace `path` by a file that holds `data`: on return it is on disk; before that, the old one is.

    A link to a file is replaced, too, and not followed. Raises LocalFault when it cannot be written, and for what a
    file must not replace: a device, a pipe, a folder, or a name of an open file such as /dev/stdout. Then nothing new
    is left behind.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        _expect_replaceable(path)
        _write_durably(part, data, mode)
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise LocalFault(
            "file.unwritable",
            f"cannot write {path}: {error.strerror}",
            remedy="Nothing was changed. Free some space or name another place, and try again.",
        ) from error
    finally:
        with contextlib.suppress(OSError):  # it may never have been made, for the reason that is being told
            part.unlink()


def _expect_replaceable(path: Path) -> None:
    """Refuse what a rename would replace by a file without a word: as root, /dev/null."""
    if _names_an_open_file(path) or (path.exists() and not path.is_file()):
        raise LocalFault(
            "file.not-a-file",
            f"expected a file or nothing at {path}, found something else",
            remedy="Nothing was changed. Name a file.",
        )


def _names_an_open_file(path: Path) -> bool:
    """Say whether it is a link such as /dev/stdout, which leads to a file where the shell has redirected output."""
    return path.is_symlink() and path.readlink().is_relative_to("/proc")


def _write_durably(part: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
