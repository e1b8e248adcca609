# SPDX-License-Identifier: Apache-2.0
"""Bundle files: what the vectors do not reach (tests/vectors/bundle hold one file for each rule)."""

import dataclasses

import pytest
from tests.bundle_world import SIGNER, World

from strongroom.crypto.header_signature import sign_payload
from strongroom.errors import FormatError, UsageError
from strongroom.formats import bundle as bundle_module
from strongroom.formats.bundle import parse_bundle, parse_bundle_header, parse_escrow
from strongroom.formats.bundle_header import Placement, encode_header_fields, parse_header_fields
from strongroom.formats.bundle_layout import block_bytes, chunk_count, hash_table_bytes, level_sizes
from strongroom.formats.bundle_table import EntryInfo, encode_table
from strongroom.formats.signed import BUNDLE_HEADER, MAX_SIGNED_BYTES, encode_signed


@pytest.fixture(scope="module")
def sealed():
    return World().seal()


def test_a_header_is_read_from_the_start_of_a_file(sealed):
    header = parse_bundle_header(sealed.bundle[:65_552])
    assert header == parse_bundle(sealed.bundle).header
    assert encode_header_fields(header.claimed) == header.signed.payload


def test_a_detached_body_is_named_as_what_this_version_does_not_open(sealed):
    fields = parse_bundle_header(sealed.bundle).claimed
    detached = dataclasses.replace(fields, content=dataclasses.replace(fields.content, placement=Placement.DETACHED))
    file = sign_payload(BUNDLE_HEADER, encode_header_fields(detached), signer=SIGNER)
    with pytest.raises(UsageError) as caught:
        parse_bundle(file)
    assert caught.value.code == "bundle.detached"


def test_a_bundle_too_large_to_hold_is_refused_before_it_is_parsed(sealed, monkeypatch):
    monkeypatch.setattr(bundle_module, "MAX_BUNDLE_BYTES", len(sealed.bundle) - 1)
    with pytest.raises(UsageError) as caught:
        parse_bundle(sealed.bundle)
    assert caught.value.code == "bundle.too-large"


def test_errors_name_the_offset_in_the_file(sealed):
    at = sealed.bundle.index(b"\x65epoch\x02") + 6
    with pytest.raises(FormatError) as caught:
        parse_bundle(sealed.bundle[:at] + b"\x00" + sealed.bundle[at + 1 :])
    assert (caught.value.code, caught.value.offset) == ("bundle.range", at)


@pytest.mark.parametrize(
    ("cut", "code"),
    [
        (lambda b: b[:9], "bundle.truncated"),
        (lambda b: b[:16], "bundle.truncated"),
        (lambda b: b + b"\0", "bundle.length"),
    ],
)
def test_lengths_have_codes_of_their_own(sealed, cut, code):
    with pytest.raises(FormatError) as caught:
        parse_bundle(cut(sealed.bundle))
    assert caught.value.code == code


@pytest.mark.parametrize("length", [0, MAX_SIGNED_BYTES + 1])
def test_the_length_of_a_header_is_bounded_before_anything_is_read(sealed, length):
    with pytest.raises(FormatError) as caught:
        parse_bundle(sealed.bundle[:12] + length.to_bytes(4) + sealed.bundle[16:])
    assert (caught.value.code, caught.value.offset) == ("bundle.header-length", 12)


def test_an_escrow_file_ends_with_its_header(sealed):
    assert parse_escrow(sealed.escrow).claimed.subject.epoch == 2
    with pytest.raises(FormatError) as caught:
        parse_escrow(sealed.escrow + b"\0")
    assert caught.value.code == "bundle.length"


def test_a_header_longer_than_the_format_allows_is_not_written():
    with pytest.raises(FormatError) as caught:
        encode_signed(BUNDLE_HEADER, protected=b"p", payload=bytes(MAX_SIGNED_BYTES), signature=bytes(64))
    assert caught.value.code == "bundle.header-length"


def test_what_would_not_be_read_is_not_written(sealed):
    fields = parse_bundle_header(sealed.bundle).claimed
    with pytest.raises(FormatError):
        encode_header_fields(dataclasses.replace(fields, bundle_version=0))
    with pytest.raises(FormatError):
        encode_table([EntryInfo("../x", "text/plain", 0o600, 1)])


def test_an_entry_larger_than_the_format_allows_is_refused():
    with pytest.raises(FormatError) as caught:
        encode_table([EntryInfo("x", "text/plain", 0o600, (1 << 40) + 1)])
    assert caught.value.code == "bundle.entry-size"


def test_whatever_parses_re_serialises(sealed):
    payload = parse_bundle_header(sealed.bundle).signed.payload
    assert encode_header_fields(parse_header_fields(payload)) == payload


def test_the_layout_of_ten_gibibytes_is_what_the_specification_promises():
    body = (10 << 30) + 16 * chunk_count(10 << 30, 16)
    assert level_sizes(body, 16) == (163_840, 1_280, 10, 1)
    assert hash_table_bytes(body, 16) == 32 * (163_840 + 1_280 + 10)
    assert block_bytes(16) == 65_552
    assert chunk_count(0, 16) == 1
    assert hash_table_bytes(16, 12) == 0
