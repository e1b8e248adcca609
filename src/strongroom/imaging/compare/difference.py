# SPDX-License-Identifier: Apache-2.0
"""One difference between two images, and the first byte in which two contents differ."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

Place: TypeAlias = tuple[str, ...]
"""From the outside in: a file of the output, a partition, a file in there or a section, a file in that."""

_CHUNK_BYTES = 1 << 20
_END = "end"


class Aspect(enum.StrEnum):
    """What differs at a place."""

    CONTENTS = "contents"
    PRESENCE = "presence"
    """It is on one side only."""
    MODE = "mode"
    OWNER = "owner"
    TARGET = "target"
    """Where a symbolic link leads."""
    DEVICE = "device"
    CAPABILITIES = "capabilities"
    NAME = "name"
    KIND = "kind"
    UNIQUE = "unique id"
    OFFSET = "offset"
    """Where a partition begins on its disk, in bytes."""
    SIZE = "size"
    """Of a partition, in bytes."""
    VERSION = "version"
    """Of a package or a program."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `left` and `right` are values in words; of contents, the first bytes that differ, in hex."""

    place: Place
    aspect: Aspect
    left: str
    right: str
    offset: int | None = None
    """Of the first byte that differs, from the start of what `place` names; None where no bytes are compared."""
    follows: str = ""
    """What this difference is only a consequence of; empty where it is one by itself."""
    note: str = ""
    """Why nothing deeper was compared, where that is not what was asked for."""


def compare_bytes(place: Place, left: memoryview, right: memoryview, *, note: str = "") -> Iterator[Difference]:
    """Yield one difference where two contents differ, nothing where they are equal."""
    offset = first_difference(left, right)
    if offset is not None:
        yield Difference(place, Aspect.CONTENTS, _byte(left, offset), _byte(right, offset), offset, note=note)


def compare_values(place: Place, values: Iterable[tuple[Aspect, object, object]]) -> Iterator[Difference]:
    """Yield a difference for each aspect whose two values differ."""
    for aspect, left, right in values:
        if left != right:
            yield Difference(place, aspect, str(left), str(right))


def one_sided(place: Place, *, on_left: bool) -> Difference:
    """Return the difference that something is on one side only."""
    return Difference(place, Aspect.PRESENCE, *(("there", "missing") if on_left else ("missing", "there")))


def following(differences: Iterable[Difference], cause: str) -> Iterator[Difference]:
    """Yield differences as consequences of `cause`; what is one already stays as it is."""
    for each in differences:
        yield each if each.follows else replace(each, follows=cause)


def first_difference(left: memoryview, right: memoryview) -> int | None:
    """Return the offset of the first byte that differs, or None. Where one side ends first, that is its end."""
    common = min(len(left), len(right))
    for start in range(0, common, _CHUNK_BYTES):
        one, other = (bytes(side[start : min(start + _CHUNK_BYTES, common)]) for side in (left, right))
        if one != other:
            return start + next(at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
    return None if len(left) == len(right) else common


def _byte(data: memoryview, offset: int) -> str:
    return f"{data[offset]:02x}" if offset < len(data) else _END
