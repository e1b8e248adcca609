# SPDX-License-Identifier: Apache-2.0
"""Variable stores: what is written is what the reader of stores finds. That OVMF finds it too is seen in tests/boot."""

import struct
import uuid

import pytest

from strongroom.errors import FormatError
from strongroom.formats.edk2_store import parse_edk2_store
from strongroom.formats.efi import SECURE_BOOT_ENABLE, signature_list_of_certificate
from strongroom.formats.efi_variables import EfiVariable, EfiVariables
from strongroom.formats.load_option import parse_load_option, parse_option_order
from strongroom.measure.secure_boot import SecureBootKeys
from strongroom.twin.qemu.variables import (
    boot_next,
    file_option,
    option_variables,
    secure_boot_variables,
    setting,
    write_store,
)

VOLUME_GUID = uuid.UUID("fff12b8d-7696-4c8b-a985-2747075b4f50")
STORE_GUID = uuid.UUID("aaf32c78-947b-439a-a180-2e144ec37792")
STORE_BYTES = 4096
VOLUME_HEADER_BYTES = 72


def empty_store() -> bytes:
    """As OVMF's, and smaller."""
    header = bytearray(VOLUME_HEADER_BYTES)
    header[16:32] = VOLUME_GUID.bytes_le
    header[40:44] = b"_FVH"
    header[48:50] = VOLUME_HEADER_BYTES.to_bytes(2, "little")
    store = struct.pack("<16sIBBHI", STORE_GUID.bytes_le, STORE_BYTES, 0x5A, 0xFE, 0, 0)
    return bytes(header) + store.ljust(STORE_BYTES, b"\xff") + b"behind the store"


def written(*variables: EfiVariable) -> EfiVariables:
    return parse_edk2_store(write_store(empty_store(), EfiVariables(variables)))


def test_what_is_written_is_found_and_the_rest_of_the_file_is_as_it_was():
    variables = (setting("Odd", b"123"), boot_next(7), setting("Long", bytes(100)))
    store = write_store(empty_store(), EfiVariables(variables))
    assert parse_edk2_store(store).variables == variables
    assert len(store) == len(empty_store())
    assert store.endswith(b"behind the store")


def test_a_machine_without_variables_has_the_empty_store():
    assert write_store(empty_store(), EfiVariables(())) == empty_store()


def test_options_are_numbered_from_where_one_says_and_stand_in_their_order():
    options = [file_option(r"\a.efi"), file_option(r"\b.efi", command_line="init=/bin/sh")]
    found = written(*option_variables("Driver", options, first=0xF))
    assert [each.name for each in found] == ["Driver000F", "Driver0010", "DriverOrder"]
    assert parse_option_order(found.content("DriverOrder")) == (0xF, 0x10)
    second = parse_load_option(found.content("Driver0010"))
    assert second.is_active
    assert second.optional_data == "init=/bin/sh\0".encode("utf-16-le")
    assert "\\b.efi\0".encode("utf-16-le") == second.paths[0][0].content


def test_with_a_platform_key_secure_boot_is_on_unless_the_switch_says_otherwise():
    keys = SecureBootKeys(pk=signature_list_of_certificate(b"certificate", uuid.UUID(int=1)))
    variables = secure_boot_variables(keys)
    assert [each.name for each in variables] == ["PK"], "a variable without content does not exist"
    assert written(*variables).content("SecureBootEnable", SECURE_BOOT_ENABLE) == b"\x01"
    off = EfiVariable("SecureBootEnable", SECURE_BOOT_ENABLE, 3, b"\x00")
    assert written(*variables, off).content("SecureBootEnable", SECURE_BOOT_ENABLE) == b"\x00"


def test_variables_that_do_not_fit_are_refused():
    room = STORE_BYTES - 28 - 60 - len("Large\0".encode("utf-16-le"))
    assert written(setting("Large", bytes(room))).content("Large") == bytes(room)
    with pytest.raises(FormatError) as caught:
        written(setting("Large", bytes(room + 1)))
    assert caught.value.code == "qemu.store-full"


def test_a_store_that_has_variables_is_not_written_over():
    with pytest.raises(FormatError) as caught:
        write_store(write_store(empty_store(), EfiVariables((boot_next(1),))), EfiVariables(()))
    assert caught.value.code == "qemu.store-not-empty"
