# SPDX-License-Identifier: Apache-2.0
"""What `strongroom inspect` knows about a file, and the shape of the functions that find it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

MAX_SMALL_BYTES = 1 << 24
"""Above what any format allows that is not an image: their readers say what is too large."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """A file in plain words. `facts` is what `--json` prints; its keys are stable."""

    kind: str
    """A stable word for machines."""
    title: str
    """What it is, as it follows "This is"."""
    lines: tuple[str, ...]
    """Each is printed as one line: what a file holds makes no further ones."""
    facts: Mapping[str, object]
    pointer: str
    """A sentence: which command says more of such a file, as this one verifies nothing."""


Recogniser: TypeAlias = Callable[[memoryview], "Inspection | None"]
"""Is given a file, perhaps mapped and of any size, and returns None for bytes of another kind.

Raises FormatError for bytes of its kind that are malformed.
"""


def of_small(recognise: Callable[[bytes], Inspection | None]) -> Recogniser:
    """Return a recogniser that hands the bytes of a file to `recognise`, no more than MAX_SMALL_BYTES and one."""
    return lambda data: recognise(bytes(data[: MAX_SMALL_BYTES + 1]))
