# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
import time

import pytest
from tests.images import (
    CERTIFICATE_ENTRY,
    COFF,
    HEADERS,
    OPTIONAL,
    OPTIONAL_BYTES,
    TABLE,
    make_pe,
    patched,
    with_certificates,
)

from strongroom.errors import FormatError
from strongroom.formats import pe
from strongroom.formats.pe import parse_certificate_table, parse_pe

TWO = make_pe([(".text", b"\xc3"), (".data", b"d" * 600)])


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_pe(data)
    return caught.value.code


def test_headers_are_read_and_contents_are_views_without_padding():
    image = parse_pe(TWO)
    assert [section.name for section in image.sections] == [".text", ".data"]
    assert bytes(image.contents(image.sections[1])) == b"d" * 600
    assert len(image.raw(image.sections[1])) == 1024
    assert image.contents(image.sections[0]).obj is TWO
    assert image.certificate_table == (0, 0)
    assert parse_certificate_table(image) == ()


def test_a_writable_buffer_is_read_without_a_copy_and_not_handed_on_writable():
    buffer = bytearray(TWO)
    image = parse_pe(memoryview(buffer))
    assert image.data.obj is buffer
    assert image.data.readonly


def test_contents_never_exceed_raw_data():
    image = parse_pe(patched(TWO, TABLE + 40 + 8, "<I", 1 << 31))
    assert len(image.contents(image.sections[1])) == 1024


def test_gaps_and_odd_lengths_are_allowed():
    image = parse_pe(make_pe([(".a", b"a"), (".b", b"b")], gap=1, tail=b"\x01\x02\x03"))
    assert image.sections[1].raw_offset == image.sections[0].end + 512


def test_a_header_without_certificate_entry_is_allowed():
    assert parse_pe(make_pe(directories=4)).certificate_entry_offset is None


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "pe.no-mz"),
        (b"\x7fELF" + TWO[4:], "pe.no-mz"),
        (b"MZ", "pe.truncated"),
        (patched(TWO, 0x3C, "<I", 0xFFFF_FFFF), "pe.no-signature"),
        (patched(TWO, COFF, "<I", 0), "pe.no-signature"),
        (TWO[: COFF + 6], "pe.truncated"),
        (TWO[: OPTIONAL + 20], "pe.truncated"),
        (patched(TWO, OPTIONAL, "<H", 0x107), "pe.magic"),
        (patched(TWO, OPTIONAL + 60, "<I", TABLE + 79), "pe.header-size"),
        (patched(TWO, OPTIONAL + 60, "<I", len(TWO) + 1), "pe.header-size"),
        (patched(TWO, OPTIONAL + 108, "<I", 17), "pe.directories"),
        (patched(TWO, COFF + 20, "<H", OPTIONAL_BYTES - 8), "pe.directories"),
        (patched(TWO, COFF + 6, "<H", 0), "pe.section-count"),
        (patched(make_pe(tail=bytes(1 << 22)), COFF + 6, "<H", 0xFFFF), "pe.header-size"),
        (patched(TWO, TABLE + 20, "<I", HEADERS - 1), "pe.section-bounds"),
        (patched(TWO, TABLE + 40 + 20, "<I", len(TWO) - 1023), "pe.section-bounds"),
        (patched(TWO, TABLE + 40 + 16, "<I", 0xFFFF_FFFF), "pe.section-bounds"),
        (patched(TWO, TABLE + 40 + 20, "<I", HEADERS + 511), "pe.overlap"),
        (patched(TWO, TABLE, "<I", 0x0061002E), "pe.section-name"),
        (patched(TWO, TABLE, "<I", 0x1B5B2E), "pe.section-name"),
        (patched(TWO + bytes(8), CERTIFICATE_ENTRY, "<II", len(TWO), 7), "pe.certificate-table"),
        (patched(TWO + bytes(8), CERTIFICATE_ENTRY, "<II", len(TWO), 9), "pe.certificate-table"),
        (patched(TWO, CERTIFICATE_ENTRY, "<II", len(TWO) - 8, 8), "pe.certificate-table"),
    ],
)
def test_one_fault_each(data, code):
    assert code_of(data) == code


def test_more_sections_than_any_image_has_are_refused():
    data = bytearray(make_pe(tail=bytes(1 << 16)))
    struct.pack_into("<H", data, COFF + 6, 97)
    struct.pack_into("<I", data, OPTIONAL + 60, 8192)
    assert code_of(bytes(data)) == "pe.section-count"


def test_an_image_beyond_all_bounds_is_refused(monkeypatch):
    monkeypatch.setattr(pe, "MAX_IMAGE_BYTES", len(TWO) - 1)
    assert code_of(TWO) == "pe.too-large"


def test_an_error_says_where():
    with pytest.raises(FormatError) as caught:
        parse_pe(patched(TWO, OPTIONAL, "<H", 0x107))
    assert caught.value.offset == OPTIONAL


def test_signatures_are_found_in_order():
    image = parse_pe(with_certificates(TWO, b"first", b"second one"))
    assert [bytes(blob) for blob in parse_certificate_table(image)] == [b"first", b"second one"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (with_certificates(TWO, b"x", kind=1), "pe.certificate-kind"),
        (with_certificates(TWO, b"x", revision=0x100), "pe.certificate"),
        (patched(with_certificates(TWO, b"x"), len(TWO), "<I", 8), "pe.certificate"),
        (patched(with_certificates(TWO, b"x"), len(TWO), "<I", 0), "pe.certificate"),
        (patched(with_certificates(TWO, b"x"), len(TWO), "<I", 17), "pe.certificate"),
        (patched(TWO + bytes(4), CERTIFICATE_ENTRY, "<II", len(TWO), 4), "pe.truncated"),
    ],
)
def test_a_broken_certificate_table_is_refused(data, code):
    image = parse_pe(data)
    with pytest.raises(FormatError) as caught:
        parse_certificate_table(image)
    assert caught.value.code == code


@pytest.mark.attack("B19")
def test_a_hundred_megabytes_of_body_cost_nothing():
    image = make_pe(tail=bytes(100_000_000))
    started = time.process_time()
    for _ in range(100):
        parse_pe(image)
    assert time.process_time() - started < 1
