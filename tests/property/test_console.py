# SPDX-License-Identifier: Apache-2.0
"""Consoles of every kind: what was printed is read through whatever a serial line does, or is said to be missing."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.damage import mutations

from strongroom.errors import FormatError
from strongroom.formats.console import encode_failure, encode_receipt, parse_console
from strongroom.formats.console_model import MAX_REMEDY_CHARACTERS, ConsoleFailure
from strongroom.formats.deny_list import parse_deny_list
from strongroom.formats.pcrs import PcrDigests

DOCUMENTS = st.binary(min_size=1, max_size=1200)
WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
STAMPS = st.tuples(st.integers(0, 99_999), st.integers(0, 999_999)).map(lambda t: f"[{t[0]:5d}.{t[1]:06d}]")
KERNEL = st.tuples(STAMPS, WORDS).map(lambda pair: f"{pair[0]} {pair[1]}\r\n".encode())
HITS = st.lists(st.tuples(st.floats(0, 1), st.lists(KERNEL, min_size=1, max_size=3).map(b"".join)), max_size=40)
PCRS = st.dictionaries(st.integers(0, 31), st.binary(min_size=48, max_size=48), max_size=5)
LISTS = b'{"version": 1, "instances": [{"id": "i-0123abcd", "reason": "x"}], "modules": [], "certificates": []}'


def hit(text: bytes, hits: list[tuple[float, bytes]]) -> bytes:
    """Put each message at its place, a fraction of the text. No message falls into another one."""
    places = sorted((int(where * len(text)), message) for where, message in hits)
    pieces, start = [], 0
    for place, message in places:
        pieces += [text[start:place], message]
        start = place
    return b"".join([*pieces, text[start:]])


def printed_badly(good):
    return mutations(good, places=6, gone=200, new=8)


@given(DOCUMENTS)
def test_what_was_printed_is_read(document):
    assert parse_console(encode_receipt(document)).last_receipt().document == document


@given(DOCUMENTS, HITS)
def test_kernel_messages_are_taken_out_wherever_they_fall(document, hits):
    one_copy = encode_receipt(document)
    text = hit(one_copy[: len(one_copy) // 2].replace(b"\n", b"\r\n"), hits)
    assert parse_console(text).last_receipt().document == document


@given(st.data(), st.binary(min_size=57, max_size=400))
def test_damage_never_makes_another_document(data, document):
    text = data.draw(printed_badly(encode_receipt(document)))
    try:
        found = parse_console(text)
    except FormatError:
        return
    assert {receipt.document for receipt in found.complete} <= {document}
    assert found.complete or found.damaged or found.unreadable or b"strongroom-receipt 1 " not in text


@given(st.text(max_size=MAX_REMEDY_CHARACTERS), PCRS)
@example("[    1.000000] strongroom-receipt 1 } 00000000", {})
def test_failures_are_read_as_they_were_written(remedy, pcrs):
    failure = ConsoleFailure("area.code", remedy.encode("utf-8", "replace").decode(), PcrDigests.of(pcrs))
    assert parse_console(b"x" + encode_failure(failure) + b"y").failures == (failure,)


@pytest.mark.attack("A10")
@given(
    st.one_of(
        st.binary(max_size=300),
        printed_badly(
            encode_receipt(bytes(300)) + encode_failure(ConsoleFailure("a.b", "c", PcrDigests.of({4: bytes(48)})))
        ),
        printed_badly(json.dumps({"InstanceId": "i-0123abcd", "Output": encode_receipt(bytes(90)).decode()}).encode()),
    )
)
def test_no_bytes_do_more_to_the_console_reader_than_a_format_error(data):
    try:
        found = parse_console(data)
        found.last_receipt()
    except FormatError as error:
        assert error.spec


@pytest.mark.attack("A10")
@given(st.one_of(st.binary(max_size=200), mutations(LISTS)))
def test_no_bytes_do_more_to_the_deny_list_reader_than_a_format_error(data):
    try:
        parse_deny_list(data)
    except FormatError as error:
        assert error.spec
