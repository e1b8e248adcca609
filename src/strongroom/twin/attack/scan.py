# SPDX-License-Identifier: Apache-2.0
"""Searches what an attacker can read after a run for a canary: console, disks, variables, a TPM's memory, overlays.

A scanner that cannot find is worth nothing, so each place is first searched for another canary, planted into a copy of
the place in every form and at its beginning, its middle and its end; a place where one of them is missed is an error.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from strongroom.errors import LocalFault
from strongroom.twin.attack.canary import Canary, Form
from strongroom.twin.attack.copies import sparse_copy

_CHUNK_BYTES = 4 << 20
_BLOCKS = 3


@dataclass(frozen=True, slots=True)
class Place:
    """Part of a file that is searched. `end` is the offset behind its last byte."""

    name: str
    file: Path
    start: int
    end: int
    grows: bool = False
    """Whether more may be written behind its end: a log, and not a partition."""

    @classmethod
    def whole(cls, name: str, file: Path) -> Place:
        """Return all of a file as a place. Raises LocalFault where there is no such file."""
        try:
            return cls(name, file, 0, file.stat().st_size, grows=True)
        except OSError as error:
            raise LocalFault("attack.place", f"expected {name} in {file}, found: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where a canary was seen: the place, the offset in its file in bytes, and how it was written."""

    place: str
    offset: int
    form: str

    def __str__(self) -> str:
        return f"{self.place}, byte {self.offset} ({self.form})"


def scan(places: Sequence[Place], canary: Canary) -> tuple[Sighting, ...]:
    """Return where the canary is, every time and in every form. Raises LocalFault for what cannot be read."""
    forms = canary.forms
    return tuple(sighting for place in places for sighting in sorted(_scan_place(place, forms), key=_by_offset))


def prove_scanner(places: Sequence[Place], *, scratch: Path) -> int:
    """Plant another canary into a copy of each place and find it there; return how often it was planted and found.

    It is planted in every form at the beginning, in the middle and at the end; behind the end, too, of a file that
    grows. Raises LocalFault with code `attack.blind-scanner` where one of them is missed.
    """
    decoy, planted = Canary.make(), 0
    for file in dict.fromkeys(place.file for place in places):
        copy = scratch / "planted"
        try:
            sparse_copy(file, copy)
            in_copy = [_plant(replace(place, file=copy), decoy) for place in places if place.file == file]
            planted += sum(_expect_found(place, expected, decoy) for place, expected in in_copy)
        finally:
            copy.unlink(missing_ok=True)
    return planted


def _by_offset(sighting: Sighting) -> int:
    return sighting.offset


def _scan_place(place: Place, forms: Sequence[Form]) -> set[Sighting]:
    overlap = max(len(form.needle) for form in forms) - 1
    try:
        with place.file.open("rb", buffering=0) as stream:
            return {
                Sighting(place.name, offset + at, form.name)
                for offset, chunk in _chunks(stream.fileno(), place, overlap)
                for form in forms
                for at in _all_in(chunk, form.needle)
            }
    except OSError as error:
        raise LocalFault("attack.place", f"cannot search {place.name} in {place.file}: {error.strerror}") from error


def _all_in(chunk: bytes, needle: bytes) -> Iterator[int]:
    at = chunk.find(needle)
    while at >= 0:
        yield at
        at = chunk.find(needle, at + 1)


def _chunks(descriptor: int, place: Place, overlap: int) -> Iterator[tuple[int, bytes]]:
    """Yield the place piece by piece, each with the end of the one before it; holes of a sparse file are left out."""
    offset = place.start
    while (data := _next_data(descriptor, offset, place.end)) < place.end:
        offset = max(place.start, data - overlap)
        chunk = os.pread(descriptor, min(_CHUNK_BYTES + overlap, place.end - offset), offset)
        if not chunk:  # the file has become shorter
            return
        yield offset, chunk
        offset += len(chunk)


def _next_data(descriptor: int, offset: int, end: int) -> int:
    """Return where bytes that were ever written begin (lseek(2), SEEK_DATA); `end` where there are none."""
    if offset >= end:
        return end
    try:
        return os.lseek(descriptor, offset, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return end


def _plant(place: Place, decoy: Canary) -> tuple[Place, set[Sighting]]:
    """Write the decoy into a place of a copy, and return the place as it is now, with what has to be seen there."""
    block_bytes = sum(len(form.needle) for form in decoy.forms)
    size = place.end - place.start
    starts = [place.start]
    if size >= _BLOCKS * block_bytes:
        starts += [place.start + (size - block_bytes) // 2, place.end - block_bytes]
    if place.grows:
        starts.append(place.end)
        place = replace(place, end=place.end + block_bytes)
    with place.file.open("r+b") as stream:
        return place, {seen for start in starts for seen in _plant_block(stream, place, decoy, start)}


def _plant_block(stream: BinaryIO, place: Place, decoy: Canary, at: int) -> Iterator[Sighting]:
    """Write every form that still fits into the place, one behind the other."""
    for form in decoy.forms:
        if at + len(form.needle) <= place.end:
            stream.seek(at)
            stream.write(form.needle)
            yield Sighting(place.name, at, form.name)
            at += len(form.needle)


def _expect_found(place: Place, expected: set[Sighting], decoy: Canary) -> int:
    missed = expected - _scan_place(place, decoy.forms)
    if missed:
        raise LocalFault(
            "attack.blind-scanner",
            f"expected to find what was planted in {place.name}, "
            f"missed {min(map(str, missed))} and {len(missed) - 1} more",
            remedy="Nothing that this run says about leaks can be relied on. Please report it.",
        )
    return len(expected)
