# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import struct
import uuid

import pytest
from cryptography import x509

from strongroom.errors import FormatError
from strongroom.formats import efi
from strongroom.formats.efi import (
    CERT_SHA256,
    CERT_X509,
    GLOBAL_VARIABLE,
    content_of_signed_update,
    encode_variable_data,
    is_signed_update,
    parse_signature_database,
    signature_list_of_certificate,
)

OWNER = uuid.UUID("01020304-0506-0708-090a-0b0c0d0e0f10")


def signature_list(kind: uuid.UUID, *contents: bytes, header: bytes = b"") -> bytes:
    entries = b"".join(OWNER.bytes_le + content for content in contents)
    sizes = (28 + len(header) + len(entries), len(header), 16 + len(contents[0]))
    return kind.bytes_le + struct.pack("<III", *sizes) + header + entries


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_signature_database(data)
    return caught.value.code


def test_entries_of_all_lists_are_read_in_order():
    data = signature_list(CERT_SHA256, b"a" * 32, b"b" * 32) + signature_list(CERT_X509, b"certificate", header=b"hh")
    entries = parse_signature_database(data)
    assert [(entry.kind, entry.content) for entry in entries] == [
        (CERT_SHA256, b"a" * 32),
        (CERT_SHA256, b"b" * 32),
        (CERT_X509, b"certificate"),
    ]
    assert entries[2].owner == OWNER
    assert entries[2].signature_data == OWNER.bytes_le + b"certificate"
    assert data[entries[2].offset :] == entries[2].signature_data


def test_an_empty_database_has_no_entries():
    assert parse_signature_database(b"") == ()


LIST = signature_list(CERT_X509, b"certificate")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (LIST[:27], "efi.truncated"),
        (LIST + b"x", "efi.truncated"),
        (LIST[:-1], "efi.signature-list"),
        (LIST[:16] + struct.pack("<I", 0) + LIST[20:], "efi.signature-list"),
        (LIST[:16] + struct.pack("<I", 28) + LIST[20:], "efi.signature-list"),
        (LIST[:24] + struct.pack("<I", 15) + LIST[28:], "efi.signature-list"),
        (LIST[:24] + struct.pack("<I", 0) + LIST[28:], "efi.signature-list"),
        (LIST[:24] + struct.pack("<I", 26) + LIST[28:], "efi.signature-list"),
        (LIST[:20] + struct.pack("<I", 0xFFFF_FFFF) + LIST[24:], "efi.signature-list"),
        (b"-----BEGIN CERTIFICATE-----\nMIIC", "efi.signature-list"),
    ],
)
def test_one_fault_each(data, code):
    assert code_of(data) == code


def test_an_entry_may_be_an_owner_and_nothing_else():
    (entry,) = parse_signature_database(signature_list(CERT_X509, b""))
    assert (entry.owner, entry.content) == (OWNER, b"")


def test_the_list_of_a_certificate_has_it_and_its_owner():
    data = signature_list_of_certificate(b"certificate", OWNER)
    assert data == LIST
    assert parse_signature_database(data)[0].owner == OWNER


PKCS7 = uuid.UUID("4aafd29d-68df-49ee-8aa9-347d375665a7").bytes_le


def signed_update(content: bytes, *, signature: bytes = b"s" * 9, length: int | None = None) -> bytes:
    size = 24 + len(signature) if length is None else length
    return bytes(16) + struct.pack("<IHH", size, 0x0200, 0x0EF1) + PKCS7 + signature + content


def test_a_signed_update_is_told_by_its_fixed_fields():
    data = signed_update(LIST)
    assert is_signed_update(data)
    assert is_signed_update(signed_update(b"", signature=b""))
    for other in (LIST, b"", data[:39], data[:20] + b"\1\2" + data[22:], data[:22] + b"\xf0" + data[23:]):
        assert not is_signed_update(other)
    assert not is_signed_update(data[:24] + OWNER.bytes_le + data[40:])


def test_a_signed_update_sets_what_stands_behind_its_signature():
    assert content_of_signed_update(signed_update(LIST)) == LIST
    assert content_of_signed_update(signed_update(b"")) == b""


@pytest.mark.parametrize("length", [0, 23, 24 + 9 + len(LIST) + 1, 2**32 - 1])
def test_a_signature_that_does_not_end_in_the_file_is_refused(length):
    with pytest.raises(FormatError) as caught:
        content_of_signed_update(signed_update(LIST, length=length))
    assert caught.value.code == "efi.signed-update"


def test_a_database_beyond_all_bounds_is_refused(monkeypatch):
    monkeypatch.setattr(efi, "MAX_DATABASE_BYTES", 10)
    assert code_of(LIST) == "efi.too-large"


def test_variable_data_is_laid_out_as_the_specification_says():
    assert encode_variable_data(GLOBAL_VARIABLE, "PK", b"\x01\x02\x03") == bytes.fromhex(
        "61dfe48bca93d211aa0d00e098032b8c"  # the GUID, mixed-endian
        "0200000000000000"  # characters in the name
        "0300000000000000"  # bytes of data
        "50004b00"  # the name, without NUL
        "010203"
    )


@pytest.mark.parametrize("name", ["PK", "KEK", "db", "dbx"])
def test_genuine_databases_are_read_to_their_last_byte(genuine_vectors, name):
    store = json.loads((genuine_vectors / "uefi-variables/pyuefivars-t02.json").read_text())
    # that decoder puts two zero bytes before each value
    (data,) = (bytes.fromhex(row["data"])[2:] for row in store["variables"] if row["name"] == name)
    entries = parse_signature_database(data)
    assert data.endswith(entries[-1].signature_data)
    for entry in entries:
        if entry.kind == CERT_X509:
            assert x509.load_der_x509_certificate(entry.content).subject
        if entry.kind == CERT_SHA256:
            assert len(entry.content) == 32
