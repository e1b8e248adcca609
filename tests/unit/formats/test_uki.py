# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools
import struct

import pytest
from tests.images import (
    AARCH64,
    CERTIFICATE_ENTRY,
    CHECKSUM,
    COFF,
    OPTIONAL,
    TABLE,
    make_pe,
    make_uki,
    patched,
    with_certificates,
)

from strongroom.errors import FormatError
from strongroom.formats import uki as uki_module
from strongroom.formats.minimal_stub import minimal_kernel, minimal_stub
from strongroom.formats.pe import parse_pe
from strongroom.formats.uki import Architecture, assemble_uki, parse_uki

SECTIONS = [(".osrel", b"ID=test\n"), (".linux", make_pe()), (".initrd", b"i" * 513)]


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_uki(data)
    return caught.value.code


def refused(stub: bytes, sections) -> str:
    with pytest.raises(FormatError) as caught:
        assemble_uki(stub, sections)
    return caught.value.code


def test_sections_are_read_by_name():
    uki = parse_uki(make_uki(cmdline=b"quiet\n\0"))
    assert uki.architecture is Architecture.X86_64
    assert bytes(uki.kernel) == make_pe()
    assert uki.command_line == "quiet"
    assert uki.section(".splash") is None
    assert bytes(uki.image.data[uki.kernel_offset :][:2]) == b"MZ"


