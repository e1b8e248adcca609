# SPDX-License-Identifier: Apache-2.0
"""CBOR against its own inverse, and against cbor2.

cbor2 is lenient, so the relation is not equality but that of tests/cbor_difference.py: what we decode, it decodes to
the same value; what only it decodes, we refuse with a code that stands in a table, with the reason. And whatever cbor2
makes of our data model, keys in bytewise order, is byte for byte what we encode.
"""

import re
from functools import partial
from pathlib import Path

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests import cbor_difference, nitro_pki
from tests.cbor_difference import ACCEPTED, expect_accounted_for, plain, same
from tests.damage import mutations, refusal

from strongroom.errors import FormatError
from strongroom.formats.cbor import MAX_DEPTH, MAX_INPUT_BYTES, Profile, decode, encode

SCALARS = st.one_of(
    st.integers(-(2**64), 2**64 - 1), st.binary(max_size=70), st.text(max_size=30), st.booleans(), st.none()
)
KEYS = st.one_of(st.integers(-(2**64), 2**64 - 1), st.text(max_size=30))


def nested(levels):
    if levels == 0:
        return SCALARS
    inner = nested(levels - 1)
    return st.one_of(SCALARS, st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4))


VALUES = nested(MAX_DEPTH)
PROFILES = st.sampled_from(Profile)
ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests/fuzz/corpus"
PAGE = ROOT / "docs/adr/0002-own-strict-cbor.md"


def mutated():
    """Return good encodings, changed so little that they are parsed for a while."""
    return VALUES.map(encode).flatmap(partial(mutations, gone=2, new=2))


def mutated_documents():
    documents = st.sampled_from([nitro_pki.payload(), nitro_pki.document(), nitro_pki.raw_document()])
    return documents.flatmap(partial(mutations, gone=2, new=2))


def in_bytewise_order(value):
    if isinstance(value, list):
        return [in_bytewise_order(item) for item in value]
    if isinstance(value, dict):
        return {key: in_bytewise_order(value[key]) for key in sorted(value, key=encode)}
    return value


@given(VALUES, PROFILES)
def test_what_we_encode_we_decode(value, profile):
    assert same(plain(decode(encode(value), profile)), in_bytewise_order(value))


@given(st.one_of(st.binary(max_size=60), mutated()))
def test_what_the_deterministic_profile_decodes_encodes_to_the_same_bytes(data):
    try:
        item = decode(data, Profile.DETERMINISTIC)
    except FormatError:
        return
    assert encode(plain(item)) == data


@given(st.one_of(st.binary(max_size=60), mutated()), PROFILES)
@example(b"\x81" * 100_000, Profile.AWS)
def test_any_bytes_decode_or_are_malformed(data, profile):
    error = refusal(decode, data, profile)
    assert error is None or 0 <= error.offset <= len(data)


@pytest.mark.attack("A9")
@given(st.one_of(st.binary(max_size=60), mutated(), mutated_documents()), PROFILES)
def test_cbor2_decodes_the_same_or_more_in_ways_that_are_listed(data, profile):
    expect_accounted_for(data, profile)


@pytest.mark.attack("A9")
@pytest.mark.parametrize("profile", Profile)
def test_cbor2_differs_on_no_kept_input_of_any_fuzzer_but_as_listed(profile):
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    assert len(files) > 400
    for path in files:
        expect_accounted_for(path.read_bytes(), profile)


@given(VALUES)
def test_we_encode_as_cbor2_does_with_keys_in_bytewise_order(value):
    assert encode(value) == cbor2.dumps(in_bytewise_order(value))


@pytest.mark.attack("A9")
@given(mutated())
def test_what_only_cbor2_takes_is_no_deterministic_encoding_of_our_data_model(data):
    try:
        decode(data, Profile.DETERMINISTIC)
    except FormatError:
        pass
    else:
        return
    try:
        theirs = cbor2.loads(data)
        again = encode(theirs)
    except (cbor2.CBORDecodeError, TypeError, OverflowError, ValueError):
        return  # neither takes it, or it leaves our data model
    if again == data:
        with pytest.raises(FormatError) as caught:
            decode(data, Profile.DETERMINISTIC)
        assert caught.value.code in ("cbor.too-deep", "cbor.wrong-key")


EXAMPLES = {
    "cbor.duplicate-key": (bytes.fromhex("a201010102"), {1: 2}),
    "cbor.forbidden": (bytes.fromhex("f93c00"), 1.0),
    "cbor.indefinite": (bytes.fromhex("9f01ff"), [1]),
    "cbor.key-order": (bytes.fromhex("a202010102"), {2: 1, 1: 2}),
    "cbor.not-shortest": (bytes.fromhex("1817"), 23),
    "cbor.too-deep": (bytes.fromhex("818181818101"), [[[[[1]]]]]),
    "cbor.too-large": (b"\x5a" + MAX_INPUT_BYTES.to_bytes(4) + bytes(MAX_INPUT_BYTES), bytes(MAX_INPUT_BYTES)),
    "cbor.trailing-bytes": (bytes.fromhex("0102"), 1),
    "cbor.wrong-key": (bytes.fromhex("a1f501"), {True: 1}),
}


@pytest.mark.parametrize("code", ACCEPTED)
def test_each_listed_difference_is_one(code):
    data, value = EXAMPLES[code]
    assert same(value, cbor2.loads(data))
    error = refusal(decode, data, Profile.DETERMINISTIC)
    assert error is not None
    assert error.code == code


def test_the_list_is_that_of_the_documentation():
    rows = re.findall(r"^\| `(cbor\.[a-z0-9-]+)` \| (.+?) \| .+ \|$", PAGE.read_text(), re.MULTILINE)
    assert dict(rows) == dict(ACCEPTED)


@pytest.mark.parametrize(
    ("ours", "data", "complaint"),
    [
        (FormatError("cbor.unlisted", "refused"), b"\x01", "refuse with cbor.unlisted"),
        (b"\x02", b"\x01", "different values"),
        (b"\xf5", b"\x01", "different values"),
        (b"\xa2\x01\x01\x02\x02", b"\xa2\x02\x02\x01\x01", "different values"),
        (b"\x01", b"\x01\x01", "reads less"),
    ],
    ids=["an unlisted code", "another value", "another type", "another order", "trailing bytes"],
)
def test_a_difference_that_is_not_listed_fails(ours, data, complaint, monkeypatch):
    def wrong(data, profile):
        if isinstance(ours, FormatError):
            raise ours
        return decode(ours, Profile.AWS)

    monkeypatch.setattr(cbor_difference, "decode", wrong)
    with pytest.raises(AssertionError, match=complaint):
        expect_accounted_for(data, Profile.DETERMINISTIC)
