# SPDX-License-Identifier: Apache-2.0
"""Consoles in the forms in which people save them. tests/conformance/test_saved_consoles.py asks the AWS CLI itself."""

import base64
import codecs
import json

import pytest
from tests.nitro_pki import document

from strongroom.errors import FormatError
from strongroom.formats.console_text import MAX_CONSOLE_BYTES, in_one_line, is_console, read_console_text
from strongroom.formats.file_kind import FileKind, guess_kind

INSTANCE = "i-0123456789abcdef0"
TEXT = (
    b"[    0.000000] Linux version 6.1.0\r\n\x1b[0;32m  OK  \x1b[0m caf\xc3\xa9\r\n"
    b"strongroom-receipt 1 00000000 1/1 QQ== 00000000\r\n"
)
ANSWER = {"InstanceId": INSTANCE, "Timestamp": "2026-06-01T12:00:00.000Z", "Output": TEXT.decode()}


def as_json(**changes):
    return json.dumps({key: value for key, value in (ANSWER | changes).items() if value is not ...}).encode()


def refused(code, data):
    with pytest.raises(FormatError) as caught:
        read_console_text(data)
    assert caught.value.code == code, caught.value
    return caught.value


@pytest.mark.parametrize(
    ("saved", "instance"),
    [
        (TEXT, None),
        (codecs.BOM_UTF8 + TEXT, None),
        (codecs.BOM_UTF16_LE + TEXT.decode().encode("utf-16-le"), None),
        (codecs.BOM_UTF16_BE + TEXT.decode().encode("utf-16-be"), None),
        (as_json(), INSTANCE),
        (b"\n " + as_json(), INSTANCE),
        (as_json(InstanceId=...), None),
        (as_json(Output=base64.b64encode(TEXT).decode()), INSTANCE),
        (codecs.BOM_UTF16_LE + as_json().decode().encode("utf-16-le"), INSTANCE),
        (json.dumps(TEXT.decode()).encode(), None),
        (json.dumps(base64.b64encode(TEXT).decode()).encode(), None),
        (base64.b64encode(TEXT), None),
        (base64.encodebytes(TEXT).replace(b"\n", b"\r\n"), None),
    ],
)
def test_a_console_is_the_same_in_whatever_form_it_was_saved(saved, instance):
    found = read_console_text(saved)
    assert found.text == TEXT
    assert found.instance_id == instance
    assert is_console(saved)


def test_text_output_begins_with_the_instance_and_ends_with_the_time():
    found = read_console_text(INSTANCE.encode() + b"\t" + TEXT + b"\t2026-06-01T12:00:00.000Z\n")
    assert found.text == TEXT + b"\t2026-06-01T12:00:00.000Z\n"
    assert found.instance_id == INSTANCE
    assert read_console_text(b"x" + INSTANCE.encode() + b"\t" + TEXT).instance_id is None


@pytest.mark.parametrize(
    "text",
    [
        b'{"level":"info"} a log line where EC2 had cut the front\n' + TEXT,
        b'"quoted" as the first word\n' + TEXT,
        b'{"a":1,"a":2}' + TEXT,
        b"{\n" + TEXT,
        b"-----BEGIN SSH HOST KEY FINGERPRINTS-----\n" + TEXT,
        b"QUJD\n" * 4 + TEXT,
        b"A" * 65,
        b"QUJDREVG",
    ],
)
def test_text_that_begins_like_another_form_is_text(text):
    assert read_console_text(text).text == text


def test_json_of_another_kind_is_no_console():
    data = b'{"Measurements": {"PCR4": "00"}}'
    assert read_console_text(data).text == data
    assert not is_console(data)


@pytest.mark.parametrize(
    "saved",
    [b" \r\n\n", as_json(Output=""), as_json(Output=...), b'""', as_json(Output=base64.b64encode(b"\n" * 60).decode())],
)
def test_a_console_without_output_says_what_to_do(saved):
    assert "--latest" in refused("console.empty", saved).remedy


@pytest.mark.parametrize("changes", [{"Output": 1}, {"Output": None}, {"InstanceId": "i-1"}, {"InstanceId": 7}])
def test_json_of_wrong_types_is_refused(changes):
    with pytest.raises(FormatError):
        read_console_text(as_json(**changes))


@pytest.mark.attack("A10")
def test_a_larger_file_is_refused_before_it_is_read():
    assert len(read_console_text(b"[    0.000000] " + b"x" * (MAX_CONSOLE_BYTES - 15)).text) == MAX_CONSOLE_BYTES
    assert refused("console.too-large", b"[    0.000000] " + b"x" * MAX_CONSOLE_BYTES).offset == MAX_CONSOLE_BYTES


@pytest.mark.attack("A11")
@pytest.mark.parametrize(
    "data",
    [
        document(user_data=b"strongroom-receipt 1 00000000 1/1 QQ== 00000000"),
        b"\xd2" + document(user_data=TEXT),
        b"\x7fELF" + TEXT,
        b"MZ" + TEXT,
        b"hello there, world",
        b"\x00\xff" * 100,
        base64.b64encode(document()),
    ],
)
def test_what_holds_the_words_of_a_record_inside_something_else_is_no_console(data):
    assert not is_console(data)


def test_a_console_is_named_by_its_first_bytes():
    for head in (TEXT, as_json(), b"SeaBIOS\r\n\x1b[2J" + TEXT, b"x" * 7000 + TEXT, b"strongroom-failure 1 {}"):
        assert guess_kind(head) is FileKind.CONSOLE
    assert guess_kind(b"a word " * 1500 + TEXT) is FileKind.TEXT
    assert is_console(b"a word " * 1500 + TEXT), "the whole file is looked at"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (b"one\r\ntwo\n", b"onetwo"),
        (b"[    1.000000] kernel\nours", b"ours"),
        (b"ab[    1.000000] kernel\r\ncd\n", b"abcd"),
        (b"ab[12345.000000][    T1] kernel\ncd", b"abcd"),
        (b"[    1.000000] strongroom-receipt 1 x\n", b"[    1.000000] strongroom-receipt 1 x"),
        (b"[    1.0] a: strongroom-receipt 1 ab[    2.000000] k\ncd", b"[    1.0] a: strongroom-receipt 1 abcd"),
        (b"strongroom-rec[    1.000000] kernel\neipt 1 x", b"strongroom-receipt 1 x"),
        (b"[  1.5] [ 1.1234567] [x.000000] not a time", b"[  1.5] [ 1.1234567] [x.000000] not a time"),
        (b"\x1b[0;32m  OK  \x1b[0m\x1b]0;title\x07\x1b]0;t\x1b\\\x1b(B\x1bc!", b"  OK  !"),
        (b"a\0b\tc\rd\x7f\x1b", b"abcd"),
    ],
)
def test_what_others_wrote_into_lines_is_taken_out(text, left):
    assert in_one_line(text) == left
