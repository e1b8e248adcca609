# SPDX-License-Identifier: Apache-2.0
"""Initial RAM disks without root: a writer of the "newc" cpio format (Linux, early-userspace/buffer-format).

Owner, times and inode numbers are fixed, so equal entries give equal bytes. Device nodes need no privilege: they exist
only inside the archive.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

_MAGIC = b"070701"
_TRAILER = "TRAILER!!!"
_WORD_BYTES = 4


@dataclass(frozen=True, slots=True)
class InitrdEntry:
    """One file of the archive. `path` is relative to the root; `mode` holds type and permissions, as in stat(2)."""

    path: str
    mode: int
    contents: bytes = b""
    device: tuple[int, int] = (0, 0)
    """Major and minor number."""


def file_entry(path: str, contents: bytes) -> InitrdEntry:
    """Return a file that everybody may read."""
    return InitrdEntry(path, stat.S_IFREG | 0o644, contents)


def program_entry(path: str, contents: bytes) -> InitrdEntry:
    """Return a file that everybody may run."""
    return InitrdEntry(path, stat.S_IFREG | 0o755, contents)


def folder_entry(path: str) -> InitrdEntry:
    """Return a folder, empty unless other entries lie in it."""
    return InitrdEntry(path, stat.S_IFDIR | 0o755)


def link_entry(path: str, target: str) -> InitrdEntry:
    """Return a symbolic link."""
    return InitrdEntry(path, stat.S_IFLNK | 0o777, target.encode())


def character_device_entry(path: str, *, major: int, minor: int) -> InitrdEntry:
    """Return a character device that only root may use."""
    return InitrdEntry(path, stat.S_IFCHR | 0o600, device=(major, minor))


def build_initrd(entries: Sequence[InitrdEntry]) -> bytes:
    """Return an uncompressed archive of the entries, in order of path, with the folders that they lie in.

    An absolute path, one with `..` in it, or one given twice is a programmer's mistake: ValueError.
    """
    named = {_plain(entry.path): entry for entry in entries}
    if len(named) != len(entries):
        raise ValueError("expected each path once")
    for path in list(named):
        for parent in PurePosixPath(path).parents[:-1]:
            named.setdefault(str(parent), folder_entry(str(parent)))
    rows = [(path, named[path]) for path in sorted(named)]
    archive = bytearray()
    for number, (path, entry) in enumerate((*rows, (_TRAILER, InitrdEntry(_TRAILER, 0))), start=1):
        for part in _record(number, path, entry):
            archive.extend(part)
            archive.extend(bytes(-len(archive) % _WORD_BYTES))
    return bytes(archive)


def _plain(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or not parts.parts or ".." in parts.parts:
        raise ValueError(f"expected a path inside the archive, found {path!r}")
    return str(parts)


def _record(number: int, path: str, entry: InitrdEntry) -> Iterator[bytes]:
    """Header with name, then contents; each is padded to a word by the caller."""
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    owner = time = check = file_device = 0
    fields = (
        *(number, entry.mode, owner, owner, links, time, len(entry.contents)),
        *(file_device, file_device, *entry.device, len(name), check),
    )
    yield _MAGIC + b"".join(b"%08x" % value for value in fields) + name
    yield entry.contents
