# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import uuid

import pytest
from tests.disks import DISK, ESP, LINUX, Part, Table, gpt_disk, make_mbr, record
from tests.images import patched

from strongroom.errors import FormatError
from strongroom.formats import gpt_header
from strongroom.formats.gpt import ATTRIBUTE_NO_BLOCK_IO, parse_gpt

PARTS = (Part(10, 19, "esp", attributes=ATTRIBUTE_NO_BLOCK_IO), Part(30, 40, "root", LINUX))
FIRST, LAST = 6, 64 - 6
"""The usable sectors of a disk of 64 with 16 entries (four sectors of them)."""
ENTRY = 2 * 512


def code_of(disk: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_gpt(memoryview(disk))
    return caught.value.code


def built(*parts: Part, **fields: object) -> bytes:
    return Table(parts, **fields).build()  # type: ignore[arg-type]


@pytest.mark.parametrize("sector", [512, 4096])
def test_partitions_are_read_with_their_names_types_and_places(sector):
    table = parse_gpt(memoryview(built(*PARTS, sector=sector)))
    assert (table.sector_bytes, table.disk) == (sector, DISK)
    esp, root = table.partitions
    assert (esp.number, esp.kind, esp.unique, esp.name) == (1, ESP, uuid.UUID(int=1), "esp")
    assert (esp.first_lba, esp.last_lba, esp.attributes) == (10, 19, ATTRIBUTE_NO_BLOCK_IO)
    assert (root.number, root.kind, root.entry_offset) == (2, LINUX, 2 * sector + 128)


def test_unused_entries_keep_the_numbers_of_others():
    unused = Part(0, 0, kind=uuid.UUID(int=0))
    assert [p.number for p in parse_gpt(memoryview(built(unused, PARTS[1]))).partitions] == [2]


def test_a_table_without_partitions_is_a_table():
    assert parse_gpt(memoryview(built())).partitions == ()


def test_larger_entries_are_read():
    assert len(parse_gpt(memoryview(built(*PARTS, entry_bytes=256, sectors=80))).partitions) == 2


def test_partitions_may_fill_the_usable_sectors():
    assert len(parse_gpt(memoryview(built(Part(FIRST, 29), Part(30, LAST)))).partitions) == 2


def test_a_name_of_36_characters_has_no_end_mark():
    assert parse_gpt(memoryview(built(Part(10, 19, "n" * 36)))).partitions[0].name == "n" * 36


def test_what_stands_after_a_names_end_is_no_part_of_it():
    assert parse_gpt(memoryview(built(Part(10, 19, "esp\0rest")))).partitions[0].name == "esp"


GOOD = built(*PARTS)
HEADER, BACKUP = 512, 63 * 512


@pytest.mark.attack("B5")
@pytest.mark.attack("B19")
@pytest.mark.parametrize(
    ("disk", "code"),
    [
        (b"", "gpt.none"),
        (GOOD[:512], "gpt.none"),
        (patched(bytes(len(GOOD)), 0, "<B", 1), "gpt.none"),
        (GOOD[:HEADER] + bytes(512) + GOOD[HEADER + 512 :], "gpt.no-primary"),
        (GOOD[:BACKUP] + bytes(512), "gpt.no-backup"),
        (GOOD[:-512], "gpt.cut-off"),
        (GOOD[:-1], "gpt.cut-off"),
        (GOOD[: HEADER + 40], "gpt.cut-off"),
        (GOOD[: HEADER + 39], "gpt.size"),
        (built(*PARTS, primary={"other": (1 << 64) - 1}), "gpt.cut-off"),
        (GOOD + bytes(100), "gpt.size"),
        (GOOD[:4096] + b"EFI PART" + GOOD[4104:], "gpt.two-tables"),
        (patched(GOOD, HEADER + 16, "<I", 1), "gpt.header-crc"),
        (patched(GOOD, HEADER + 56, "<I", 1), "gpt.header-crc"),
        (patched(GOOD, BACKUP + 16, "<I", 1), "gpt.header-crc"),
        (built(*PARTS, primary={"revision": 0x20000}), "gpt.header"),
        (built(*PARTS, primary={"size": 91}), "gpt.header"),
        (built(*PARTS, primary={"size": 513}), "gpt.header"),
        (built(*PARTS, primary={"size": 0xFFFF_FFFF}), "gpt.header"),
        (built(*PARTS, backup={"reserved": 1}), "gpt.header"),
        (built(*PARTS, primary={"own": 2}), "gpt.place"),
        (built(*PARTS, primary={"other": 62}), "gpt.place"),
        (built(*PARTS, backup={"own": 1}), "gpt.place"),
        (built(*PARTS, backup={"other": 2}), "gpt.place"),
        (built(*PARTS, primary={"entry_bytes": 64}), "gpt.entry-size"),
        (built(*PARTS, primary={"entry_bytes": 192}), "gpt.entry-size"),
        (built(*PARTS, primary={"entries": 0}), "gpt.entry-size"),
        (built(*PARTS, primary={"entries": 0xFFFF_FFFF}), "gpt.entry-size"),
        (built(*PARTS, backup={"entry_bytes": 1 << 31, "entries": 1}), "gpt.entry-size"),
        (built(*PARTS, primary={"array": 1}), "gpt.array-place"),
        (built(*PARTS, primary={"array": 3}), "gpt.array-place"),
        (built(*PARTS, primary={"array": (1 << 64) - 1}), "gpt.array-place"),
        (built(*PARTS, primary={"first_usable": 5}), "gpt.array-place"),
        (built(*PARTS, primary={"last_usable": FIRST - 1}), "gpt.array-place"),
        (built(*PARTS, primary={"last_usable": LAST + 1}), "gpt.array-place"),
        (built(*PARTS, backup={"array": 60}), "gpt.array-place"),
        (built(*PARTS, backup={"array": LAST}), "gpt.array-place"),
        (patched(GOOD, ENTRY, "<B", 1), "gpt.entries-crc"),
        (patched(GOOD, 59 * 512, "<B", 1), "gpt.entries-crc"),
        (built(*PARTS, backup={"disk": bytes(16)}), "gpt.disagreement"),
        (built(*PARTS, backup={"first_usable": 7}), "gpt.disagreement"),
        (built(*PARTS, backup_parts=PARTS[:1]), "gpt.disagreement"),
        (built(Part(FIRST - 1, 20)), "gpt.bounds"),
        (built(Part(20, LAST + 1)), "gpt.bounds"),
        (built(Part(20, 19)), "gpt.bounds"),
        (built(Part(0, (1 << 64) - 1)), "gpt.bounds"),
        (built(Part(10, 20), Part(20, 30)), "gpt.overlap"),
        (built(Part(20, 30), Part(10, 20)), "gpt.overlap"),
        (built(Part(10, 40), Part(20, 30)), "gpt.overlap"),
        (built(Part(10, 20, unique=DISK), Part(21, 30, unique=DISK)), "gpt.duplicate-guid"),
        (built(Part(10, 20, raw_name=b"\x00\xd8a\0")), "gpt.name"),
    ],
)
def test_one_fault_each(disk, code):
    assert code_of(disk) == code


def test_a_copy_that_was_cut_off_is_said_to_be_one_with_both_sizes():
    with pytest.raises(FormatError) as caught:
        parse_gpt(memoryview(GOOD[: len(GOOD) // 2]))
    assert caught.value.message.startswith("the disk image is shorter than its partition table says: was the copy cut")
    assert caught.value.message.endswith("Expected 32768 bytes, found 16384")


def test_entries_that_differ_under_the_same_checksum_are_noticed(monkeypatch):
    """CRC32 is no protection: whoever writes both copies can give them the same one."""
    monkeypatch.setattr(gpt_header.zlib, "crc32", lambda data: 7)
    crc = {"array_crc": 7, "crc": 7}
    assert code_of(built(*PARTS, primary=crc, backup=crc, backup_parts=PARTS[:1])) == "gpt.disagreement"


@pytest.mark.parametrize("length", [512, 600, 1024, 4096, 8192])
def test_a_disk_of_a_few_sectors_is_refused(length):
    for start in (512, 4096):
        code_of(make_mbr(record(0xEE, 1, 1)).ljust(start, b"\0")[:start] + b"EFI PART".ljust(length, b"\0"))


def test_an_error_says_where_and_what_a_firmware_would_do():
    with pytest.raises(FormatError) as caught:
        parse_gpt(memoryview(patched(GOOD, BACKUP + 16, "<I", 1)))
    assert caught.value.offset == BACKUP + 16
    assert "backup" in caught.value.message
    assert "repair" in caught.value.remedy


def test_a_hybrid_master_boot_record_is_refused():
    disk = make_mbr(record(0xEE, 1, 63), record(6, 10, 10)) + GOOD[512:]
    assert code_of(disk) == "mbr.hybrid"


@pytest.mark.attack("B19")
def test_nothing_is_allocated_by_a_length_that_the_disk_states():
    import tracemalloc

    hostile = [
        built(*PARTS, primary={"entries": 8192}),
        built(*PARTS, primary={"entries": 8192, "first_usable": 1 << 40}),
        gpt_disk(*PARTS, entries=1000),
    ]
    tracemalloc.start()
    for disk in hostile:
        try:
            parse_gpt(memoryview(disk))
        except FormatError:
            continue
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()
