# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes come, the readers of disks raise FormatError or nothing, and stay small (ATTACKS B19)."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.damage import edited, edits
from tests.disks import ESP, LINUX, Part, Table, gpt_disk, partition
from tests.fat_volumes import make_fat
from tests.images import make_uki

from strongroom.errors import FormatError
from strongroom.formats.fat import FatVolume, parse_fat
from strongroom.formats.gpt import parse_gpt
from strongroom.formats.mbr import parse_mbr, protects_gpt, seen_records
from strongroom.measure.disk import boot_image
from strongroom.measure.disk_layout import parse_disk

pytestmark = pytest.mark.attack("B19")

TREE = {"EFI": {"BOOT": {"BOOTX64.EFI": make_uki()}}, "loader": {"credentials": {"a long name.cred": b"x"}}, "E": b""}
VOLUME = make_fat(TREE)
FAT = VOLUME.data
DISK = gpt_disk(partition(FAT, name="esp"), Part(500, 600, "root", LINUX))
READERS = (parse_gpt, parse_mbr, parse_fat, parse_disk, boot_image, seen_records, protects_gpt)
BUDGET_BYTES = 64 << 20
NAMES = st.one_of(
    st.from_regex(r"\A[A-Z0-9]{1,8}(\.[A-Z0-9]{1,3})?\Z"),
    st.text("abcdefgh XYZ.éÜж-_", min_size=1, max_size=60).filter(lambda name: name == name.strip(" ").rstrip(".")),
)
FILES = st.binary(max_size=3_000)
TREES = st.recursive(
    FILES,
    lambda below: st.dictionaries(NAMES, below, max_size=5).filter(
        lambda tree: len({name.upper() for name in tree}) == len(tree)
    ),
    max_leaves=12,
).filter(lambda tree: isinstance(tree, dict))


def read_all(volume: FatVolume) -> dict[str, object]:
    def below(cluster: int) -> dict[str, object]:
        return {
            entry.name: below(entry.first_cluster) if entry.is_folder else volume.read(entry)
            for entry in volume.folders[cluster]
        }

    return below(0)


def everything(data: bytes) -> None:
    for reader in READERS:
        with contextlib.suppress(FormatError):
            reader(memoryview(data))
    with contextlib.suppress(FormatError):
        read_all(parse_fat(memoryview(data)))


@given(st.binary(max_size=2_000))
def test_random_bytes_are_read_or_refused(data):
    everything(data)


@given(st.integers(0, len(FAT) - 1))
def test_a_truncated_volume_is_refused(length):
    with pytest.raises(FormatError):
        parse_fat(memoryview(FAT[:length]))


@given(st.integers(0, len(DISK) - 1))
def test_a_truncated_disk_is_refused(length):
    with pytest.raises(FormatError):
        boot_image(memoryview(DISK[:length]))


@given(edits(4_000) | edits(len(FAT)))
def test_a_damaged_volume_is_read_or_refused(changes):
    everything(edited(FAT, changes))


@given(edits(3_072) | edits(len(DISK)))
def test_a_damaged_disk_is_read_or_refused(changes):
    everything(edited(DISK, changes))


@given(st.integers(0, len(DISK) * 8 - 1))
def test_a_flipped_bit_boots_the_same_image_or_another_or_is_refused(bit):
    with contextlib.suppress(FormatError):
        found = boot_image(memoryview(edited(DISK, [(bit // 8, bytes([DISK[bit // 8] ^ 1 << bit % 8]))])))
        assert len(found.image) == len(make_uki())


LAST = len(DISK) - 512
COVERED = [450, *range(454, 512 + 92), *range(1024, 1024 + 2048), *range(LAST - 2048, LAST + 92)]
"""Type and place of the protective record, the three others, both headers and both arrays of sixteen entries."""


@given(st.sampled_from(COVERED), st.integers(0, 7))
def test_a_flipped_bit_in_either_partition_table_is_refused(byte, bit):
    with pytest.raises(FormatError):
        parse_gpt(memoryview(edited(DISK, [(byte, bytes([DISK[byte] ^ 1 << bit]))])))


FIELD = st.sampled_from(["first_usable", "last_usable", "array", "entries", "entry_bytes", "own", "other", "size"])
VALUE = st.integers(0, (1 << 32) - 1) | st.sampled_from([0, 1, 2, 0x7FFF_FFFF, 0xFFFF_FFFF])


@given(st.dictionaries(FIELD, VALUE, max_size=3), st.dictionaries(FIELD, VALUE, max_size=3), st.binary(max_size=400))
def test_any_field_of_a_header_with_a_good_checksum_is_read_or_refused(primary, backup, entry):
    parts = (Part(20, 30), Part(31, 40, raw_name=entry[:72]))
    everything(Table(parts, primary=primary, backup=backup).build())


BPB = st.lists(st.tuples(st.integers(11, 50), st.integers(0, 255)), max_size=4)


@given(BPB, st.lists(st.tuples(st.integers(0, 61), st.integers(0, 0xFFF)), max_size=4))
def test_any_boot_sector_and_table_are_read_or_refused(boot_sector, links):
    data = FAT
    for cluster, value in links:
        for table in VOLUME.table_offsets:
            place = table + cluster * 3 // 2
            (old,) = struct.unpack_from("<H", data, place)
            new = old & 0xF | value << 4 if cluster % 2 else old & 0xF000 | value
            data = edited(data, [(place, struct.pack("<H", new))])
    everything(edited(data, [(offset, bytes([value])) for offset, value in boot_sector]))


@given(edits(len(FAT)) | st.just([]), st.sampled_from([FAT, DISK]))
def test_64_kib_of_input_cost_less_than_64_mib(changes, data):
    assert len(data) < 1 << 19
    data = edited(data, changes)[: 1 << 16]
    tracemalloc.start()
    everything(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < BUDGET_BYTES


@given(TREES, st.sampled_from([12, 16]), st.booleans(), st.sampled_from([(512, 1), (512, 4), (4_096, 1)]))
def test_what_was_written_is_read_back(tree, kind, scattered, sizes):
    sector, cluster_sectors = sizes
    clusters = 400 if kind == 12 else 4_085
    made = make_fat(
        tree, kind=kind, clusters=clusters, sector=sector, cluster_sectors=cluster_sectors, root_entries=256,
        scattered=scattered,
    )  # fmt: skip
    assert read_all(parse_fat(memoryview(made.data))) == tree


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20), st.text("abcé", max_size=36)), max_size=8),
       st.sampled_from([512, 4_096]))  # fmt: skip
def test_what_was_partitioned_is_read_back(rows, sector):
    parts, place = [], 20
    for length, gap, name in rows:
        parts.append(Part(place + gap, place + gap + length - 1, name, ESP))
        place += gap + length
    table = parse_gpt(memoryview(gpt_disk(*parts, sector=sector)))
    found = [(p.first_lba, p.last_lba, p.name, p.kind) for p in table.partitions]
    assert found == [(p.first, p.last, p.name, p.kind) for p in parts]
