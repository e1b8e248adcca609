# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
import uuid

import pytest
from tests.boot.variables import GLOBAL, PERSISTENT, SECURITY_DATABASE, TIME_AUTHENTICATED, TIMESTAMP, Variable
from tests.uefi_blobs import NO_DIGEST, aws_body

from strongroom.errors import FormatError
from strongroom.formats import efi_variables
from strongroom.formats.efi_variables import (
    EfiVariable,
    EfiVariables,
    encode_aws_variables,
    parse_aws_variables,
)

OTHER_VENDOR = uuid.UUID("01020304-0506-0708-090a-0b0c0d0e0f10")
PLAIN = Variable("Timeout", b"\x05\0")
KEY = Variable("db", b"certificates", SECURITY_DATABASE, PERSISTENT | TIME_AUTHENTICATED)
BODY = aws_body([PLAIN, KEY])


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_aws_variables(data)
    return caught.value.code


def test_variables_are_read_in_their_order_with_all_they_have():
    plain, key = parse_aws_variables(BODY)
    assert plain == EfiVariable("Timeout", GLOBAL, 7, b"\x05\0")
    assert key == EfiVariable("db", SECURITY_DATABASE, 0x21, b"certificates", timestamp=TIMESTAMP, digest=NO_DIGEST)


def test_what_was_read_is_written_as_it_was():
    assert encode_aws_variables(parse_aws_variables(BODY)) == BODY
    assert encode_aws_variables(EfiVariables(())) == bytes(8)
    assert parse_aws_variables(bytes(8)).variables == ()


def test_a_variable_is_found_by_its_name_and_its_vendor():
    variables = EfiVariables((EfiVariable("PK", OTHER_VENDOR, 7, b"other"), EfiVariable("PK", GLOBAL, 7, b"ours")))
    assert variables.content("PK") == b"ours"
    assert variables.content("PK", OTHER_VENDOR) == b"other"
    assert variables.find("PK", SECURITY_DATABASE) is None
    assert variables.find("pk") is None
    assert variables.content("pk") == b""


def test_a_variable_that_stands_twice_is_refused():
    assert code_of(aws_body([PLAIN, KEY, PLAIN])) == "efi-variables.duplicate"
    with pytest.raises(FormatError):
        EfiVariables((EfiVariable("A", GLOBAL, 1, b"1"), EfiVariable("A", GLOBAL, 7, b"2")))


def renamed(name: bytes) -> bytes:
    """One variable with this name."""
    return struct.pack("<QQ", 1, len(name)) + name + struct.pack("<Q", 0) + GLOBAL.bytes_le + bytes(4)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (BODY[:-1], "efi.truncated"),
        (BODY[:7], "efi.truncated"),
        (BODY + b"x", "efi.trailing"),
        (struct.pack("<Q", 1) + BODY[8:], "efi.trailing"),
        (struct.pack("<Q", 2**64 - 1) + BODY[8:], "efi-variables.too-many"),
        (struct.pack("<QQ", 2, 2**63) + BODY[16:], "efi.truncated"),
        (renamed(b"") + b"x", "efi-variables.name"),
        (renamed(b"a\0b"), "efi-variables.name"),
        (renamed(b"\xff"), "efi-variables.name"),
        (renamed(b"\xed\xa0\x80"), "efi-variables.name"),
        (renamed(b"a" * 1025), "efi-variables.name"),
    ],
)
def test_one_fault_each(data, code):
    assert code_of(data) == code


def test_a_name_of_the_greatest_length_is_read():
    (variable,) = parse_aws_variables(renamed(b"a" * 1024))
    assert len(variable.name) == 1024


def test_a_list_beyond_all_bounds_is_refused(monkeypatch):
    monkeypatch.setattr(efi_variables, "MAX_VARIABLES", 1)
    assert code_of(BODY) == "efi-variables.too-many"
    monkeypatch.setattr(efi_variables, "MAX_STORE_BYTES", len(BODY) - 1)
    assert code_of(BODY) == "efi-variables.too-large"
