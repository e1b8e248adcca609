# SPDX-License-Identifier: Apache-2.0
import tracemalloc

import pytest
from tests.cbor_difference import plain

from strongroom.errors import FormatError
from strongroom.formats import cbor
from strongroom.formats.cbor import MAX_DEPTH, MAX_INPUT_BYTES, CborItem, Kind, Profile, decode, decode_first, encode

AWS, OURS = Profile.AWS, Profile.DETERMINISTIC
BOTH = pytest.mark.parametrize("profile", [AWS, OURS])


def refused(code, data, profile=AWS, **limits):
    with pytest.raises(FormatError) as caught:
        decode(data, profile, **limits)
    assert caught.value.code == code, caught.value
    return caught.value


@BOTH
@pytest.mark.parametrize(
    ("data", "value"),
    [  # RFC 8949 appendix A, as far as the profiles go
        ("00", 0),
        ("01", 1),
        ("0a", 10),
        ("17", 23),
        ("1818", 24),
        ("1819", 25),
        ("1864", 100),
        ("1903e8", 1000),
        ("1a000f4240", 1_000_000),
        ("1b000000e8d4a51000", 1_000_000_000_000),
        ("1bffffffffffffffff", 2**64 - 1),
        ("3bffffffffffffffff", -(2**64)),
        ("20", -1),
        ("29", -10),
        ("3863", -100),
        ("3903e7", -1000),
        ("f4", False),
        ("f5", True),
        ("f6", None),
        ("40", b""),
        ("4401020304", b"\1\2\3\4"),
        ("60", ""),
        ("6161", "a"),
        ("6449455446", "IETF"),
        ("62225c", '"\\'),
        ("62c3bc", "ü"),
        ("63e6b0b4", "水"),
        ("64f0908591", "𐅑"),
        ("80", []),
        ("83010203", [1, 2, 3]),
        ("8301820203820405", [1, [2, 3], [4, 5]]),
        ("a0", {}),
        ("a201020304", {1: 2, 3: 4}),
        ("a26161016162820203", {"a": 1, "b": [2, 3]}),
        ("826161a161626163", ["a", {"b": "c"}]),
    ],
)
def test_the_examples_of_the_standard(data, value, profile):
    item = decode(bytes.fromhex(data), profile)
    assert plain(item) == value
    assert encode(value) == bytes.fromhex(data)


@pytest.mark.attack("A9")
@BOTH
@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "truncated"),
        ("18", "truncated"),
        ("1900", "truncated"),
        ("41", "truncated"),
        ("81", "truncated"),
        ("a1", "truncated"),
        ("a101", "truncated"),
        ("0000", "trailing-bytes"),
        ("f600", "trailing-bytes"),
        ("1800", "not-shortest"),
        ("1817", "not-shortest"),
        ("190017", "not-shortest"),
        ("1900ff", "not-shortest"),
        ("1a0000ffff", "not-shortest"),
        ("1b00000000ffffffff", "not-shortest"),
        ("3800", "not-shortest"),
        ("5800", "not-shortest"),
        ("780161", "not-shortest"),
        ("9800", "not-shortest"),
        ("b800", "not-shortest"),
        ("1c", "forbidden"),
        ("1d", "forbidden"),
        ("1e", "forbidden"),
        ("1f", "indefinite"),
        ("3f", "indefinite"),
        ("5f4101ff", "indefinite"),
        ("7f6161ff", "indefinite"),
        ("9f01ff", "indefinite"),
        ("ff", "indefinite"),
        ("81ff", "indefinite"),
        ("c074323031332d30332d32315432303a30343a30305a", "forbidden"),
        ("d2f6", "forbidden"),
        ("d818f6", "forbidden"),
        ("f7", "forbidden"),
        ("e0", "forbidden"),
        ("f3", "forbidden"),
        ("f8ff", "forbidden"),
        ("f814", "forbidden"),
        ("f90000", "forbidden"),
        ("f97e00", "forbidden"),
        ("fa47c35000", "forbidden"),
        ("fb3ff199999999999a", "forbidden"),
        ("a201010102", "duplicate-key"),
        ("a2616101616102", "duplicate-key"),
        ("a1410101", "wrong-key"),
        ("a18001", "wrong-key"),
        ("a1a001", "wrong-key"),
        ("a1f501", "wrong-key"),
        ("a1f601", "wrong-key"),
        ("61ff", "not-utf8"),
        ("62c0af", "not-utf8"),
        ("63eda080", "not-utf8"),
    ],
)
def test_everything_else_is_refused_in_both_profiles(data, code, profile):
    error = refused(f"cbor.{code}", bytes.fromhex(data), profile)
    assert error.offset is not None
    assert error.spec == "RFC 8949"


