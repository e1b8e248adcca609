# SPDX-License-Identifier: Apache-2.0
import json
import tracemalloc

import pytest

from strongroom.errors import FormatError
from strongroom.formats.strict_json import parse


def refusal(data: bytes) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse(data, maximum_bytes=1_000, spec="a test")
    return caught.value


@pytest.mark.parametrize(
    ("data", "code", "offset"),
    [
        (b" " * 1_001, "json.too-large", None),
        (b'{"a": "\xff"}', "json.not-utf8", 7),
        ('{"ä": x}'.encode(), "json.syntax", 7),
        (b"{} {}", "json.syntax", 3),
        (b"[NaN]", "json.number", None),
        (b"[-Infinity]", "json.number", None),
        (b"[1234567890123456789]", "json.number", None),
    ],
)
def test_text_with_one_fault_is_refused_for_that_fault(data, code, offset):
    error = refusal(data)
    assert (error.code, error.offset) == (code, offset)


def test_what_is_no_json_at_all_is_named():
    error = refusal(b"-----BEGIN CERTIFICATE-----")
    assert (error.code, error.offset) == ("json.syntax", None)
    assert error.message == "expected JSON, found what looks like a PEM certificate"


@pytest.mark.parametrize(
    "text", ["00", "0" * 7, "0" * 9, "00 00 00", "0000000G", "ABCDEF01", "0000000\u0661", "00000000\n"]
)
def test_hex_is_as_long_as_it_should_be_and_lower_case(text):
    assert parse(b'"abcdef01"', maximum_bytes=1_000, spec="a test").hex(size_bytes=4) == b"\xab\xcd\xef\x01"
    with pytest.raises(FormatError, match="expected 8 lower-case hex digits, found") as caught:
        parse(json.dumps(text).encode(), maximum_bytes=1_000, spec="a test").hex(size_bytes=4)
    assert caught.value.code == "field.pattern"


def test_nesting_beyond_reason_is_refused():
    with pytest.raises(FormatError) as caught:
        parse(b"[" * 100_000, maximum_bytes=200_000, spec="a test")
    assert caught.value.code == "json.too-deep"


@pytest.mark.attack("A9")
@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b'{"a": 1, "a": 1}', "$:"),
        (b'{"a": 1, "\\u0061": 2}', "$:"),
        (b'{"a": [1, {"b c": {"d": 1, "d": 2}}]}', "$.a[1]['b c']:"),
        (b'[{"a": {"b": 1, "b": 2}, "a": 3}]', "$[0]:"),
        (b'[{"a": 1, "a": 2}, {"a": 1, "a": 2}]', "$[1]:"),
    ],
)
def test_a_key_that_stands_twice_is_refused_wherever_it_stands_and_its_place_is_named(data, place):
    error = refusal(data)
    assert error.code == "json.duplicate-key"
    assert error.message.startswith(place)


def test_fractions_parse_and_no_accessor_returns_one():
    node = parse(b"[0.5]", maximum_bytes=10, spec="a test").items()[0]
    for accessor in (node.string, node.text, node.table, node.items, lambda: node.integer(0, 1)):
        with pytest.raises(FormatError) as caught:
            accessor()
        assert caught.value.code == "field.wrong-type"


def test_untrusted_names_are_shown_short_and_without_control_characters():
    error = parse(b'{"\\u001b[2J' + b"x" * 500 + b'": 1}', maximum_bytes=1_000, spec="a test")
    with pytest.raises(FormatError) as caught:
        error.record(())
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_key_that_stands_twice_is_found_wherever_it_is():
    assert refusal(b'[[], {"a": [0, {"b": 1, "b": 2}]}]').message.startswith("$[1].a[1]: the key 'b'")


@pytest.mark.attack("A10")
def test_the_place_of_a_key_deep_inside_takes_little_memory():
    depth = 600
    data = b"[" * depth + b"0," * 30_000 + b'{"a":1,"a":1}' + b"]" * depth
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            parse(data, maximum_bytes=len(data), spec="a test")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
