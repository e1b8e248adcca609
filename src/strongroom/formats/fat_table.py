# SPDX-License-Identifier: Apache-2.0
"""The file allocation table: from each cluster of a file to the next one (fatgen103, "FAT Data Structure")."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from strongroom.errors import FormatError
from strongroom.formats.fat_layout import FIRST_CLUSTER, SPEC, FatKind, FatLayout

_ENTRY_MASKS = {FatKind.FAT12: 0xFFF, FatKind.FAT16: 0xFFFF, FatKind.FAT32: 0x0FFF_FFFF}
"""The upper four bits of an entry of FAT32 are reserved."""
_ENTRY_LAYOUTS = {FatKind.FAT12: "<H", FatKind.FAT16: "<H", FatKind.FAT32: "<I"}
_FREE = 0
_ENDS = range(8)
"""The last eight values of each kind end a chain."""


@dataclass(frozen=True, slots=True)
class FatTable:
    """One copy of the table, equal to the others. Every walk ends: within the number of clusters, or with an error."""

    layout: FatLayout
    entries: memoryview = field(repr=False)

    def walk(self, first: int) -> Iterator[int]:
        """Yield the clusters of the chain that begins with cluster `first`. Raises FormatError, also for a loop."""
        last_value = _ENTRY_MASKS[self.layout.kind]
        cluster, named_at = first, None
        for _ in range(self.layout.clusters):
            if not FIRST_CLUSTER <= cluster <= self.layout.last_cluster:
                raise _refused(
                    "cluster",
                    f"expected a cluster from {FIRST_CLUSTER} to {self.layout.last_cluster}, "
                    f"found {'none' if cluster == _FREE else f'{cluster:#x}'} in the chain from cluster {first}",
                    named_at,
                )
            yield cluster
            cluster, named_at = self._next(cluster), self._place(cluster)
            if last_value - cluster in _ENDS:
                return
        raise _refused("loop", f"expected an end of the chain from cluster {first}, found a loop", named_at)

    def runs(self, first: int) -> Iterator[tuple[int, int]]:
        """Yield the same chain as runs of neighbours: the first cluster of each, and how many. Raises FormatError."""
        start, count = 0, 0
        for cluster in self.walk(first):
            if count and cluster == start + count:
                count += 1
                continue
            if count:
                yield start, count
            start, count = cluster, 1
        yield start, count

    def _next(self, cluster: int) -> int:
        kind = self.layout.kind
        (value,) = struct.unpack_from(_ENTRY_LAYOUTS[kind], self.entries, self._index(cluster))
        if kind is FatKind.FAT12 and cluster % 2:
            value >>= 4
        return int(value) & _ENTRY_MASKS[kind]

    def _index(self, cluster: int) -> int:
        return cluster * self.layout.kind // 8

    def _place(self, cluster: int) -> int:
        return self.layout.table_offset + self._index(cluster)


def parse_table(volume: memoryview, layout: FatLayout) -> FatTable:
    """Return the table of a volume. Raises FormatError when its copies differ: readers take one or another."""
    first, *others = (
        volume[start : start + layout.table_bytes]
        for start in range(
            layout.table_offset, layout.table_offset + layout.table_copies * layout.table_bytes, layout.table_bytes
        )
    )
    for number, other in enumerate(others, 2):
        if other != first:
            raise _refused(
                "tables-differ",
                f"expected copies of the table that are the same, found copy {number} different from the first",
                layout.table_offset + (number - 1) * layout.table_bytes,
            )
    return FatTable(layout, first)


def _refused(code: str, message: str, offset: int | None) -> FormatError:
    return FormatError(f"fat.{code}", message, offset=offset, spec=SPEC)
