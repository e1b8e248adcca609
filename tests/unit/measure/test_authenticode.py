# SPDX-License-Identifier: Apache-2.0
"""Against other people's implementation where both agree, and against the definition where they do not."""

from __future__ import annotations

import hashlib

import lief
import pytest
from tests.images import CERTIFICATE_ENTRY, CHECKSUM, HEADERS, make_pe, make_uki, patched, with_certificates

from strongroom.formats.pe import parse_pe
from strongroom.measure.authenticode import authenticode_digest

TINY64 = "ad37d821bff4ac08f6ee2be764cbb9bc49404d1d723bbb8b234926127478265b0fa496ac0817070cae54d272e9aa13d1"
TINY32 = "ff67a85679b86470645cf24d846dfda2e0e14715ce0c7c552932e14f2c98a46729b5e7657d2a65842774bea91e090459"


def digest(data: bytes) -> str:
    return authenticode_digest(parse_pe(data)).hex()


def peer(data: bytes) -> str:
    image = lief.PE.parse(list(data))
    assert image is not None
    return bytes(image.authentihash(lief.PE.ALGORITHMS.SHA_384)).hex()


def header_parts(data: bytes) -> bytes:
    return data[:CHECKSUM] + data[CHECKSUM + 4 : CERTIFICATE_ENTRY] + data[CERTIFICATE_ENTRY + 8 : HEADERS]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("authenticode-tiny64.efi", TINY64),
        ("authenticode-tiny64.signed.efi", TINY64),
        ("authenticode-tiny32.efi", TINY32),
        ("authenticode-tiny32.signed.efi", TINY32),
    ],
)
def test_known_images_have_their_known_digests(genuine_vectors, name, expected):
    data = (genuine_vectors / "uki" / name).read_bytes()
    assert digest(data) == expected == peer(data)


@pytest.mark.parametrize(
    "data",
    [make_pe(), make_uki(), make_pe([(".b", b"b" * 700), (".a", b"a")]), with_certificates(make_uki(), b"signature")],
    ids=["one section", "uki", "two sections", "signed"],
)
def test_clean_images_have_the_digest_that_lief_computes(data):
    assert digest(data) == peer(data)


def test_signature_and_checksum_do_not_count():
    assert digest(with_certificates(make_uki(), b"signature", b"another")) == digest(make_uki())
    assert digest(patched(make_uki(), CHECKSUM, "<I", 1)) == digest(make_uki())


@pytest.mark.parametrize(
    "offset",
    [0x30, CHECKSUM + 4, CERTIFICATE_ENTRY - 1, CERTIFICATE_ENTRY + 8, HEADERS - 1, HEADERS, HEADERS + 511, -1],
)
def test_everything_else_counts(offset):
    data = bytearray(make_uki())
    data[offset] ^= 1
    assert digest(bytes(data)) != digest(make_uki())


def test_sections_count_in_the_order_of_the_file_not_of_the_table():
    data = make_pe([(".a", b"a" * 512), (".b", b"b" * 512)])
    swapped = bytearray(data)
    first, second = slice(0x40 + 24 + 240, 0x40 + 24 + 280), slice(0x40 + 24 + 280, 0x40 + 24 + 320)
    swapped[first], swapped[second] = data[second], data[first]
    expected = hashlib.sha384(header_parts(bytes(swapped)) + b"a" * 512 + b"b" * 512)
    assert digest(bytes(swapped)) == expected.hexdigest()


def test_a_length_that_is_no_multiple_of_8_is_not_padded():
    data = make_pe(tail=b"\x01\x02\x03")
    assert digest(data) == hashlib.sha384(header_parts(data) + data[HEADERS:]).hexdigest()


def test_behind_a_gap_the_rest_is_counted_as_firmware_counts_it():
    data = make_pe([(".a", b"a" * 512), (".b", b"b" * 512)], gap=1)
    # 1024 + 512 + 512 bytes are hashed, so the rest starts at 2048: the second section is hashed again
    expected = hashlib.sha384(header_parts(data) + b"a" * 512 + b"b" * 512 + b"b" * 512)
    assert digest(data) == expected.hexdigest()


def test_an_image_without_certificate_entry_has_its_whole_header_hashed():
    data = make_pe(directories=4)
    expected = data[:CHECKSUM] + data[CHECKSUM + 4 :]
    assert digest(data) == hashlib.sha384(expected).hexdigest()
