# SPDX-License-Identifier: Apache-2.0
"""What differs between two FAT volumes: which files, and what of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from strongroom.formats.fat import FatVolume, parse_fat
from strongroom.formats.fat_directory import FatEntry
from strongroom.imaging.audit.scratch import Scratch
from strongroom.imaging.compare.difference import Difference, Place, compare_bytes, one_sided
from strongroom.imaging.compare.programs import compare_programs

_PROGRAM = b"MZ"


def compare_volumes(place: Place, left: memoryview, right: memoryview, scratch: Scratch) -> Iterator[Difference]:
    """Yield what differs, file by file. Raises FormatError where one side is no whole FAT volume, LocalFault."""
    one, other = parse_fat(left), parse_fat(right)
    lefts, rights = _entries(one), _entries(other)
    found = []
    for path in sorted({*lefts, *rights}):
        here = (*place, path)
        if path not in lefts or path not in rights:
            found.append(one_sided(here, on_left=path in lefts))
        elif not lefts[path].is_folder and not rights[path].is_folder:
            sides = memoryview(one.read(lefts[path])), memoryview(other.read(rights[path]))
            found += _files(here, *sides, scratch)
    yield from found or compare_bytes((*place, "outside of its files"), left, right)


def _files(place: Place, left: memoryview, right: memoryview, scratch: Scratch) -> Iterator[Difference]:
    if bytes(left[:2]) == bytes(right[:2]) == _PROGRAM:
        yield from compare_programs(place, left, right, scratch)
    else:
        yield from compare_bytes(place, left, right)


def _entries(volume: FatVolume) -> Mapping[str, FatEntry]:
    r"""Return every file and folder by its path, as UEFI spells it: `\EFI\BOOT\BOOTX64.EFI`."""
    found: dict[str, FatEntry] = {}
    pending = [("", 0)]
    while pending:
        folder, cluster = pending.pop()
        for entry in volume.folders[cluster]:
            path = f"{folder}\\{entry.name}"
            found[path] = entry
            if entry.is_folder:
                pending.append((path, entry.first_cluster))
    return found
