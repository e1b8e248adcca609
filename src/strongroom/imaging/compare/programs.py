# SPDX-License-Identifier: Apache-2.0
"""What differs between two EFI programs: which section, and in an initrd which file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

from strongroom.errors import FormatError
from strongroom.formats.pe import PeImage, Section, parse_pe
from strongroom.imaging.audit.scratch import Scratch
from strongroom.imaging.compare.difference import (
    Aspect,
    Difference,
    Place,
    compare_bytes,
    first_difference,
    following,
    one_sided,
)
from strongroom.imaging.compare.trees import compare_trees
from strongroom.imaging.tree.initrd import initrd_tree

ROOT_HASH = "the root hash"
_ROOT_HASH = re.compile(rb"\b((?:root|usr)hash=)[0-9A-Fa-f]+")
_Sections: TypeAlias = dict[str, Section]


def compare_programs(place: Place, left: memoryview, right: memoryview, scratch: Scratch) -> Iterator[Difference]:
    """Yield what differs, section by section; byte by byte where one side is no EFI program. Raises LocalFault."""
    if first_difference(left, right) is None:
        return
    try:
        one, other = parse_pe(left), parse_pe(right)
    except FormatError as error:
        yield from compare_bytes(place, left, right, note=f"not compared by sections: {error}")
        return
    found = [*_sections(place, one, other, scratch), *_signatures(place, one, other)]
    yield from found or compare_bytes((*place, "outside of its sections"), left, right)


def _sections(place: Place, one: PeImage, other: PeImage, scratch: Scratch) -> Iterator[Difference]:
    lefts, rights = _by_name(one), _by_name(other)
    for name in dict.fromkeys([*lefts, *rights]):
        here = (*place, name)
        if name in lefts and name in rights:
            yield from _section(here, one.contents(lefts[name]), other.contents(rights[name]), scratch)
        else:
            yield one_sided(here, on_left=name in lefts)


def _by_name(image: PeImage) -> _Sections:
    """Return the sections by name; a second one of a name has its number behind it."""
    count: Counter[str] = Counter()
    found = {}
    for section in image.sections:
        count[section.name] += 1
        number = count[section.name]
        found[section.name if number == 1 else f"{section.name} (number {number})"] = section
    return found


def _section(place: Place, left: memoryview, right: memoryview, scratch: Scratch) -> Iterator[Difference]:
    if first_difference(left, right) is None:
        return
    name = place[-1]
    if name == ".initrd":
        yield from _initrds(place, left, right, scratch)
    elif name == ".cmdline":
        yield from _command_lines(place, bytes(left), bytes(right))
    else:
        yield from compare_bytes(place, left, right)


def _initrds(place: Place, left: memoryview, right: memoryview, scratch: Scratch) -> Iterator[Difference]:
    try:
        found = [*compare_trees(place, *(initrd_tree(side, scratch.folder()) for side in (left, right)))]
    except FormatError as error:
        yield from compare_bytes(place, left, right, note=f"not compared by files: {error}")
        return
    yield from found or compare_bytes((*place, "outside of its files"), left, right)


def _command_lines(place: Place, left: bytes, right: bytes) -> Iterator[Difference]:
    offset = first_difference(memoryview(left), memoryview(right))
    one, other = (side.decode("utf-8", "replace").rstrip("\0\n") for side in (left, right))
    found = Difference(place, Aspect.CONTENTS, one, other, offset)
    same = _ROOT_HASH.sub(rb"\1", left) == _ROOT_HASH.sub(rb"\1", right)
    yield from following([found], ROOT_HASH) if same else [found]


def _signatures(place: Place, one: PeImage, other: PeImage) -> Iterator[Difference]:
    left, right = _signature(one), _signature(other)
    here = (*place, "signature")
    if left is not None and right is not None:
        yield from compare_bytes(here, left, right)
    elif left is not right:
        yield one_sided(here, on_left=left is not None)


def _signature(image: PeImage) -> memoryview | None:
    offset, size = image.certificate_table
    return image.data[offset : offset + size] if size else None
