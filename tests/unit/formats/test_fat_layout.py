# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.fat_volumes import LEAST_CLUSTERS, make_fat

from strongroom.errors import FormatError
from strongroom.formats import fat_layout
from strongroom.formats.fat_layout import FatKind, parse_layout, resembles_fat

VOLUMES = {kind: make_fat({}, kind=kind) for kind in (12, 16, 32)}
SMALL = VOLUMES[12].data
LARGE = VOLUMES[32].data


def with_field(data: bytes, offset: int, layout: str, value: int) -> bytes:
    return data[:offset] + struct.pack(layout, value) + data[offset + struct.calcsize(layout) :]


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_layout(memoryview(data))
    return caught.value.code


@pytest.mark.parametrize("kind", [12, 16, 32])
def test_the_kind_follows_from_the_number_of_clusters(kind):
    volume = VOLUMES[kind]
    layout = parse_layout(memoryview(volume.data))
    assert layout.kind == kind
    assert layout.clusters == LEAST_CLUSTERS[kind]
    assert layout.table_offset == volume.table_offsets[0]
    assert layout.table_copies == 2
    assert layout.data_offset == volume.data_offset
    assert layout.root_cluster == (2 if kind == 32 else 0)
    assert layout.offset_of(layout.last_cluster) + layout.cluster_bytes == len(volume.data)


@pytest.mark.parametrize(("clusters", "kind"), [(4_084, 12), (4_085, 16), (65_524, 16), (65_525, 32)])
def test_the_kinds_part_where_the_specification_says(clusters, kind):
    assert parse_layout(memoryview(make_fat({}, kind=kind, clusters=clusters).data)).kind is FatKind(kind)


@pytest.mark.parametrize(
    ("clusters", "kind", "code"),
    [(4_085, 12, "fat.table-size"), (65_525, 16, "fat.kind"), (65_524, 32, "fat.kind"), (4_084, 32, "fat.kind")],
)
def test_a_volume_made_as_another_kind_than_its_clusters_say_is_refused(clusters, kind, code):
    assert code_of(make_fat({}, kind=kind, clusters=clusters).data) == code


def test_between_fat12_and_fat16_the_clusters_alone_decide():
    assert parse_layout(memoryview(make_fat({}, kind=16, clusters=4_084).data)).kind is FatKind.FAT12


@pytest.mark.parametrize("sector", [512, 1024, 2048, 4096])
@pytest.mark.parametrize("cluster_sectors", [1, 2, 8])
def test_sectors_and_clusters_of_any_size_are_read(sector, cluster_sectors):
    volume = make_fat({}, sector=sector, cluster_sectors=cluster_sectors)
    assert parse_layout(memoryview(volume.data)).cluster_bytes == sector * cluster_sectors


def test_a_volume_may_be_smaller_than_its_partition():
    assert parse_layout(memoryview(SMALL + bytes(9_999))) == parse_layout(memoryview(SMALL))


def test_the_same_size_twice_is_one_size():
    (sectors,) = struct.unpack_from("<H", SMALL, 19)
    assert parse_layout(memoryview(with_field(SMALL, 32, "<I", sectors))).clusters == 60


@pytest.mark.attack("B19")
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "fat.truncated"),
        (SMALL[:511], "fat.truncated"),
        (with_field(SMALL, 510, "<H", 0), "fat.signature"),
        (with_field(SMALL, 11, "<H", 0), "fat.sector-size"),
        (with_field(SMALL, 11, "<H", 256), "fat.sector-size"),
        (with_field(SMALL, 11, "<H", 513), "fat.sector-size"),
        (with_field(SMALL, 11, "<H", 8192), "fat.sector-size"),
        (with_field(SMALL, 13, "<B", 0), "fat.cluster-size"),
        (with_field(SMALL, 13, "<B", 3), "fat.cluster-size"),
        (with_field(SMALL, 14, "<H", 0), "fat.areas"),
        (with_field(SMALL, 16, "<B", 0), "fat.areas"),
        (with_field(SMALL, 21, "<B", 0xF1), "fat.media"),
        (with_field(SMALL, 32, "<I", 66), "fat.two-sizes"),
        (with_field(SMALL, 19, "<H", 0), "fat.size"),
        (with_field(SMALL, 19, "<H", 7), "fat.size"),
        (with_field(SMALL, 19, "<H", 0xFFFF), "fat.size"),
        (SMALL[:-1], "fat.size"),
        (with_field(with_field(SMALL, 19, "<H", 0), 32, "<I", 0xFFFF_FFFF), "fat.size"),
        (with_field(SMALL, 14, "<H", 0xFFFF), "fat.size"),
        (with_field(SMALL, 16, "<B", 255), "fat.size"),
        (with_field(SMALL, 17, "<H", 0xFFFF), "fat.size"),
        (with_field(SMALL, 22, "<H", 0xFFFF), "fat.size"),
        (with_field(SMALL, 17, "<H", 0), "fat.kind"),
        (with_field(SMALL, 22, "<H", 0), "fat.kind"),
    ],
)
def test_one_fault_each(data, code):
    assert code_of(data) == code


@pytest.mark.attack("B19")
@pytest.mark.parametrize(
    ("offset", "layout", "value", "code"),
    [
        (17, "<H", 16, "fat.kind"),
        (36, "<I", 0, "fat.table-size"),
        (36, "<I", 511, "fat.table-size"),
        (36, "<I", 0xFFFF_FFFF, "fat.size"),
        (40, "<H", 0x80, "fat.fat32-flags"),
        (42, "<H", 1, "fat.fat32-flags"),
        (44, "<I", 1, "fat.root-cluster"),
        (44, "<I", 65_527, "fat.root-cluster"),
    ],
)
def test_one_fault_each_of_a_large_volume(offset, layout, value, code):
    data = with_field(LARGE, offset, layout, value)  # made here: every process that collects tests would keep it
    assert code_of(data) == code


def test_the_last_cluster_may_hold_the_root():
    assert parse_layout(memoryview(with_field(LARGE, 44, "<I", 65_526))).root_cluster == 65_526


def test_a_table_has_to_reach_the_last_cluster():
    volume = make_fat({}, clusters=340).data
    assert code_of(with_field(volume, 22, "<H", 1)) == "fat.table-size"


def test_a_volume_of_more_clusters_than_can_be_walked_is_refused(monkeypatch):
    monkeypatch.setattr(fat_layout, "MAX_CLUSTERS", 59)
    assert code_of(SMALL) == "fat.too-large"


@pytest.mark.parametrize("kind", [12, 16, 32])
def test_a_fat_volume_is_tried_by_firmware_with_or_without_its_signature(kind):
    assert resembles_fat(memoryview(VOLUMES[kind].data))
    assert resembles_fat(memoryview(with_field(VOLUMES[kind].data, 510, "<H", 0)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(511),
        bytes(4096),
        b"\xff" * 4096,
        with_field(SMALL, 11, "<H", 256),
        with_field(SMALL, 11, "<H", 513),
        with_field(SMALL, 13, "<B", 0),
        with_field(SMALL, 14, "<H", 0),
        with_field(SMALL, 16, "<B", 0),
        with_field(SMALL, 19, "<H", 0),
        with_field(SMALL, 21, "<B", 0xF7),
    ],
)
def test_what_firmware_does_not_try_is_no_fat(data):
    assert not resembles_fat(memoryview(data))
