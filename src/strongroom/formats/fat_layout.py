# SPDX-License-Identifier: Apache-2.0
"""The boot sector of a FAT volume: which of the three kinds it is, and where its parts lie.

Microsoft, "FAT: General Overview of On-Disk Format" 1.03 (fatgen103), as UEFI 2.10 section 13.3 takes it over. Two
rules tell the kinds apart in the field: the number of clusters (fatgen103) and whether the 16-bit size of the table is
zero (Linux, EDK II). Volumes on which they differ are refused, and so are those whose sizes are given twice.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass

from strongroom.errors import FormatError

SPEC = "FAT specification 1.03"
SECTOR_SIZES = (512, 1024, 2048, 4096)
MAX_CLUSTERS = 1 << 24
"""Half a terabyte in clusters of 32 KiB; an EFI system partition has some 100,000."""
DIRECTORY_ENTRY_BYTES = 32
FIRST_CLUSTER = 2
"""Clusters are numbered from here on."""

_LEAST_BYTES = 512
_BASIC = struct.Struct("<11xHBHBHHBH8xI")
"""BPB_BytsPerSec, SecPerClus, RsvdSecCnt, NumFATs, RootEntCnt, TotSec16, Media, FATSz16, TotSec32."""
_EXTENDED = struct.Struct("<36xIHHI")
"""BPB_FATSz32, ExtFlags, FSVer, RootClus."""
_SIGNATURE = b"\x55\xaa"
_MEDIA = frozenset({0x00, 0x01, 0xF0, *range(0xF8, 0x100)})
"""EDK II accepts the first two besides those of the specification."""
_MIRRORING_OFF = 0x80
_FAT16_FROM, _FAT32_FROM = 4_085, 65_525


class FatKind(enum.IntEnum):
    """The value is the width of an entry of the table in bits."""

    FAT12 = 12
    FAT16 = 16
    FAT32 = 32


@dataclass(frozen=True, slots=True)
class FatLayout:
    """Where the parts of a volume lie. Offsets and sizes in bytes."""

    kind: FatKind
    cluster_bytes: int
    clusters: int
    """How many there are."""
    table_offset: int
    """Of the first copy of the table; the others follow."""
    table_bytes: int
    table_copies: int
    root_offset: int
    root_bytes: int
    """Of the root directory of FAT12 and FAT16; zero for FAT32."""
    root_cluster: int
    """First cluster of the root directory of FAT32, zero for the others."""
    data_offset: int
    """Of the first cluster."""

    @property
    def last_cluster(self) -> int:
        """The highest cluster number."""
        return self.clusters + FIRST_CLUSTER - 1

    def offset_of(self, cluster: int) -> int:
        """Where the data of a cluster begin."""
        return self.data_offset + (cluster - FIRST_CLUSTER) * self.cluster_bytes


@dataclass(frozen=True, slots=True)
class _Bpb:
    """The BIOS Parameter Block."""

    sector_bytes: int
    cluster_sectors: int
    reserved: int
    tables: int
    root_entries: int
    sectors_16: int
    media: int
    table_sectors_16: int
    sectors_32: int
    table_sectors_32: int
    flags: int
    version: int
    root_cluster: int

    @property
    def sectors(self) -> int:
        return self.sectors_16 or self.sectors_32

    @property
    def table_sectors(self) -> int:
        return self.table_sectors_16 or self.table_sectors_32

    @property
    def root_sectors(self) -> int:
        return -(-self.root_entries * DIRECTORY_ENTRY_BYTES // self.sector_bytes)

    @property
    def overhead(self) -> int:
        """Sectors before the first cluster."""
        return self.reserved + self.tables * self.table_sectors + self.root_sectors


def resembles_fat(volume: memoryview) -> bool:
    """Whether EDK II would try `volume` as FAT, whatever becomes of it then. It asks for no signature."""
    if len(volume) < _LEAST_BYTES:
        return False
    bpb = _bpb(volume)
    sizes = bpb.sector_bytes >= SECTOR_SIZES[0] and _is_power_of_two(bpb.sector_bytes)
    areas = bool(bpb.reserved and bpb.tables and bpb.sectors and _is_power_of_two(bpb.cluster_sectors))
    return sizes and areas and bpb.media in _MEDIA


def parse_layout(volume: memoryview) -> FatLayout:
    """Read the boot sector of a volume. Everything that it places lies within the volume. Raises FormatError."""
    if len(volume) < _LEAST_BYTES:
        raise _refused("truncated", f"expected at least {_LEAST_BYTES} bytes, found {len(volume)}", len(volume))
    if bytes(volume[510:512]) != _SIGNATURE:
        raise _refused("signature", "expected the bytes 55 aa at the end of the boot sector, found others", 510)
    bpb = _bpb(volume)
    _expect_geometry(bpb)
    _expect_one_size(bpb, len(volume))
    clusters = (bpb.sectors - bpb.overhead) // bpb.cluster_sectors
    kind = _kind(bpb, clusters)
    _expect_room_in_table(bpb, kind, clusters)
    if kind is FatKind.FAT32:
        _expect_fat32(bpb, clusters)
    root_offset = (bpb.reserved + bpb.tables * bpb.table_sectors) * bpb.sector_bytes
    return FatLayout(
        kind=kind,
        cluster_bytes=bpb.cluster_sectors * bpb.sector_bytes,
        clusters=clusters,
        table_offset=bpb.reserved * bpb.sector_bytes,
        table_bytes=bpb.table_sectors * bpb.sector_bytes,
        table_copies=bpb.tables,
        root_offset=root_offset,
        root_bytes=bpb.root_entries * DIRECTORY_ENTRY_BYTES,
        root_cluster=bpb.root_cluster if kind is FatKind.FAT32 else 0,
        data_offset=bpb.overhead * bpb.sector_bytes,
    )


def _bpb(volume: memoryview) -> _Bpb:
    return _Bpb(*_BASIC.unpack_from(volume), *_EXTENDED.unpack_from(volume))


def _is_power_of_two(value: int) -> bool:
    return value > 0 and not value & (value - 1)


def _expect_geometry(bpb: _Bpb) -> None:
    if bpb.sector_bytes not in SECTOR_SIZES:
        raise _refused("sector-size", f"expected sectors of 512 to 4096 bytes, found {bpb.sector_bytes}", 11)
    if not _is_power_of_two(bpb.cluster_sectors):
        raise _refused(
            "cluster-size", f"expected a power of two as sectors in a cluster, found {bpb.cluster_sectors}", 13
        )
    if not bpb.reserved or not bpb.tables:
        raise _refused("areas", f"expected reserved sectors and a table, found {bpb.reserved} and {bpb.tables}", 14)
    if bpb.media not in _MEDIA:
        raise _refused("media", f"expected the media byte of a disk (0xf0, 0xf8 to 0xff), found {bpb.media:#04x}", 21)


def _expect_one_size(bpb: _Bpb, volume_bytes: int) -> None:
    if bpb.sectors_16 and bpb.sectors_32 not in {0, bpb.sectors_16}:
        raise _refused("two-sizes", f"expected one size in sectors, found {bpb.sectors_16} and {bpb.sectors_32}", 19)
    if not bpb.overhead < bpb.sectors <= volume_bytes // bpb.sector_bytes:
        raise _refused(
            "size",
            f"expected from {bpb.overhead + 1} sectors (what comes before the data) up to "
            f"{volume_bytes // bpb.sector_bytes} (the volume), found {bpb.sectors}",
            19,
        )


def _kind(bpb: _Bpb, clusters: int) -> FatKind:
    if clusters > MAX_CLUSTERS:
        raise _refused("too-large", f"expected at most {MAX_CLUSTERS} clusters, found {clusters}", 13)
    by_count = next(
        kind
        for kind, below in ((FatKind.FAT12, _FAT16_FROM), (FatKind.FAT16, _FAT32_FROM), (FatKind.FAT32, clusters + 1))
        if clusters < below
    )
    if (by_count is FatKind.FAT32) != (bpb.table_sectors_16 == 0) or (by_count is FatKind.FAT32) == bool(
        bpb.root_entries
    ):
        raise FormatError(
            "fat.kind",
            f"expected the boot sector of a {by_count.name} volume, as its {clusters} clusters make it, found "
            f"{bpb.table_sectors_16} sectors of table in 16 bits and {bpb.root_entries} root entries",
            offset=17,
            spec=SPEC,
            remedy="Firmware does not read such a volume. Format it again, and leave the choice of FAT12, FAT16 or "
            "FAT32 to mkfs.vfat, or choose smaller clusters (mkfs.vfat -s 1).",
        )
    return by_count


def _expect_room_in_table(bpb: _Bpb, kind: FatKind, clusters: int) -> None:
    needed = -(-(clusters + FIRST_CLUSTER) * kind // 8)
    if needed > bpb.table_sectors * bpb.sector_bytes:
        raise _refused(
            "table-size",
            f"expected a table of at least {needed} bytes for {clusters} clusters, "
            f"found {bpb.table_sectors * bpb.sector_bytes}",
            22,
        )


def _expect_fat32(bpb: _Bpb, clusters: int) -> None:
    if bpb.version or bpb.flags & _MIRRORING_OFF:
        raise _refused(
            "fat32-flags",
            f"expected version 0 and every copy of the table in use, found version {bpb.version:#x} "
            f"and flags {bpb.flags:#06x}",
            40,
        )
    if not FIRST_CLUSTER <= bpb.root_cluster < clusters + FIRST_CLUSTER:
        raise _refused(
            "root-cluster", f"expected the root in clusters 2 to {clusters + 1}, found {bpb.root_cluster}", 44
        )


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"fat.{code}", message, offset=offset, spec=SPEC)
