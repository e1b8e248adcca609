# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
import uuid

import pytest
from tests.event_logs import GLOBAL, file_path, image_load, partition_table, variable

from strongroom.errors import FormatError
from strongroom.formats.event_data import (
    parse_firmware_blob,
    parse_firmware_blob2,
    parse_handoff_tables,
    parse_handoff_tables2,
    parse_image_load,
    parse_tagged_event,
    parse_variable_data,
)
from strongroom.formats.gpt_event import parse_gpt_event

SMBIOS = uuid.UUID("eb9d2d31-2d88-11d3-9a16-0090273fc14d")
ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
VARIABLE = variable(GLOBAL, "SecureBoot", b"\1")
BLOB = struct.pack("<QQ", 0xFF000000, 4096)
TABLES = struct.pack("<Q", 2) + 2 * (SMBIOS.bytes_le + struct.pack("<Q", 0x1000))
TAGGED = struct.pack("<II", 0x8F3B22EC, 13) + b"Linux initrd\0"
DISK = partition_table((ESP, "ESP"), (SMBIOS, ""))


def code_of(parse, data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse(data)
    return caught.value.code


def test_a_variable_is_read():
    parsed = parse_variable_data(VARIABLE)
    assert (parsed.vendor, parsed.name, parsed.content) == (GLOBAL, "SecureBoot", b"\1")


def test_a_loaded_image_is_read_with_what_shim_leaves_behind_it():
    parsed = parse_image_load(image_load(file_path("\\a.efi"), size=77))
    assert (parsed.address, parsed.size_bytes, parsed.device_path) == (0x1000, 77, file_path("\\a.efi"))
    assert parse_image_load(image_load(b"") + b"forgotten").device_path == b""


def test_firmware_in_memory_is_read_with_and_without_its_name():
    plain, named = parse_firmware_blob(BLOB), parse_firmware_blob2(b"\x04name" + BLOB)
    assert (plain.address, plain.size_bytes, plain.description) == (0xFF000000, 4096, b"")
    assert (named.address, named.size_bytes, named.description) == (0xFF000000, 4096, b"name")


def test_tables_are_read_with_and_without_their_name():
    assert parse_handoff_tables(TABLES).tables == ((SMBIOS, 0x1000), (SMBIOS, 0x1000))
    assert parse_handoff_tables2(b"\x04name" + TABLES).description == b"name"


def test_a_tagged_event_is_read():
    parsed = parse_tagged_event(TAGGED)
    assert (parsed.tag, parsed.name) == (0x8F3B22EC, b"Linux initrd\0")


@pytest.mark.parametrize("entry_bytes", [128, 4096])
def test_a_partition_table_is_read(entry_bytes):
    parsed = parse_gpt_event(partition_table((ESP, "ESP"), (SMBIOS, ""), entry_bytes=entry_bytes))
    assert parsed.disk == uuid.UUID(int=9)
    assert [(each.kind, each.unique.int, each.name) for each in parsed.partitions] == [(ESP, 0, "ESP"), (SMBIOS, 1, "")]


ALL = {
    "variable": (parse_variable_data, VARIABLE),
    "blob": (parse_firmware_blob, BLOB),
    "named blob": (parse_firmware_blob2, b"\x04name" + BLOB),
    "tables": (parse_handoff_tables, TABLES),
    "named tables": (parse_handoff_tables2, b"\x04name" + TABLES),
    "tagged": (parse_tagged_event, TAGGED),
    "disk": (parse_gpt_event, DISK),
}


@pytest.mark.parametrize("name", ALL)
def test_each_is_read_to_its_last_byte_and_not_beyond(name):
    parse, data = ALL[name]
    parse(data)
    assert code_of(parse, data + b"x") == "efi.trailing"
    for length in range(len(data)):
        assert code_of(parse, data[:length]) == "efi.truncated"


def test_a_truncated_image_load_is_refused():
    data = image_load(file_path("\\a.efi"))
    for length in range(len(data)):
        assert code_of(parse_image_load, data[:length]) == "efi.truncated"


@pytest.mark.parametrize(
    ("parse", "data"),
    [
        (parse_variable_data, GLOBAL.bytes_le + struct.pack("<QQ", 2**64 - 1, 0)),
        (parse_variable_data, GLOBAL.bytes_le + struct.pack("<QQ", 0, 2**64 - 1)),
        (parse_image_load, struct.pack("<QQQQ", 0, 0, 0, 2**64 - 1)),
        (parse_handoff_tables, struct.pack("<Q", 2**64 - 1)),
        (parse_tagged_event, struct.pack("<II", 0, 2**32 - 1)),
        (parse_gpt_event, partition_table()[:-8] + struct.pack("<Q", 2**64 - 1)),
    ],
)
def test_a_length_beyond_all_bounds_takes_nothing(parse, data):
    assert code_of(parse, data) == "efi.truncated"


@pytest.mark.parametrize(
    "data",
    [
        b"EFI PORT" + DISK[8:],
        partition_table(entry_bytes=127),
        partition_table(entry_bytes=4097),
        partition_table(entry_bytes=0),
    ],
)
def test_what_is_no_partition_table_is_refused(data):
    assert code_of(parse_gpt_event, data) == "efi.gpt"


def test_a_place_in_an_error_counts_from_the_start():
    with pytest.raises(FormatError) as caught:
        parse_tagged_event(TAGGED[:-1])
    assert (caught.value.offset, caught.value.spec[:3]) == (8, "TCG")
