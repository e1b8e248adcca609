# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from tests.disks import make_mbr, protective_mbr, record
from tests.images import patched

from strongroom.errors import FormatError
from strongroom.formats.mbr import MbrRecord, expect_protective_mbr, parse_mbr, protects_gpt, seen_records

SECTORS = 200
TWO = make_mbr(record(0xEF, 10, 20), record(0x83, 30, 170)).ljust(SECTORS * 512, b"\0")


def view(data: bytes) -> memoryview:
    return memoryview(data)


def of(*records: bytes) -> memoryview:
    return view(make_mbr(*records).ljust(SECTORS * 512, b"\0"))


def test_partitions_are_read_in_order():
    assert parse_mbr(view(TWO)) == (MbrRecord(1, 0xEF, 10, 20, 446), MbrRecord(2, 0x83, 30, 170, 462))
    assert seen_records(view(TWO)) == parse_mbr(view(TWO))


def test_an_empty_record_between_others_keeps_their_numbers():
    assert [r.number for r in parse_mbr(of(bytes(16), record(6, 1, 5), bytes(16), record(6, 6, 5)))] == [2, 4]


@pytest.mark.parametrize(
    ("disk", "code"),
    [
        (b"", "mbr.truncated"),
        (TWO[:511], "mbr.truncated"),
        (patched(TWO, 510, "<H", 0), "mbr.none"),
        (of(), "mbr.none"),
        (of(record(0, 1, 5)), "mbr.none"),
        (of(record(6, 1, 0)), "mbr.none"),
        (of(record(6, 0, 5)), "mbr.bounds"),
        (of(record(6, 1, SECTORS)), "mbr.bounds"),
        (of(record(6, 0xFFFF_FFFF, 2)), "mbr.bounds"),
        (of(record(6, 10, 10), record(6, 19, 10)), "mbr.overlap"),
        (of(record(6, 19, 10), record(6, 10, 10)), "mbr.overlap"),
        (of(record(0x05, 10, 10)), "mbr.extended"),
        (of(record(0x0F, 10, 10)), "mbr.extended"),
        (of(record(6, 1, 5), record(0x85, 10, 10)), "mbr.extended"),
    ],
)
def test_one_fault_each(disk, code):
    with pytest.raises(FormatError) as caught:
        parse_mbr(view(disk))
    assert caught.value.code == code


def test_neighbours_do_not_overlap():
    assert len(parse_mbr(of(record(6, 20, 10), record(6, 10, 10)))) == 2


@pytest.mark.attack("B19")
@pytest.mark.parametrize(
    ("records", "seen"),
    [
        ([record(6, 1, 5)], 1),
        ([record(6, 0, SECTORS)], 1),
        ([record(6, 1, SECTORS)], 0),
        ([record(6, 1, 5), record(6, 1, SECTORS)], 0),
        ([record(6, 1, 5), record(6, 5, 5)], 0),
        ([record(0xEE, 1, 5), record(6, 6, 5)], 1),
        ([record(0xEE, 1, 5)], 0),
        ([record(6, 0xFFFF_FFFF, 2)], 1),
        ([record(6, 0x10, 0xFFFF_FFF8), record(6, 0x50, 2)], 2),
    ],
    ids=["one", "from zero", "too long", "one too long", "overlapping", "beside a protective one", "protective only",
         "beyond 32 bits", "around 32 bits"],
)  # fmt: skip
def test_what_firmware_would_see_is_what_edk2_computes_in_32_bits(records, seen):
    assert len(seen_records(of(*records))) == seen
    assert seen_records(view(patched(bytes(of(*records)), 510, "<H", 0))) == ()


def test_a_gpt_is_looked_for_wherever_a_record_says_so():
    assert protects_gpt(of(record(6, 9, 9), record(0xEE, 1, 5)))
    assert protects_gpt(view(patched(protective_mbr(SECTORS), 510, "<H", 0)))
    assert not protects_gpt(of(record(0xEE, 2, 5)))
    assert not protects_gpt(view(TWO))


@pytest.mark.parametrize("size", [SECTORS - 1, 0xFFFF_FFFF])
def test_a_protective_record_covers_the_disk(size):
    expect_protective_mbr(of(record(0xEE, 1, size)), sectors=SECTORS)


def test_a_disk_of_more_than_32_bits_of_sectors_is_covered_as_far_as_can_be_said():
    expect_protective_mbr(of(record(0xEE, 1, 0xFFFF_FFFF)), sectors=1 << 33)


@pytest.mark.attack("B5")
@pytest.mark.parametrize(
    ("disk", "code"),
    [
        (of(record(0xEE, 1, SECTORS - 1), record(6, 10, 10)), "mbr.hybrid"),
        (of(record(0xEE, 1, SECTORS - 1), bytes(16), bytes(16), record(0, 0, 1)), "mbr.hybrid"),
        (of(record(6, 10, 10), record(0xEE, 1, SECTORS - 1)), "mbr.not-protective"),
        (of(record(0xEE, 0, SECTORS)), "mbr.not-protective"),
        (of(), "mbr.not-protective"),
        (of(record(0xEE, 1, SECTORS - 2)), "mbr.protective-size"),
        (patched(bytes(of(record(0xEE, 1, SECTORS - 1))), 510, "<H", 0), "mbr.signature"),
        (bytes(100), "mbr.truncated"),
    ],
)
def test_a_first_sector_that_says_more_or_less_than_the_gpt_is_refused(disk, code):
    with pytest.raises(FormatError) as caught:
        expect_protective_mbr(view(disk), sectors=SECTORS)
    assert caught.value.code == code
