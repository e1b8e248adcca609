# SPDX-License-Identifier: Apache-2.0
"""The data of one snapshot: a folder with one file per block (docs/formats/twin-state.md).

A block is written aside and renamed, so it is whole or absent whenever the process is killed; its file is named after
its index and its SHA-256, so the folder is its own index and a block that was damaged is noticed. What a snapshot has
from its parent lies in a folder of its own, as hard links: no copies, and the parent may go.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from strongroom.errors import FormatError
from strongroom.flows.files import PRIVATE_MODE
from strongroom.twin.ebs.snapshots import BLOCK_BYTES

_NAME = re.compile(r"([0-9a-f]{8})-([0-9a-f]{64})")
_INHERITED, _PART = "inherited", "part-"
_FOLDER_MODE = 0o700
_FLUSHES = 16
_SPEC = "docs/formats/twin-state.md"


class Blocks:
    """The blocks of a snapshot, in a folder that is made where there is none. Safe to use from several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._parts = itertools.count()
        for each in (folder.parent, folder, folder / _INHERITED):
            each.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        self.last_write_ns = 0
        self._own = self._scan(folder)
        self._inherited = self._scan(folder / _INHERITED)

    @property
    def own(self) -> Mapping[int, bytes]:
        """The SHA-256 of every block that was written here, by its index."""
        with self._lock:
            return dict(self._own)

    @property
    def all(self) -> dict[int, bytes]:
        """The SHA-256 of every block, of those from the parent too, in the order of their indexes."""
        with self._lock:
            return dict(sorted({**self._inherited, **self._own}.items()))

    def contents(self) -> str:
        """Return the SHA-256, in hex, over all indexes, in eight bytes each, and the blocks' SHA-256s."""
        told = b"".join(index.to_bytes(8, "big") + digest for index, digest in self.all.items())
        return hashlib.sha256(told).hexdigest()

    def put(self, index: int, data: bytes, digest: bytes, *, at_ns: int) -> None:
        """Keep a block in the place of what was there: it outlives the process on return. Raises OSError.

        `at_ns` is the time of the twin's clock, in nanoseconds since 1970.
        """
        part = self._folder / f"{_PART}{next(self._parts)}"
        try:
            with open(part, "xb", opener=_private) as file:
                file.write(data)
            os.utime(part, ns=(at_ns, at_ns))
            with self._lock:
                self._replace(part, index, digest)
                self.last_write_ns = max(self.last_write_ns, at_ns)
        finally:
            part.unlink(missing_ok=True)

    def _replace(self, part: Path, index: int, digest: bytes) -> None:
        before = self._own.get(index)
        part.rename(self._folder / _name(index, digest))
        self._own[index] = digest
        if before not in {None, digest}:
            (self._folder / _name(index, before or b"")).unlink()

    def get(self, index: int) -> tuple[bytes, bytes]:
        """Return the SHA-256 and the bytes of a block that is there.

        Raises OSError, and FormatError where they are not what was written.
        """
        with self._lock:
            own = index in self._own
            digest = self._own[index] if own else self._inherited[index]
        path = (self._folder if own else self._folder / _INHERITED) / _name(index, digest)
        data = path.read_bytes()
        if hashlib.sha256(data).digest() != digest:
            raise FormatError("twin.block", f"expected in {path} the block it is named after", spec=_SPEC)
        return digest, data

    def inherit(self, parent: Blocks) -> None:
        """Take over all blocks of a parent. Raises OSError."""
        for index, digest in parent.all.items():
            os.link(parent.path_of(index), self._folder / _INHERITED / _name(index, digest))
            self._inherited[index] = digest

    def path_of(self, index: int) -> Path:
        """Return the file of a block that is there."""
        with self._lock:
            if index in self._own:
                return self._folder / _name(index, self._own[index])
            return self._folder / _INHERITED / _name(index, self._inherited[index])

    def flush(self) -> None:
        """Wait until the disk has all blocks. Raises OSError.

        Several at a time: the file system then writes its journal once for all of them. One after the other, 2 GiB took
        longer than the 12 seconds that coldsnap waits for an answer.
        """
        with ThreadPoolExecutor(_FLUSHES) as pool:
            list(pool.map(_sync, [self.path_of(index) for index in self.own]))
        for folder in (self._folder / _INHERITED, self._folder, self._folder.parent):
            _sync(folder)

    def remove(self) -> None:
        """Remove all of it. Raises OSError."""
        with self._lock:
            shutil.rmtree(self._folder)
            self._own, self._inherited = {}, {}

    def clear(self) -> None:
        """Remove all blocks, and keep the empty folder. Raises OSError."""
        with self._lock:
            for index, digest in self._own.items():
                (self._folder / _name(index, digest)).unlink()
            for index, digest in self._inherited.items():
                (self._folder / _INHERITED / _name(index, digest)).unlink()
            self._own, self._inherited = {}, {}

    def _scan(self, folder: Path) -> dict[int, bytes]:
        """Read a folder. What a killed process left is removed: a part, or a block that has a newer one beside it.

        A file of another size is no block, and left alone.
        """
        found: dict[int, bytes] = {}
        for written, name in sorted((entry.stat().st_mtime_ns, entry.name) for entry in _files(folder)):
            parts = _NAME.fullmatch(name)
            if name.startswith(_PART):
                (folder / name).unlink()
            if parts is None or (folder / name).stat().st_size != BLOCK_BYTES:
                continue
            index, digest = int(parts[1], 16), bytes.fromhex(parts[2])
            if index in found:
                (folder / _name(index, found[index])).unlink()
            found[index] = digest
            self.last_write_ns = max(self.last_write_ns, written)
        return found


def _files(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return [entry for entry in entries if entry.is_file(follow_symlinks=False)]


def _name(index: int, digest: bytes) -> str:
    return f"{index:08x}-{digest.hex()}"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, PRIVATE_MODE)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
