# SPDX-License-Identifier: Apache-2.0
"""Option values in the AWS CLI's spelling; its own shorthand parser says what each map means."""

import base64
import json
import os
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.cli.aws_values import read_blob, read_map, region_of
from strongroom.errors import FormatError, LocalFault, StrongroomError, UsageError

BLOB = bytes(range(200))


@pytest.fixture(scope="module")
def theirs():
    """The AWS CLI's reading of shorthand. To load it changes the environment (AWS_DATA_PATH), for us to put back."""
    with mock.patch.dict(os.environ):
        from awscli.shorthand import ShorthandParser  # type: ignore[import-untyped]
    return lambda value: ShorthandParser().parse(value)


def blob(value, maximum=6144):
    return read_blob("--ciphertext-blob", value, maximum_bytes=maximum)


def context(value):
    return read_map("--encryption-context", value)


def refused(kind, code, call, *arguments):
    with pytest.raises(kind) as caught:
        call(*arguments)
    assert caught.value.code == code
    return caught.value


def test_a_blob_is_base64_text_or_a_file_of_bytes_or_of_base64(tmp_path, monkeypatch):
    text = base64.b64encode(BLOB).decode()
    (tmp_path / "bytes").write_bytes(BLOB)
    (tmp_path / "text").write_text(f"{text[:76]}\n{text[76:]}\n")
    assert blob(text) == blob(f"{text}\n") == BLOB
    assert blob(f"fileb://{tmp_path}/bytes") == blob(f"file://{tmp_path}/text") == BLOB
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert blob("fileb://bytes") == blob("fileb://~/bytes") == BLOB


@pytest.mark.parametrize("value", ["/tmp/ct.bin", "ct.bin", "AQICAHh=x", "AAA", "file:/ct", "ä"])
def test_what_is_no_base64_is_told_how_files_are_named(value):
    assert "fileb://PATH" in refused(UsageError, "usage.blob", blob, value).remedy


@pytest.mark.parametrize("value", ["", "AAAA" * 3])
def test_the_size_of_a_blob_is_bounded(value):
    refused(UsageError, "usage.blob", blob, value, 8)


def test_what_is_wrong_with_a_file_is_said_as_everywhere(tmp_path):
    refused(LocalFault, "file.missing", blob, f"fileb://{tmp_path}/none")
    (tmp_path / "bytes").write_bytes(bytes([0xFF]) * 9)
    refused(FormatError, "file.too-large", blob, f"fileb://{tmp_path}/bytes", 8)
    refused(UsageError, "usage.not-text", blob, f"file://{tmp_path}/bytes")
    refused(LocalFault, "file.missing", blob, "fileb://~nobody-of-this-name/ct")


@pytest.mark.parametrize(
    "value",
    [
        "a=b",
        "strongroom:tenant=acme,strongroom:epoch=1",
        "a=",
        "a=,b=c",
        "a.b#/-_=c==",
        "A=x/y@z+%*:.#-_",
        "a=b,c=d,e=f",
    ],
)
def test_the_shorthand_means_what_it_means_to_the_aws_cli(theirs, value):
    assert context(value) == theirs(value)


@given(st.text("ab1=,:.#/-_@+%* '\"\\[]{}~!", max_size=12))
def test_no_shorthand_is_read_in_another_way_than_the_aws_cli_reads_it(theirs, value):
    try:
        found = context(value)
    except StrongroomError:
        return
    if not value.startswith("{"):
        assert found == theirs(value)


@pytest.mark.parametrize(
    "value", ["a", "=b", "a=b c", "a='b'", 'a="b"', "a=[b]", "a=b,", ",a=b", "a=b,c", "a==b", "[]", ""]
)
def test_what_needs_quoting_is_asked_for_as_json(value):
    assert "JSON" in refused(UsageError, "usage.map", context, value).message


def test_a_key_that_stands_twice_is_refused_in_both_forms():
    refused(UsageError, "usage.map", context, "a=b,a=c")
    refused(FormatError, "json.duplicate-key", context, '{"a": "b", "a": "c"}')


def test_a_map_may_be_json_on_the_command_line_or_in_a_file(tmp_path):
    wanted = {"key, with": "spaces and = signs", "": "x"}
    assert context(json.dumps(wanted)) == context(f"  {json.dumps(wanted)}\n") == wanted
    (tmp_path / "context").write_text(json.dumps(wanted))
    assert context(f"file://{tmp_path}/context") == wanted
    refused(FormatError, "field.wrong-type", context, '{"a": 1}')
    refused(FormatError, "json.not-utf8", context, '{"a": "\udcff"}')


@pytest.mark.parametrize(
    ("key", "region"),
    [
        ("arn:aws:kms:eu-north-1:111111111111:key/1234", "eu-north-1"),
        ("arn:aws-us-gov:kms:us-gov-west-1:111111111111:alias/x", "us-gov-west-1"),
        ("alias/x", None),
        ("1234abcd-12ab-34cd-56ef-1234567890ab", None),
        ("arn:aws:s3:eu-north-1:111111111111:key/1234", None),
        ("", None),
    ],
)
def test_the_region_is_in_the_arn(key, region):
    assert region_of(key) == region
