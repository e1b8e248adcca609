# SPDX-License-Identifier: Apache-2.0
"""What a fuzz target is. They stand in `targets/`, one file an area; `registry.py` finds them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strongroom.errors import FormatError


@dataclass(frozen=True, slots=True)
class Target:
    """One reader of untrusted bytes."""

    name: str
    """`area.target`. The area is the file in `targets/`, the whole name the folder of the corpus."""
    once: Callable[[bytes], object]
    """Reads one input, and asserts what else must hold of what was read."""
    seeds: Callable[[], Sequence[bytes]]
    """Inputs to begin with, all ours; the first is a good one, so that the fuzzer begins behind the checks."""
    refusals: tuple[type[Exception], ...] = (FormatError,)
    """What may come out. Anything else is a finding."""
    max_bytes: int = 4_096
    """Of an input that the fuzzer makes."""
    worst: Callable[[], Sequence[bytes]] = tuple
    """The worst inputs of up to 64 KiB that this format knows, beside those that every reader meets."""

    @property
    def area(self) -> str:
        return self.name.partition(".")[0]

    def read(self, data: bytes) -> None:
        """Read one input. Whatever escapes from here is a finding."""
        with contextlib.suppress(*self.refusals):
            self.once(data)