@BOTH
@pytest.mark.parametrize("length", [23, 24, 48, 255, 256])
def test_byte_strings_of_every_form_of_length(profile, length):
    data = b"x" * length
    assert plain(decode(encode([7, data, 8, data]), profile)) == [7, data, 8, data]


@pytest.mark.attack("A9")
def test_one_outermost_map_may_be_indefinite_for_aws_only():
    assert plain(decode(bytes.fromhex("bf6161016162a0ff"), AWS)) == {"a": 1, "b": {}}
    assert plain(decode(b"\xbf\xff", AWS)) == {}
    refused("cbor.indefinite", b"\xbf\xff", OURS)
    refused("cbor.indefinite", b"\x81\xbf\xff", AWS)
    refused("cbor.indefinite", bytes.fromhex("bf6161bfffff"), AWS)
    refused("cbor.odd-map", bytes.fromhex("bf6161ff"), AWS)
    refused("cbor.truncated", bytes.fromhex("bf616101"), AWS)
    refused("cbor.truncated", b"\xbf", AWS)
    refused("cbor.duplicate-key", bytes.fromhex("bf616101616102ff"), AWS)
    refused("cbor.trailing-bytes", b"\xbf\xff\xff", AWS)


def test_keys_stand_in_bytewise_order_in_our_own_formats_only():
    late = bytes.fromhex("a2616201616101")
    assert plain(decode(late, AWS)) == {"b": 1, "a": 1}
    refused("cbor.key-order", late, OURS)
    refused("cbor.key-order", bytes.fromhex("a3030101010201"), OURS)
    assert encode({"b": 1, "a": 1, 10: 2, -1: 3}) == bytes.fromhex("a40a0220036161016162" + "01")


@pytest.mark.attack("A10")
@BOTH
def test_nesting_ends_at_the_limit(profile):
    decode(b"\x81" * MAX_DEPTH + b"\x00", profile)
    refused("cbor.too-deep", b"\x81" * (MAX_DEPTH + 1) + b"\x00", profile)
    refused("cbor.too-deep", b"\x81" * 100_000, profile)
    refused("cbor.too-deep", b"\xa1\x00" * (MAX_DEPTH + 1) + b"\x00", profile)
    refused("cbor.too-deep", b"\x81" * MAX_DEPTH + b"\x80", profile)


@pytest.mark.attack("A10")
@BOTH
@pytest.mark.parametrize("major", [0x40, 0x60, 0x80, 0xA0])
@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**32, 300])
def test_claimed_lengths_cost_nothing(profile, major, length):
    head = cbor._encode_head(major >> 5, length)
    tracemalloc.start()
    assert refused("cbor.truncated", head + b"\x00" * 50, profile).offset == 0  # and not after reading the 50 bytes
    assert tracemalloc.get_traced_memory()[1] < 200_000
    tracemalloc.stop()


@pytest.mark.attack("A10")
def test_the_size_is_bounded_before_anything_is_read():
    refused("cbor.too-large", bytes(11), maximum_bytes=10)
    error = refused("cbor.too-large", bytes(11), maximum_bytes=10, base_offset=7)
    assert error.offset == 7
    assert decode(b"\x49" + bytes(9), AWS, maximum_bytes=10).scalar == bytes(9)


def test_offsets_count_from_the_start_of_the_input():
    item = decode(bytes.fromhex("8201a16161f6"), AWS, base_offset=100)
    first, second = item.array()
    ((key, value),) = second.map()
    assert [item.offset, first.offset, second.offset, key.offset, value.offset] == [100, 101, 102, 103, 105]
    assert refused("cbor.duplicate-key", bytes.fromhex("a201010102"), AWS, base_offset=100).offset == 103


