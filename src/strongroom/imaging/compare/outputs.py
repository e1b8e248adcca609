# SPDX-License-Identifier: Apache-2.0
"""What differs between two outputs of a build, file by file and then inside of each; or between two images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from strongroom.errors import FormatError, LocalFault, UsageError
from strongroom.formats.file_kind import HEAD_BYTES, FileKind, guess_kind
from strongroom.imaging.audit.scratch import Scratch, scratch_space
from strongroom.imaging.compare.difference import (
    Difference,
    Place,
    compare_bytes,
    first_difference,
    following,
    one_sided,
)
from strongroom.imaging.compare.disks import compare_disks
from strongroom.imaging.compare.programs import compare_programs
from strongroom.imaging.compare.records import compare_records
from strongroom.imaging.provenance import BUILD_RECORD_NAME, PROVENANCE_NAME
from strongroom.imaging.tree.folder import file_contents

IGNORED = frozenset({"build.log"})
"""Tells of times and places, and no image is made of it."""
DESCRIPTIONS = frozenset({"pcr_measurements.json", "audit.json", "sbom.cdx.json", PROVENANCE_NAME})
"""What is written about an image: it differs when the image does."""
_THE_IMAGE = "the image"


def compare_outputs(left: Path, right: Path) -> tuple[Difference, ...]:
    """Return everything that differs between two output folders or two images, causes before what follows from them.

    Raises LocalFault for what cannot be read and for a folder without files, UsageError for a folder and an image.
    """
    folders = left.is_dir()
    if folders is not right.is_dir():
        raise UsageError("compare.kinds", "expected two folders or two images, found one of each")
    try:
        with scratch_space() as scratch:
            pairs = _of_all(_files(left), _files(right), scratch) if folders else _of_images(left, right, scratch)
            found = [*pairs]
    except OSError as error:
        raise LocalFault(
            "compare.unreadable",
            f"cannot read the images, or not unpack them: {error.strerror}",
            remedy="What is unpacked goes into TMPDIR, which needs room for both of them.",
        ) from error
    return tuple(sorted(found, key=lambda each: bool(each.follows)))


def _of_all(lefts: Mapping[str, Path], rights: Mapping[str, Path], scratch: Scratch) -> Iterator[Difference]:
    image_moved = ""
    for name in sorted({*lefts, *rights}, key=lambda name: (_rank(name), name)):
        if name not in lefts or name not in rights:
            yield one_sided((name,), on_left=name in lefts)
            continue
        found = [*_of_one(name, lefts[name], rights[name], scratch)]
        if found and not image_moved and _rank(name) == 0:
            image_moved = name
            yield from found
        elif image_moved:
            yield from following(found, image_moved if _rank(name) == 0 else _THE_IMAGE)
        else:
            yield from found


def _rank(name: str) -> int:
    """Return when a file is looked at: disks before the program that is also on them, descriptions last."""
    if name in DESCRIPTIONS:
        return 2
    return 1 if name == BUILD_RECORD_NAME else 0


def _of_one(name: str, left: Path, right: Path, scratch: Scratch) -> Iterator[Difference]:
    one, other = file_contents(left), file_contents(right)
    if first_difference(one, other) is None:
        return
    if name == BUILD_RECORD_NAME:
        yield from _records(name, one, other)
    else:
        yield from _by_kind((name,), one, other, scratch)


def _of_images(left: Path, right: Path, scratch: Scratch) -> Iterator[Difference]:
    yield from _by_kind((left.name,), file_contents(left), file_contents(right), scratch)


def _by_kind(place: Place, left: memoryview, right: memoryview, scratch: Scratch) -> Iterator[Difference]:
    kinds = {guess_kind(bytes(side[:HEAD_BYTES])) for side in (left, right)}
    if kinds == {FileKind.EFI_IMAGE}:
        yield from compare_programs(place, left, right, scratch)
    elif kinds == {FileKind.DISK}:
        yield from compare_disks(place, left, right, scratch)
    else:
        yield from compare_bytes(place, left, right)


def _records(name: str, left: memoryview, right: memoryview) -> Iterator[Difference]:
    try:
        yield from compare_records((name,), bytes(left), bytes(right))
    except FormatError as error:
        yield from compare_bytes((name,), left, right, note=f"not compared by entries: {error}")


def _files(folder: Path) -> Mapping[str, Path]:
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    found = {each.name: Path(each.path) for each in entries if each.is_file() and each.name not in IGNORED}
    if not found:
        raise LocalFault(
            "compare.empty",
            f"expected the output of a build in {folder}, found no files",
            remedy="Give the folder that was written as `-o`.",
        )
    return found