@pytest.mark.parametrize(
    ("command_line", "expected"),
    [
        (b"quiet roothash=ABcd rw", "abcd"),
        (b"usrhash=12", "12"),
        (b"roothash=xyz", ""),
        (b"roothash=", ""),
        (b"xroothash=12", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_the_root_hash_is_what_the_command_line_asks_for(command_line, expected):
    assert parse_uki(make_uki(cmdline=command_line)).root_hash == expected


def test_an_image_without_command_line_has_an_empty_one():
    assert parse_uki(make_uki(drop=[".cmdline"])).command_line == ""


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (make_uki(drop=[".linux"]), "uki.no-kernel"),
        (patched(make_uki(), COFF + 4, "<H", 0x14C), "uki.architecture"),
        (make_pe([(".linux", b"a"), (".initrd", b"b"), (".initrd", b"c")]), "uki.duplicate-section"),
        (patched(make_uki(), TABLE + 40 + 8, "<I", 513), "uki.section-size"),
        (patched(make_uki(), TABLE + 40 + 8, "<I", 0), "uki.section-size"),
        (b"MZ", "pe.truncated"),
    ],
)
def test_one_fault_each(data, code):
    assert code_of(data) == code


def test_the_last_payload_section_is_looked_at_too():
    data = make_pe([(".linux", b"a"), (".text", b"x"), (".sdmagic", b"m")])
    assert code_of(patched(data, TABLE + 80 + 8, "<I", 513)) == "uki.section-size"


@pytest.mark.parametrize("machine", [0x8664, AARCH64])
def test_an_assembled_image_holds_exactly_what_was_given(machine):
    uki = parse_uki(assemble_uki(make_pe(machine=machine), SECTIONS))
    for name, contents in SECTIONS:
        section = uki.section(name)
        assert section is not None
        assert bytes(section) == contents
    rows = uki.image.sections
    assert all(row.raw_offset % 512 == row.raw_size % 512 == 0 for row in rows)
    assert all(later.raw_offset == earlier.end for earlier, later in itertools.pairwise(rows))
    assert all(row.virtual_address % 4096 == 0 for row in rows)
    assert all(
        later.virtual_address >= earlier.virtual_address + earlier.virtual_size
        for earlier, later in itertools.pairwise(rows)
    )
    last = rows[-1]
    size_of_image = struct.unpack_from("<I", uki.image.data, OPTIONAL + 56)[0]
    assert last.virtual_address + last.virtual_size <= size_of_image < (1 << 20)


def test_assembling_is_deterministic_and_keeps_the_order():
    once = assemble_uki(make_pe(), SECTIONS)
    assert assemble_uki(make_pe(), SECTIONS) == once
    assert assemble_uki(make_pe(), SECTIONS[::-1]) != once


def test_the_stubs_symbol_table_signature_and_checksum_are_left_out():
    plain = assemble_uki(make_pe(), SECTIONS)
    assert plain[CHECKSUM : CHECKSUM + 4] == bytes(4)
    with_symbols = patched(make_pe(tail=b"symbols and strings"), COFF + 12, "<II", 1536, 3)
    assert assemble_uki(with_symbols, SECTIONS) == plain
    assert b"symbols" not in assemble_uki(with_symbols, SECTIONS)
    signed = with_certificates(make_pe(), b"signature")
    assert assemble_uki(signed, SECTIONS) == plain
    assert plain[CERTIFICATE_ENTRY : CERTIFICATE_ENTRY + 8] == bytes(8)


def test_a_stub_that_ends_between_sectors_is_filled_up_with_zeros():
    stub = patched(make_pe(), TABLE + 16, "<I", 100)[: 1024 + 100] + b"rubbish"
    image = parse_pe(assemble_uki(stub, SECTIONS))
    assert image.sections[1].raw_offset == 1536
    assert bytes(image.data[1124:1536]) == bytes(412)


def test_the_assembled_size_of_data_counts_what_was_added():
    before = struct.unpack_from("<I", make_pe(), OPTIONAL + 8)[0]
    after = struct.unpack_from("<I", assemble_uki(make_pe(), SECTIONS), OPTIONAL + 8)[0]
    assert after - before == 512 + 1536 + 1024


@pytest.mark.parametrize(
    ("stub", "sections", "code"),
    [
        (make_pe(), [(f".s{n}", b"x") for n in range(18)], "uki.no-header-room"),
        (patched(make_pe(), OPTIONAL + 32, "<I", 513), SECTIONS, "uki.alignment"),
        (patched(make_pe(), OPTIONAL + 36, "<I", 4096), SECTIONS, "uki.alignment"),
        (make_pe(), [(".a", b"x"), (".a", b"y")], "uki.duplicate-section"),
        (make_pe(), [(".text", b"x")], "uki.duplicate-section"),
        (make_pe(), [(".toolong1", b"x")], "uki.section-name"),
        (make_pe(), [("linux", b"x")], "uki.section-name"),
        (make_pe(), [(".lin\x1b", b"x")], "uki.section-name"),
        (make_pe(), [(".é", b"x")], "uki.section-name"),
        (make_pe(), [(".linux", b"")], "uki.section-size"),
        (b"MZ", SECTIONS, "pe.truncated"),
    ],
)
def test_what_cannot_be_assembled_is_refused(stub, sections, code):
    assert refused(stub, sections) == code


def test_room_in_the_header_is_used_to_the_last_row():
    room = (1024 - TABLE) // 40 - 1
    assert len(parse_pe(assemble_uki(make_pe(), [(f".s{n}", b"x") for n in range(room)])).sections) == room + 1
    assert refused(make_pe(), [(f".s{n}", b"x") for n in range(room + 1)]) == "uki.no-header-room"


def test_an_image_beyond_all_bounds_is_not_assembled(monkeypatch):
    monkeypatch.setattr(uki_module, "MAX_IMAGE_BYTES", 4096)
    assert refused(make_pe(), SECTIONS) == "pe.too-large"


@pytest.mark.parametrize("architecture", list(Architecture))
def test_the_stand_ins_for_stub_and_kernel_make_a_whole_image(architecture):
    kernel = minimal_kernel(architecture, release="6.1")
    image = assemble_uki(minimal_stub(architecture, version="258.1"), [(".linux", kernel), (".initrd", b"i")])
    uki = parse_uki(image)
    assert uki.architecture is architecture
    assert bytes(uki.section(".sdmagic") or b"") == b"#### LoaderInfo: systemd-stub 258.1 ####\0"
    assert kernel != minimal_kernel(architecture, release="6.2")


@pytest.mark.parametrize("version", ["", "v258", "258\n", "258 ####"])
def test_a_stand_in_needs_a_version_that_can_be_read_back(version):
    with pytest.raises(ValueError, match="version"):
        minimal_stub(Architecture.X86_64, version=version)
