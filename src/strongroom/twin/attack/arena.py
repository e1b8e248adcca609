# SPDX-License-Identifier: Apache-2.0
"""Where rows are played: a twin whose keys open for one image, and machines that boot what the attacker made of it.

Boots cost seconds, so rows that only differ in what they ask share one: `boots.Boot` is made once for each name. The
same holds for safes. Everything lies in one folder, and is gone with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from strongroom.formats.pcrs import PcrDigests, PcrIndex
from strongroom.twin.attack.canary import Canary
from strongroom.twin.attack.copies import sparse_copy
from strongroom.twin.attack.disk import make_disk
from strongroom.twin.attack.target import BOOT_PATH, Target
from strongroom.twin.attack.vendor import Safe, TwinVendor
from strongroom.twin.server import Twin

Made = TypeVar("Made")


class Shared:
    """Things that are made once, by whoever asks first; others wait for it. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._made: dict[str, object] = {}

    def get(self, name: str, make: Callable[[], Made]) -> Made:
        """Return what `make` gave the first time for this name. Where it raised, the next one to ask tries again."""
        with self._lock:
            own = self._locks.setdefault(name, threading.Lock())
        with own:
            if name not in self._made:
                self._made[name] = make()
            return cast("Made", self._made[name])


@dataclass(frozen=True)
class Arena:
    """What rows have in common."""

    twin: Twin
    target: Target
    vendor: TwinVendor
    canary: Canary
    folder: Path
    cache: Path
    """Where Debian's packages are kept between runs, for guests of the attacker's own."""
    slots: threading.BoundedSemaphore
    """How many machines run at a time."""
    shared: Shared = field(default_factory=Shared)

    def safe(self, *, without: Sequence[PcrIndex] = (), admitted: Sequence[PcrDigests] = ()) -> Safe:
        """Return a safe that opens for the target, and for what else is admitted, with these gates left out."""
        pcrs = tuple(admitted) or (self.target.pcrs,)
        name = f"safe {[int(index) for index in without]} {[each[PcrIndex(4)].hex() for each in pcrs]}"
        return self.shared.get(name, lambda: self.vendor.make_safe(pcrs, without=without))

    @contextmanager
    def disk_copy(self, name: str) -> Iterator[Path]:
        """Lend a copy of the target's disk for an attacker to change; each name once at a time."""
        path = self.folder / f"{name}.raw"
        sparse_copy(self.target.disk, path)
        with self._gone_afterwards(path):
            yield path

    @contextmanager
    def own_disk(self, name: str, image: bytes) -> Iterator[Path]:
        """Lend a disk that boots another image; each name once at a time."""
        path = self.folder / f"{name}.raw"
        make_disk(path, {BOOT_PATH: image})
        with self._gone_afterwards(path):
            yield path

    @contextmanager
    def empty_disk(self, name: str, size_bytes: int) -> Iterator[Path]:
        """Lend a disk without anything on it; each name once at a time."""
        path = self.folder / f"{name}.raw"
        with path.open("xb") as file:
            file.truncate(size_bytes)
        with self._gone_afterwards(path):
            yield path

    @contextmanager
    def _gone_afterwards(self, path: Path) -> Iterator[None]:
        try:
            yield
        finally:
            path.unlink()
