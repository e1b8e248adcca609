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
    parse_identity_document(document(anything=[{"new": 1, "share": 0.5}]))


@pytest.mark.parametrize("spelling", ["accountId", "\\u0061ccountId"])
@pytest.mark.attack("A9")
def test_a_name_that_stands_twice_is_refused(spelling):
    data = document()[:-1] + f', "{spelling}": "999999999999"}}'.encode()
    refused("json.duplicate-key", data)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("accountId", ..., "field.missing"),
        ("accountId", None, "field.wrong-type"),
        ("accountId", 111122223333, "field.wrong-type"),
        ("accountId", "11112222333", "field.pattern"),
        ("accountId", "1111222233334", "field.pattern"),
        ("accountId", "11112222333x", "field.pattern"),
        ("accountId", "١١١١٢٢٢٢٣٣٣٣", "field.pattern"),
        ("accountId", "111122223333\n", "field.pattern"),
        ("instanceId", "i-0123", "field.pattern"),
        ("instanceId", "i-0123456789ABCDEF0", "field.pattern"),
        ("instanceId", ["i-0123456789abcdef0"], "field.wrong-type"),
        ("imageId", "ami-x", "field.pattern"),
        ("region", "eu-west-1.example", "field.pattern"),
        ("region", "../eu-west-1", "field.pattern"),
        ("region", "Europe", "field.pattern"),
        ("availabilityZone", "", "field.length"),
        ("instanceType", "m7i large", "field.pattern"),
        ("architecture", "X86", "field.pattern"),
        ("pendingTime", "yesterday", "field.pattern"),
    ],
)
def test_every_used_field_has_one_shape(field, value, code):
    refused(code, document(**{field: value}))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "json.syntax"),
        (b"{", "json.syntax"),
        (b"\xff\xfe{\0}\0", "json.not-utf8"),
        (b"\xef\xbb\xbf{}", "json.syntax"),
        (document() + b"{}", "json.syntax"),
        (document()[:-1], "json.syntax"),
        (b'{"a": NaN}', "json.number"),
        (b'{"a": "\xff"}', "json.not-utf8"),
    ],
)
def test_what_is_no_json_is_malformed(data, code):
    refused(code, data)


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null"])
def test_what_is_no_object_is_malformed(data):
    refused("field.wrong-type", data)


def test_large_ones_are_refused_before_they_are_read():
    refused("json.too-large", b" " * MAX_IDENTITY_DOCUMENT_BYTES + document())
