# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct

import pytest
from tests.boot.variables import load_option

from strongroom.errors import FormatError
from strongroom.formats.device_path import device_path_text
from strongroom.formats.load_option import encode_load_option, parse_load_option, parse_option_order

OPTION = load_option("\\EFI\\BOOT\\BOOTX64.EFI", options="init=/bin/sh")
PATHS = OPTION.index(b"\x04\x04")


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_load_option(data)
    return caught.value.code


def test_an_option_is_read_and_written_as_it_was():
    option = parse_load_option(OPTION)
    assert (option.attributes, option.description) == (1, "test")
    assert [device_path_text(path) for path in option.paths] == ["\\EFI\\BOOT\\BOOTX64.EFI"]
    assert option.optional_data == "init=/bin/sh\0".encode("utf-16-le")
    assert encode_load_option(option) == OPTION


@pytest.mark.parametrize(
    ("attributes", "active", "boots"),
    [(0x001, True, True), (0x000, False, False), (0x101, True, False), (0x109, True, False), (0x009, True, True)],
)
def test_what_takes_part_is_active_and_of_the_category_that_boots(attributes, active, boots):
    option = parse_load_option(struct.pack("<I", attributes) + OPTION[4:])
    assert (option.is_active, option.boots) == (active, boots)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "load-option.size"),
        (OPTION[:5], "load-option.size"),
        (OPTION + bytes(65_537 - len(OPTION)), "load-option.size"),
        (OPTION[:14], "load-option.description"),
        (OPTION[:6] + b"\0\xd8" + OPTION[8:], "load-option.description"),
        (OPTION[:4] + struct.pack("<H", 0xFFFF) + OPTION[6:], "load-option.truncated"),
        (OPTION[:4] + struct.pack("<H", 0) + OPTION[6:], "device-path.node"),
        (OPTION[: PATHS + 2] + b"\0\0" + OPTION[PATHS + 4 :], "device-path.node"),
    ],
)
def test_one_fault_each(data, code):
    assert code_of(data) == code


def test_the_place_of_a_fault_is_that_in_the_option():
    with pytest.raises(FormatError) as caught:
        parse_load_option(OPTION[: PATHS + 2] + b"\0\0" + OPTION[PATHS + 4 :])
    assert caught.value.offset == PATHS


def test_an_order_is_a_list_of_numbers():
    assert parse_option_order(b"") == ()
    assert parse_option_order(b"\x42\x00\x00\x01\x42\x00") == (0x42, 0x100, 0x42)
    for data in (b"\x42", bytes(65_538)):
        with pytest.raises(FormatError) as caught:
            parse_option_order(data)
        assert caught.value.code == "load-option.order"
