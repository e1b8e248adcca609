# SPDX-License-Identifier: Apache-2.0
"""What differs between two raw disks: which partition, and what in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from strongroom.errors import FormatError
from strongroom.formats.fat_layout import resembles_fat
from strongroom.formats.uki import parse_uki
from strongroom.imaging.audit.scratch import Scratch
from strongroom.imaging.compare.difference import (
    Aspect,
    Difference,
    Place,
    compare_bytes,
    compare_values,
    first_difference,
    following,
    one_sided,
)
from strongroom.imaging.compare.programs import ROOT_HASH
from strongroom.imaging.compare.trees import compare_trees
from strongroom.imaging.compare.volumes import compare_volumes
from strongroom.imaging.tree.file_systems import file_system_tree
from strongroom.imaging.tree.kinds import guess_file_system
from strongroom.measure.disk import boot_image
from strongroom.measure.disk_layout import DiskLayout, DiskPartition, parse_disk

_HASHES = "dm-verity hashes"
_UUID_DIGITS = 32
_TABLE = "the partition table"


def compare_disks(place: Place, left: memoryview, right: memoryview, scratch: Scratch) -> Iterator[Difference]:
    """Yield what differs, partition by partition; byte by byte where a side cannot be read. Raises LocalFault."""
    if first_difference(left, right) is None:
        return
    try:
        layouts = parse_disk(left), parse_disk(right)
    except FormatError as error:
        yield from compare_bytes(place, left, right, note=f"not compared by partitions: {error}")
        return
    disks = left, right
    rows = [*_rows(place, disks, layouts)]
    found = [*rows, *_partitions(place, disks, layouts, scratch)]
    around = compare_bytes((*place, "outside of its partitions"), *map(_outside, disks, layouts))
    yield from found
    yield from following(around, _TABLE) if rows else around


def _rows(
    place: Place, disks: tuple[memoryview, memoryview], layouts: tuple[DiskLayout, DiskLayout]
) -> Iterator[Difference]:
    """Yield what the two tables say of their partitions and what differs in it."""
    hashes = [_root_hash(disk) for disk in disks]
    lefts, rights = ({each.number: each for each in layout.partitions} for layout in layouts)
    for number in sorted({*lefts, *rights}):
        if number not in lefts or number not in rights:
            side = lefts if number in lefts else rights
            yield one_sided((*place, str(side[number])), on_left=number in lefts)
            continue
        pair = lefts[number], rights[number]
        derived = all(_is_half(each.unique, hash_) for each, hash_ in zip(pair, hashes, strict=True))
        for each in compare_values((*place, str(pair[0])), _aspects(*pair)):
            yield from following([each], ROOT_HASH) if derived and each.aspect is Aspect.UNIQUE else [each]


def _aspects(one: DiskPartition, other: DiskPartition) -> Iterator[tuple[Aspect, object, object]]:
    yield Aspect.NAME, one.name, other.name
    yield Aspect.KIND, one.words, other.words
    yield Aspect.UNIQUE, one.unique, other.unique
    yield Aspect.OFFSET, one.offset, other.offset
    yield Aspect.SIZE, one.size_bytes, other.size_bytes


def _partitions(
    place: Place, disks: tuple[memoryview, memoryview], layouts: tuple[DiskLayout, DiskLayout], scratch: Scratch
) -> Iterator[Difference]:
    rights = {each.number: each for each in layouts[1].partitions}
    moved = ""
    for one in layouts[0].partitions:
        if one.number not in rights:
            continue
        sides = _part(disks[0], one), _part(disks[1], rights[one.number])
        found = [*_contents((*place, str(one)), *sides, scratch)]
        yield from following(found, moved) if moved and one.words.startswith(_HASHES) else found
        if found and one.words.startswith("root of"):
            moved = str(one)


def _contents(place: Place, left: memoryview, right: memoryview, scratch: Scratch) -> Iterator[Difference]:
    if first_difference(left, right) is None:
        return
    try:
        yield from [*_inside(place, left, right, scratch)]
    except FormatError as error:
        yield from compare_bytes(place, left, right, note=f"not compared by files: {error}")


def _inside(place: Place, left: memoryview, right: memoryview, scratch: Scratch) -> Iterator[Difference]:
    kind = guess_file_system(left)
    if resembles_fat(left) and resembles_fat(right):
        yield from compare_volumes(place, left, right, scratch)
    elif kind is not None and kind is guess_file_system(right):
        trees = (file_system_tree(side, kind, scratch.file, scratch.folder) for side in (left, right))
        found = [*compare_trees(place, *trees)]
        yield from found or compare_bytes((*place, "outside of its files"), left, right)
    else:
        yield from compare_bytes(place, left, right)


def _part(disk: memoryview, partition: DiskPartition) -> memoryview:
    return disk[partition.offset : partition.offset + partition.size_bytes]


def _outside(disk: memoryview, layout: DiskLayout) -> memoryview:
    """Return what no partition holds, one piece after the other."""
    pieces, at = [], 0
    for each in sorted(layout.partitions, key=lambda each: each.offset):
        pieces.append(disk[at : each.offset])
        at = max(at, each.offset + each.size_bytes)
    return memoryview(b"".join([*pieces, disk[at:]]))


def _root_hash(disk: memoryview) -> str:
    """Return the root hash that the disk boots with, empty where that cannot be told."""
    try:
        return parse_uki(boot_image(disk).image).root_hash
    except FormatError:
        return ""


def _is_half(unique: str, root_hash: str) -> bool:
    """Say whether a partition's id is a half of a root hash (UAPI Discoverable Partitions Specification)."""
    halves = (root_hash[:_UUID_DIGITS], root_hash[-_UUID_DIGITS:])
    return uuid.UUID(unique).hex in halves
