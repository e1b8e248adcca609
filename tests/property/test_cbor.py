# SPDX-License-Identifier: Apache-2.0
"""CBOR against its own inverse, and against cbor2.

cbor2 is lenient: it takes duplicate keys (the last one wins), trailing bytes, tags, floats, longer forms and indefinite
lengths anywhere. So the relation is not equality but this:

- whatever we decode, in either profile, cbor2 decodes to the same value;
- whatever cbor2 makes of our data model, keys in bytewise order, is byte for byte what we encode, and we decode it;
- what cbor2 takes and we refuse differs from the deterministic encoding of its value, or leaves the data model.
"""

import io

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strongroom.errors import FormatError
from strongroom.formats import cbor
from strongroom.formats.cbor import MAX_DEPTH, Kind, Profile, decode, encode

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


@st.composite
def mutated(draw):
    """A good encoding with one to three bytes changed, added or gone: near enough to be parsed for a while."""
    data = bytearray(encode(draw(VALUES)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        end = at + draw(st.integers(0, 2))
        data[at:end] = draw(st.binary(max_size=2))
    return bytes(data)


def plain(item):
    if item.kind is Kind.ARRAY:
        return [plain(child) for child in item.children]
    if item.kind is Kind.MAP:
        return {key.scalar: plain(value) for key, value in item.map()}
    return item.scalar


def refusal(parse, *arguments):
    """Return the FormatError that a parser raises, None if it raises none. Anything else escapes."""
    try:
        parse(*arguments)
    except FormatError as error:
        return error
    return None


def same(ours, theirs):
    """Equality that tells True from 1."""
    if isinstance(ours, list):
        return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in ours)
    return type(ours) is type(theirs) and ours == theirs


def in_bytewise_order(value):
    if isinstance(value, list):
        return [in_bytewise_order(item) for item in value]
    if isinstance(value, dict):
        return {key: in_bytewise_order(value[key]) for key in sorted(value, key=encode)}
    return value


@given(VALUES, PROFILES)
def test_what_we_encode_we_decode(value, profile):
    assert same(plain(decode(encode(value), profile)), value)


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
@given(st.one_of(st.binary(max_size=60), mutated()), PROFILES)
def test_whatever_we_decode_cbor2_decodes_to_the_same_value(data, profile):
    try:
        ours = plain(decode(data, profile))
    except FormatError:
        return
    stream = io.BytesIO(data)
    assert same(ours, cbor2.load(stream))
    assert stream.read() == b""


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


def test_cbor2_is_as_lenient_as_said():
    assert cbor2.loads(bytes.fromhex("a201010102")) == {1: 2}
    assert cbor2.loads(bytes.fromhex("1817")) == 23
    assert cbor2.loads(bytes.fromhex("9f01ff")) == [1]
    for data in ("a201010102", "1817", "9f01ff"):
        with pytest.raises(FormatError):
            decode(bytes.fromhex(data), cbor.Profile.AWS)