@pytest.mark.parametrize(
    ("data", "code", "offset", "found"),
    [
        ("81", "truncated", 0, "expected 1 more items, found too few"),
        ("830101", "truncated", 0, "expected 3 more items, found too few"),
        ("bf0101", "truncated", 3, "expected another item, found the end"),
        ("82011a0001", "truncated", 2, "expected 4 more bytes, found 2"),
        ("82014301", "truncated", 2, "expected 3 more bytes, found 1"),
        ("820161", "truncated", 2, "expected 1 more bytes, found 0"),
        ("820158", "truncated", 2, "expected 1 more bytes, found 0"),
        ("8201581800", "truncated", 2, "expected 24 more bytes, found 1"),
        ("82015818" + "00" * 23, "truncated", 2, "expected 24 more bytes, found 23"),
        ("82015817" + "00" * 23, "not-shortest", 2, "expected the shortest form"),
        ("8201581700", "not-shortest", 2, "expected the shortest form"),
        ("82011800", "not-shortest", 2, "expected the shortest form"),
        ("8201f7", "forbidden", 2, "forbidden initial byte 0xf7"),
        ("82019fff", "indefinite", 2, "expected a definite length"),
        ("820161ff", "not-utf8", 2, "expected UTF-8"),
        ("8201f600", "trailing-bytes", 3, "expected the end, found more"),
        ("8201" + "81" * MAX_DEPTH + "01", "too-deep", 2 + MAX_DEPTH - 1, f"at most {MAX_DEPTH} levels"),
        ("8201a14001", "wrong-key", 3, "found a byte string"),
        ("8201a201010102", "duplicate-key", 5, "duplicate key 1"),
        ("8201a3010103010201", "key-order", 7, "found 2 late"),
        ("bf01ff", "odd-map", 2, "found the end of the map"),
    ],
)
def test_a_refusal_says_where_and_what_was_found(data, code, offset, found):
    profile = OURS if code == "key-order" else AWS
    error = refused(f"cbor.{code}", bytes.fromhex(data), profile, base_offset=100)
    assert error.offset == 100 + offset
    assert found in error.message


@pytest.mark.parametrize("data", ["a10101", "a0", "80", "8101", "01", "20", "41ff", "6161", "f6"])
def test_every_item_knows_where_it_stands(data):
    assert decode(bytes.fromhex(data), AWS, base_offset=100).offset == 100
    assert decode(bytes.fromhex("8201" + data), AWS, base_offset=100).array()[1].offset == 102
    assert decode(bytes.fromhex("bf01" + data + "ff"), AWS, base_offset=100).offset == 100


RANGES = (  # RFC 8949 appendix B: first byte of a major type, and how it is read
    (0x00, cbor._Decoder.unsigned, cbor._Decoder.indefinite),
    (0x20, cbor._Decoder.negative, cbor._Decoder.indefinite),
    (0x40, cbor._Decoder.byte_string, cbor._Decoder.indefinite),
    (0x60, cbor._Decoder.text_string, cbor._Decoder.indefinite),
    (0x80, cbor._Decoder.array, cbor._Decoder.indefinite),
    (0xA0, cbor._Decoder.map, cbor._Decoder.indefinite_map),
)


