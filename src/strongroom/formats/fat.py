# SPDX-License-Identifier: Apache-2.0
"""Read-only reader of FAT12, FAT16 and FAT32 volumes, as EFI system partitions are (UEFI 2.10, section 13.3).

Input is hostile (ATTACKS B19), and what is read here is what a firmware is said to boot: so a volume is walked as a
whole before anything of it is handed out, and refused when two readers could find different bytes under one name.
No walk recurses, and none is longer than the volume's own table says; a cluster belongs to one chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from strongroom.errors import FormatError
from strongroom.formats.fat_directory import FatEntry, Slot, parse_directory
from strongroom.formats.fat_layout import DIRECTORY_ENTRY_BYTES, SPEC, FatLayout, parse_layout
from strongroom.formats.fat_names import folded, folded_ascii
from strongroom.formats.fat_table import FatTable, parse_table
from strongroom.formats.pe import MAX_IMAGE_BYTES

SEPARATOR = "\\"
MAX_ENTRIES = 65_536
"""Files and folders of a whole volume; an EFI system partition has tens, Windows' has hundreds."""
MAX_DIRECTORY_BYTES = 65_536 * DIRECTORY_ENTRY_BYTES
"""What a directory may grow to (fatgen103)."""
_ROOT = 0


@dataclass(frozen=True, slots=True)
class FatVolume:
    """A volume whose directories and chains have all been walked."""

    data: memoryview = field(repr=False)
    layout: FatLayout
    table: FatTable
    folders: Mapping[int, tuple[FatEntry, ...]] = field(repr=False)
    """The entries of each folder by its first cluster, those of the root directory by zero."""

    def find(self, path: str) -> FatEntry | None:
        r"""Return the entry at a path such as `\EFI\BOOT\BOOTX64.EFI`, in any case; None where there is none.

        Long and short names count, as for firmware. Raises FormatError for a name that some readers would take for
        the one asked for, and others would not.
        """
        found: FatEntry | None = None
        folder = _ROOT
        for part in path.strip(SEPARATOR).split(SEPARATOR):
            if found is not None and not found.is_folder:
                return None
            found = _named(self.folders[folder], part)
            if found is None:
                return None
            folder = found.first_cluster
        return found

    def listing(self, path: str) -> tuple[FatEntry, ...]:
        r"""Return what is in the folder at `path`, nothing where there is no such folder. `\` is the root.

        Raises as `find`.
        """
        if not path.strip(SEPARATOR):
            return self.folders[_ROOT]
        found = self.find(path)
        return self.folders[found.first_cluster] if found is not None and found.is_folder else ()

    def read(self, entry: FatEntry, *, maximum_bytes: int = MAX_IMAGE_BYTES) -> bytes:
        """Return the contents of a file of this volume. Raises FormatError for a folder, and for what is larger."""
        if entry.is_folder:
            raise _refused("folder", f"expected a file at {entry.name!r}, found a folder", entry.offset)
        if entry.size_bytes > maximum_bytes:
            raise _refused(
                "file-too-large",
                f"expected at most {maximum_bytes} bytes in {entry.name!r}, found {entry.size_bytes}",
                entry.offset + 28,
            )
        return b"".join(self._pieces(entry))

    def _pieces(self, entry: FatEntry) -> Iterator[memoryview]:
        """Yield the contents of a file, one view for each run of neighbouring clusters."""
        left = entry.size_bytes
        for start, count in self.table.runs(entry.first_cluster) if left else ():
            offset = self.layout.offset_of(start)
            taken = min(left, count * self.layout.cluster_bytes)
            yield self.data[offset : offset + taken]
            left -= taken


def parse_fat(volume: memoryview) -> FatVolume:
    """Read the directories of a whole volume. Raises FormatError."""
    layout = parse_layout(volume)
    return _Walk(volume, layout, parse_table(volume, layout)).volume()


