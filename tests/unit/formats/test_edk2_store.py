# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
import uuid

import pytest
from tests.boot.variables import GLOBAL, PERSISTENT, SECURITY_DATABASE, TIME_AUTHENTICATED, Variable, write_variables

from strongroom.errors import FormatError
from strongroom.formats import edk2_store
from strongroom.formats.edk2_store import parse_edk2_store
from strongroom.formats.efi_variables import EfiVariable

VOLUME_HEADER, STORE_HEADER, RECORD = 72, 28, 60
FIRST = VOLUME_HEADER + STORE_HEADER
NAME_LENGTH = FIRST + 36
STORE_BYTES = 2048


def empty_store() -> bytes:
    """A volume whose store has not been written to, with free space behind the store."""
    volume = bytearray(b"\xff" * (VOLUME_HEADER + STORE_BYTES + 512))
    volume[:VOLUME_HEADER] = bytes(VOLUME_HEADER)
    volume[16:32] = uuid.UUID("fff12b8d-7696-4c8b-a985-2747075b4f50").bytes_le
    volume[40:44] = b"_FVH"
    struct.pack_into("<H", volume, 48, VOLUME_HEADER)
    kind = uuid.UUID("aaf32c78-947b-439a-a180-2e144ec37792").bytes_le
    struct.pack_into("<16sIBBHI", volume, VOLUME_HEADER, kind, STORE_BYTES, 0x5A, 0xFE, 0, 0)
    return bytes(volume)


OLD = Variable("Timeout", b"\x05\0\0")
KEY = Variable("db", b"certificates", SECURITY_DATABASE, PERSISTENT | TIME_AUTHENTICATED)
NEW = Variable("Timeout", b"\x09\0")
STORE = write_variables(empty_store(), [OLD, KEY, NEW])


def changed(data: bytes, offset: int, new: bytes) -> bytes:
    return data[:offset] + new + data[offset + len(new) :]


def with_states(*states: int) -> bytes:
    data = STORE
    for variable, state in zip((OLD, KEY, NEW), states, strict=True):
        offset = data.index(variable.data, 0) - len(variable.name.encode("utf-16-le")) - 2 - RECORD
        data = changed(data, offset + 2, bytes([state]))
    return data


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_edk2_store(data)
    return caught.value.code


def test_variables_are_read_with_all_they_have():
    key, new = parse_edk2_store(with_states(0x3C, 0x3F, 0x3F))
    assert (key.name, key.vendor, key.attributes, key.data) == ("db", SECURITY_DATABASE, 0x21, b"certificates")
    assert key.timestamp[:2] == struct.pack("<H", 2024)
    assert new == EfiVariable("Timeout", GLOBAL, 7, b"\x09\0")


def test_an_empty_store_has_none():
    assert parse_edk2_store(empty_store()).variables == ()


def test_one_that_is_being_replaced_counts_until_the_other_is_complete():
    assert parse_edk2_store(with_states(0x3E, 0x3F, 0x7F)).content("Timeout") == OLD.data
    assert parse_edk2_store(with_states(0x3E, 0x3F, 0x3F)).content("Timeout") == NEW.data
    assert parse_edk2_store(with_states(0x3C, 0x3F, 0x7F)).content("Timeout") == b""


def test_two_that_are_both_complete_are_refused():
    assert code_of(STORE) == "efi-variables.duplicate"


def test_a_header_whose_lengths_were_never_written_has_no_body():
    started = changed(write_variables(empty_store(), [OLD]), NAME_LENGTH, b"\xff" * 8)
    started = changed(started, FIRST + 2, b"\xff")
    assert parse_edk2_store(changed(started, FIRST + RECORD, b"\xff" * 60)).variables == ()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "edk2-store.not-a-store"),
        (STORE[:60], "edk2-store.truncated"),
        (STORE[: FIRST - 1], "edk2-store.truncated"),
        (STORE[:1000], "edk2-store.truncated"),
        (changed(STORE, 16, b"\0"), "edk2-store.not-a-store"),
        (changed(STORE, 40, b"_FVI"), "edk2-store.not-a-store"),
        (changed(STORE, VOLUME_HEADER, b"\0"), "edk2-store.not-a-store"),
        (changed(STORE, VOLUME_HEADER + 20, b"\xff"), "edk2-store.not-a-store"),
        (changed(STORE, VOLUME_HEADER + 21, b"\xff"), "edk2-store.not-a-store"),
        (changed(STORE, VOLUME_HEADER + 16, struct.pack("<I", 27)), "edk2-store.truncated"),
        (changed(STORE, VOLUME_HEADER + 16, struct.pack("<I", 2**31)), "edk2-store.truncated"),
        (changed(STORE, FIRST, b"\0\0"), "edk2-store.record"),
        (changed(STORE, NAME_LENGTH, struct.pack("<I", 2**31)), "edk2-store.truncated"),
        (changed(STORE, NAME_LENGTH, struct.pack("<I", 2)), "edk2-store.name"),
        (changed(STORE, NAME_LENGTH, struct.pack("<I", 0)), "edk2-store.name"),
        (changed(STORE, FIRST + RECORD, b"\0\0"), "edk2-store.name"),
        (changed(STORE, FIRST + RECORD, b"\0\xd8"), "edk2-store.name"),
    ],
)
def test_one_fault_each(data, code):
    assert code_of(data) == code


def test_a_store_beyond_all_bounds_is_refused(monkeypatch):
    monkeypatch.setattr(edk2_store, "MAX_VARIABLES", 2)
    assert code_of(with_states(0x3C, 0x3F, 0x3F)) == "edk2-store.too-many"
    monkeypatch.setattr(edk2_store, "MAX_FILE_BYTES", len(STORE) - 1)
    assert code_of(STORE) == "edk2-store.not-a-store"
