# SPDX-License-Identifier: Apache-2.0
"""Where rows are played: a twin whose keys open for one image, and machines that boot what the attacker made of it.

Boots cost seconds, so rows that only differ in what they ask share one: `boots.Boot` is made once for each name. The
same holds for safes. Everything lies in one folder, and is gone with it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar, cast

from strongroom.formats.pcrs import PcrDigests, PcrIndex
from strongroom.twin.attack.canary import Canary
from strongroom.twin.attack.copies import sparse_copy
from strongroom.twin.attack.target import Target
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
    shared: Shared = field(default_factory=Shared)

    def safe(self, *, without: Sequence[PcrIndex] = (), admitted: Sequence[PcrDigests] = ()) -> Safe:
        """Return a safe that opens for the target, and for what else is admitted, with these gates left out."""
        pcrs = tuple(admitted) or (self.target.pcrs,)
        name = f"safe {[int(index) for index in without]} {[each[PcrIndex(4)].hex() for each in pcrs]}"
        return self.shared.get(name, lambda: self.vendor.make_safe(pcrs, without=without))

    def disk_copy(self, name: str) -> Path:
        """Return a copy of the target's disk for an attacker to change; each name once."""
        path = self.folder / f"{name}.raw"
        sparse_copy(self.target.disk, path)
        return path