class _Walk:
    """Visits every folder once, the root first, and gives each cluster to the one chain that has it."""

    def __init__(self, data: memoryview, layout: FatLayout, table: FatTable) -> None:
        self._data, self._layout, self._table = data, layout, table
        self._taken = bytearray(layout.last_cluster + 1)
        self._folders: dict[int, tuple[FatEntry, ...]] = {}
        self._waiting: list[tuple[FatEntry, int]] = []
        """Folders to visit, and the first cluster of the folder that each was found in."""
        self._entries = 0

    def volume(self) -> FatVolume:
        """Walk from the root to the last folder. Raises FormatError."""
        root = self._layout.root_cluster
        slots = (
            self._folder_slots(root, None) if root else self._slots(self._layout.root_offset, self._layout.root_bytes)
        )
        self._add(_ROOT, parse_directory(slots, kind=self._layout.kind, links=None))
        while self._waiting:
            folder, parent = self._waiting.pop()
            own = folder.first_cluster
            links = (frozenset({own}), frozenset({_ROOT, root} if parent == _ROOT else {parent}))
            slots = self._folder_slots(own, folder.offset)
            self._add(own, parse_directory(slots, kind=self._layout.kind, links=links))
        return FatVolume(self._data, self._layout, self._table, self._folders)

    def _add(self, own: int, entries: tuple[FatEntry, ...]) -> None:
        self._folders[own] = entries
        self._entries += len(entries)
        if self._entries > MAX_ENTRIES:
            raise _refused("too-many", f"expected at most {MAX_ENTRIES} files and folders, found more", None)
        for entry in entries:
            if entry.is_folder:
                self._waiting.append((entry, own))
            else:
                self._expect_whole(entry)

    def _expect_whole(self, entry: FatEntry) -> None:
        """Refuse a file with another number of clusters than its size needs: readers differ in what they read then."""
        needed = -(-entry.size_bytes // self._layout.cluster_bytes)
        chain = self._taking(entry.first_cluster, entry.offset) if entry.first_cluster else ()
        found = sum(1 for _ in chain)
        if found != needed:
            raise _refused(
                "file-size",
                f"expected {needed} clusters of {self._layout.cluster_bytes} bytes for the {entry.size_bytes} bytes "
                f"of {entry.name!r}, found {found}",
                entry.offset + 28,
            )

    def _taking(self, first: int, offset: int | None) -> Iterator[int]:
        """Yield a chain's clusters; none of them may be in another chain, or in this one already."""
        for cluster in self._table.walk(first):
            if self._taken[cluster]:
                raise _refused(
                    "cluster-twice", f"expected cluster {cluster} in one chain, found it in two, or in a loop", offset
                )
            self._taken[cluster] = 1
            yield cluster

    def _folder_slots(self, first: int, offset: int | None) -> Iterator[Slot]:
        size = self._layout.cluster_bytes
        for number, cluster in enumerate(self._taking(first, offset), 1):
            if number * size > MAX_DIRECTORY_BYTES:
                raise _refused(
                    "directory-too-large",
                    f"expected a directory of at most {MAX_DIRECTORY_BYTES} bytes, found more",
                    offset,
                )
            yield from self._slots(self._layout.offset_of(cluster), size)

    def _slots(self, start: int, size: int) -> Iterator[Slot]:
        for offset in range(start, start + size, DIRECTORY_ENTRY_BYTES):
            yield offset, bytes(self._data[offset : offset + DIRECTORY_ENTRY_BYTES])


def _named(entries: tuple[FatEntry, ...], name: str) -> FatEntry | None:
    wanted = folded(name)
    found = next((entry for entry in entries if wanted in entry.known_as), None)
    if found is not None and folded_ascii(name) not in {folded_ascii(found.name), folded_ascii(found.short_name)}:
        raise _refused(
            "lookalike", f"expected {name!r}, found {found.name!r}, which only some readers take for it", found.offset
        )
    return found


def _refused(code: str, message: str, offset: int | None) -> FormatError:
    return FormatError(f"fat.{code}", message, offset=offset, spec=SPEC)
