# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.identity_signer import document

from strongroom.errors import FormatError
from strongroom.formats.identity_document import MAX_IDENTITY_DOCUMENT_BYTES, parse_identity_document


def refused(code, data):
    with pytest.raises(FormatError) as caught:
        parse_identity_document(data)
    assert caught.value.code == code, caught.value


def test_the_fields_that_are_used_are_read():
    parsed = parse_identity_document(document())
    assert parsed.account_id == "111122223333"
    assert parsed.instance_id == "i-0123456789abcdef0"
    assert parsed.image_id == "ami-0123456789abcdef0"
    assert (parsed.region, parsed.availability_zone) == ("eu-west-1", "eu-west-1a")
    assert (parsed.instance_type, parsed.architecture) == ("m7i.large", "x86_64")
    assert parsed.pending_time == "2026-06-01T11:59:00Z"


def test_fields_that_aws_may_add_are_passed_over():
    parse_identity_document(document(anything=[{"new": 1}]))


@pytest.mark.parametrize("spelling", ["accountId", "\\u0061ccountId"])
@pytest.mark.attack("A9")
def test_a_name_that_stands_twice_is_refused(spelling):
    data = document()[:-1] + f', "{spelling}": "999999999999"}}'.encode()
    refused("identity.duplicate-name", data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("accountId", ...),
        ("accountId", None),
        ("accountId", 111122223333),
        ("accountId", "11112222333"),
        ("accountId", "1111222233334"),
        ("accountId", "11112222333x"),
        ("accountId", "١١١١٢٢٢٢٣٣٣٣"),
        ("accountId", "111122223333\n"),
        ("instanceId", "i-0123"),
        ("instanceId", "i-0123456789ABCDEF0"),
        ("instanceId", ["i-0123456789abcdef0"]),
        ("imageId", "ami-x"),
        ("region", "eu-west-1.example"),
        ("region", "../eu-west-1"),
        ("region", "Europe"),
        ("availabilityZone", ""),
        ("instanceType", "m7i large"),
        ("architecture", "X86"),
        ("pendingTime", "yesterday"),
    ],
)
def test_every_used_field_has_one_shape(field, value):
    refused("identity.field", document(**{field: value}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"\xff\xfe{\0}\0",
        b"\xef\xbb\xbf{}",
        document() + b"{}",
        document()[:-1],
        b"[" * 16_000,
        b'{"a":' * 3_000,
        b'{"n": ' + b"1" * 5_000 + b"}",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": "\xff"}',
    ],
)
def test_what_is_no_json_is_malformed(data):
    refused("identity.not-json", data)


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null"])
def test_what_is_no_object_is_malformed(data):
    refused("identity.not-an-object", data)


def test_large_ones_are_refused_before_they_are_read():
    refused("identity.too-large", b" " * MAX_IDENTITY_DOCUMENT_BYTES + document())
