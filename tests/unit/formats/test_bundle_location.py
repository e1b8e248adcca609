# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from strongroom.errors import FormatError
from strongroom.formats.bundle_location import MAX_USER_DATA_BYTES, S3Place, parse_bundle_location

pytestmark = [pytest.mark.attack("B14"), pytest.mark.attack("B15")]


def user_data(place: object, **more: object) -> bytes:
    return json.dumps({"strongroom": {"bundles": place, **more}}).encode()


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_bundle_location(data)
    return caught.value.code


@pytest.mark.parametrize(
    ("text", "bucket", "prefix"),
    [
        ("s3://acme-releases", "acme-releases", ""),
        ("s3://acme-releases/", "acme-releases", ""),
        ("s3://acme.releases/globex", "acme.releases", "globex/"),
        ("s3://acme/globex/v1.2/", "acme", "globex/v1.2/"),
    ],
)
def test_a_place_is_a_bucket_and_folders(text, bucket, prefix):
    place = parse_bundle_location(user_data(text))
    assert place == S3Place(bucket, prefix)
    assert place.key_of("db.bundle") == f"{prefix}db.bundle"


def test_the_region_of_the_bucket_may_be_said():
    assert parse_bundle_location(user_data("s3://acme", region="us-east-1")).region == "us-east-1"


def test_other_parts_of_user_data_are_for_others():
    data = json.dumps(
        {"app": {"key": "arn:aws:kms:eu-central-1:666666666666:key/x"}, "strongroom": {"bundles": "s3://abc"}}
    )
    assert parse_bundle_location(data.encode()) == S3Place("abc", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://evil.example.com/x",
        "file:///etc",
        "s3:/acme",
        "s3://ab",
        "s3://Acme",
        "s3://-acme",
        "s3://acme-",
        "s3://ac..me",
        "s3://" + "a" * 64,
        "s3://acme//x",
        "s3://acme/../x",
        "s3://acme/./x",
        "s3://acme/x/..",
        "s3://acme/x?versionId=1",
        "s3://acme/x#y",
        "s3://acme/%2e%2e",
        "s3://acme/a b",
        "s3://acme/\u00e4",
        "s3://acme@evil.example.com/x",
        "s3://acme:443/x",
        "s3://acme" + "/x" * 17,
        "s3://acme/x\r\nHost: evil",
    ],
)
def test_nothing_else_is_a_place(text):
    assert code_of(user_data(text)) in {"field.pattern", "field.length", "field.control-character"}


@pytest.mark.parametrize(
    "more", [{"key": "arn:aws:kms:eu-central-1:666666666666:key/x"}, {"kms": "https://127.0.0.1"}, {"trust": {}}]
)
def test_user_data_that_would_say_more_than_a_place_are_refused(more):
    assert code_of(user_data("s3://acme", **more)) == "field.unknown"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "json.syntax"),
        (b"#cloud-config\nruncmd: [id]\n", "json.syntax"),
        (b"#!/bin/sh\nid\n", "json.syntax"),
        (b"[]", "field.wrong-type"),
        (b"{}", "field.missing"),
        (b'{"strongroom": 1}', "field.wrong-type"),
        (b'{"strongroom": {}}', "field.missing"),
        (b'{"strongroom": {"bundles": "s3://acme"}, "strongroom": {"bundles": "s3://evil"}}', "json.duplicate-key"),
        (user_data(["s3://acme"]), "field.wrong-type"),
        (user_data("s3://acme", region="kms.evil.com"), "field.pattern"),
        (user_data("s3://acme") + b" " * MAX_USER_DATA_BYTES, "json.too-large"),
        (b"\x1f\x8b\x08\x00", "json.not-utf8"),
    ],
)
def test_user_data_with_one_fault_are_refused_for_that_fault(data, code):
    assert code_of(data) == code
