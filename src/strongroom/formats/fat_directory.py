# SPDX-License-Identifier: Apache-2.0
"""Directories of a FAT volume: slots of 32 bytes to files and folders (fatgen103, "FAT Directory Structure").

Refused is what readers are known to resolve differently: long names that belong to no entry, two entries of one name,
anything behind the mark that ends a directory.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.errors import FormatError
from strongroom.formats.fat_layout import SPEC, FatKind
from strongroom.formats.fat_names import SHORT_NAME_BYTES, folded, long_name, short_name

_VOLUME_LABEL, _FOLDER = 0x08, 0x10
_LONG_NAME, _LONG_NAME_MASK = 0x0F, 0x3F
_DELETED, _END = 0xE5, 0x00
_SHORT = struct.Struct("<11sBB7xH4xHI")
"""DIR_Name, Attr, NTRes, FstClusHI, FstClusLO, FileSize."""
_DOTS = (b".".ljust(SHORT_NAME_BYTES), b"..".ljust(SHORT_NAME_BYTES))

Slot: TypeAlias = tuple[int, bytes]
"""Offset in the volume, and the 32 bytes there."""


@dataclass(frozen=True, slots=True)
class FatEntry:
    """A file or a folder. Nothing but its place in the directory has been looked at."""

    name: str
    """The long name, where there is one."""
    short_name: str
    attributes: int
    first_cluster: int
    """Zero for an empty file."""
    size_bytes: int
    """Zero for a folder."""
    offset: int
    """Of its slot in the volume, in bytes."""

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder; else it is a file."""
        return bool(self.attributes & _FOLDER)

    @property
    def known_as(self) -> frozenset[str]:
        """Every name that a reader may find it by, folded."""
        return frozenset({folded(self.name), folded(self.short_name)})


def parse_directory(
    slots: Iterable[Slot], *, kind: FatKind, links: tuple[frozenset[int], frozenset[int]] | None
) -> tuple[FatEntry, ...]:
    """Return the entries of a directory in order. Raises FormatError.

    `links` says which first clusters its entries `.` and `..` may name; the root directory (None) has no such entries.
    """
    used = _used(iter(slots))
    if links is not None:
        for dots, clusters in zip(_DOTS, links, strict=True):
            _expect_link(next(used, None), dots, clusters, kind)
    entries: list[FatEntry] = []
    names: dict[str, FatEntry] = {}
    for before, (offset, slot) in _grouped(used):
        entry = _entry(before, offset, slot, kind)
        for name in entry.known_as:
            if name in names:
                raise _refused(
                    "duplicate-name",
                    f"expected names that every reader tells apart, found {entry.name!r} ({entry.short_name}) beside "
                    f"{names[name].name!r} ({names[name].short_name})",
                    offset,
                )
            names[name] = entry
        entries.append(entry)
    return tuple(entries)


def _used(slots: Iterator[Slot]) -> Iterator[Slot]:
    """Leave out deleted slots; after the mark that ends the directory, nothing may follow."""
    for offset, slot in slots:
        if slot[0] == _END:
            for later, rest in itertools.chain([(offset, slot)], slots):
                if any(rest):
                    raise _refused("after-end", "expected zeros after the last entry, found other bytes", later)
            return
        if slot[0] != _DELETED:
            yield offset, slot


def _grouped(slots: Iterator[Slot]) -> Iterator[tuple[list[Slot], Slot]]:
    """Put the slots of a long name together with the entry they stand before; leave out volume labels."""
    before: list[Slot] = []
    for offset, slot in slots:
        attributes = slot[SHORT_NAME_BYTES]
        if attributes & _LONG_NAME_MASK == _LONG_NAME:
            before.append((offset, slot))
            continue
        if attributes & _VOLUME_LABEL:
            _expect_label(before, offset, attributes)
            continue
        yield before, (offset, slot)
        before = []
    if before:
        raise _refused("orphan-name", "expected an entry after a long name, found none", before[0][0])


def _expect_label(before: list[Slot], offset: int, attributes: int) -> None:
    if before or attributes & _FOLDER:
        raise _refused(
            "label",
            f"expected a volume label without a long name, and no folder, found attributes {attributes:#04x} after "
            f"{len(before)} slots of a name",
            offset,
        )


def _entry(before: list[Slot], offset: int, slot: bytes, kind: FatKind) -> FatEntry:
    raw, attributes, case, high, low, size = _SHORT.unpack(slot)
    compared, shown = short_name(raw, case=case, offset=offset)
    name = long_name(before, short=raw) if before else shown
    cluster = _first_cluster(high, low, kind)
    return FatEntry(name, compared, attributes, cluster, 0 if attributes & _FOLDER else size, offset)


def _first_cluster(high: int, low: int, kind: FatKind) -> int:
    """FAT12 and FAT16 have no upper half; some systems keep other things there."""
    return high << 16 | low if kind is FatKind.FAT32 else low


def _expect_link(slot: Slot | None, name: bytes, clusters: frozenset[int], kind: FatKind) -> None:
    offset, data = slot or (None, bytes(32))
    raw, attributes, _, high, low, _ = _SHORT.unpack(data)
    if raw != name or not attributes & _FOLDER or _first_cluster(high, low, kind) not in clusters:
        raise FormatError(
            "fat.dots",
            f"expected the entry {name.decode().strip()} of a folder, naming cluster {max(clusters)}, found {raw!r} "
            f"naming {_first_cluster(high, low, kind)}",
            offset=offset,
            spec=SPEC,
        )


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"fat.{code}", message, offset=offset, spec=SPEC)