def test_every_initial_byte_is_read_as_the_standards_table_says():
    rest = dict.fromkeys(range(256), (cbor._Decoder.forbidden, 0, 0))
    for first, read, without_length in RANGES:
        rest |= {first + small: (read, small, 0) for small in range(24)}
        widths = ((0x18, 1, 24), (0x19, 2, 1 << 8), (0x1A, 4, 1 << 16), (0x1B, 8, 1 << 32))
        rest |= {first + info: (read, least, width) for info, width, least in widths}
        rest[first + 0x1F] = (without_length, 0, 0)
    rest |= {0xE0 + value: (cbor._Decoder.simple, value, 0) for value in (20, 21, 22)}
    rest[0x58] = (cbor._Decoder.short_byte_string, 24, 0)
    rest |= {0xDF: (cbor._Decoder.indefinite, 0, 0), 0xFF: (cbor._Decoder.stop, 0, 0)}
    assert [cbor._head(byte) for byte in range(256)] == list(rest.values()) == list(cbor._HEADS)


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (CborItem.uint, Kind.UNSIGNED),
        (CborItem.integer, Kind.UNSIGNED),
        (CborItem.bytes, Kind.BYTES),
        (CborItem.text, Kind.TEXT),
        (CborItem.boolean, Kind.BOOL),
        (CborItem.array, Kind.ARRAY),
        (CborItem.map, Kind.MAP),
    ],
)
def test_each_accessor_reads_one_type(read, kind):
    examples = {
        Kind.UNSIGNED: 7,
        Kind.NEGATIVE: -7,
        Kind.BYTES: b"b",
        Kind.TEXT: "t",
        Kind.BOOL: True,
        Kind.ARRAY: [],
        Kind.MAP: {},
        Kind.NULL: None,
    }
    allowed = {kind, Kind.NEGATIVE} if read is CborItem.integer else {kind}
    for other, value in examples.items():
        item = decode(encode(value), AWS, base_offset=9)
        if other in allowed:
            read(item)
            continue
        with pytest.raises(FormatError) as caught:
            read(item)
        assert (caught.value.code, caught.value.offset) == ("cbor.wrong-type", 9)


def test_integers_of_both_signs_are_read():
    assert decode(encode(-7), AWS).integer() == -7
    assert decode(encode(7), AWS).integer() == 7
    assert decode(encode(True), AWS).boolean() is True
    assert decode(encode(None), AWS).is_null()
    assert not decode(encode(0), AWS).is_null()


@pytest.mark.parametrize("value", [b"abc", "abc", [1, 2, 3]])
def test_lengths_are_bounded_on_both_sides(value):
    item = decode(encode(value), AWS, base_offset=7)
    read = {bytes: item.bytes, str: item.text, list: item.array}[type(value)]
    read(minimum=3, maximum=3)
    for bounds in ({"minimum": 4}, {"maximum": 2}):
        with pytest.raises(FormatError) as caught:
            read(**bounds)
        assert (caught.value.code, caught.value.offset) == ("cbor.wrong-length", 7)
        least, most = bounds.get("minimum", 0), bounds.get("maximum", MAX_INPUT_BYTES)
        assert f"of length {least} to {most}, found length 3" in caught.value.message


def test_a_record_has_all_it_must_and_nothing_unknown():
    item = decode(encode({"a": 1, "b": 2}), AWS, base_offset=10)
    assert set(item.record(["a"], ["b", "c"])) == {"a", "b"}
    for required, code, offset in ((["a", "b", "c"], "cbor.missing-key", 10), (["a"], "cbor.unknown-key", 14)):
        with pytest.raises(FormatError) as caught:
            item.record(required)
        assert (caught.value.code, caught.value.offset) == (code, offset)
    with pytest.raises(FormatError):
        decode(encode({1: 2}), AWS).record([], ["1"])


def test_only_values_of_the_data_model_are_encoded():
    for value in (1.5, {1, 2}, object(), [1.5], {"a": 1.5}):
        with pytest.raises(TypeError):
            encode(value)
    with pytest.raises(OverflowError):
        encode(2**64)
    with pytest.raises(OverflowError):
        encode(-(2**64) - 1)


def test_the_first_item_is_read_and_what_follows_is_not_looked_at():
    first = encode({"a": [1, b"two"]})
    for behind in (b"", b"\x00", b"\xff" * 9, b"\x1c"):
        item, took = decode_first(first + behind, AWS)
        assert (plain(item), took) == ({"a": [1, b"two"]}, len(first))
    for size in range(len(first)):
        with pytest.raises(FormatError) as caught:
            decode_first(first[:size], AWS)
        assert caught.value.code == "cbor.truncated"


def test_the_buffer_of_a_first_item_is_bounded_too():
    assert decode_first(b"\x00" * MAX_INPUT_BYTES, AWS)[1] == 1
    with pytest.raises(FormatError) as caught:
        decode_first(b"\x00" * (MAX_INPUT_BYTES + 1), AWS)
    assert caught.value.code == "cbor.too-large"
