# SPDX-License-Identifier: Apache-2.0
"""BER as KMS writes it, and nothing else."""

import pytest

from strongroom.errors import FormatError
from strongroom.formats.ber import MAX_DEPTH, MAX_ELEMENTS, OID, SEQUENCE, encode_definite, encode_indefinite, parse_ber


def refused(data: bytes, *, maximum_bytes: int = 6144) -> FormatError:
    with pytest.raises(FormatError) as caught:
        parse_ber(data, maximum_bytes=maximum_bytes)
    return caught.value


def test_definite_and_indefinite_elements_nest():
    data = encode_indefinite(0x30, encode_definite(0x04, b"x" * 200) + encode_definite(0x31, b"\x05\x00"))
    root = parse_ber(data, maximum_bytes=6144)
    assert [child.tag for child in root.children] == [0x04, 0x31]
    assert root.children[0].content == b"x" * 200
    assert root.children[1].children[0].raw == b"\x05\x00"
    assert root.raw == data
    assert root.children[1].offset == 2 + 203


@pytest.mark.parametrize(
    ("data", "code", "offset"),
    [
        (b"", "ber.truncated", 0),
        (b"\x04", "ber.truncated", 1),
        (b"\x04\x02a", "ber.truncated", 0),
        (b"\x30\x80\x04\x01a", "ber.truncated", 5),
        (b"\x30\x03\x04\x02a", "ber.truncated", 2),
        (b"\x1f\x01a", "ber.tag", 0),
        (b"\x00\x00", "ber.tag", 0),
        (b"\x04\x80a\x00\x00", "ber.length", 0),
        (b"\x04\x84\x01\x00\x00\x00a", "ber.length", 1),
        (b"\x04\x81\x01a", "ber.length", 1),
        (b"\x04\x82\x00\x80" + bytes(128), "ber.length", 1),
        (b"\x30\x03\x04\x02ab", "ber.overrun", 6),
        (b"\x04\x01ab", "ber.trailing-bytes", 3),
    ],
)
def test_other_encodings_are_refused_where_they_stand(data, code, offset):
    error = refused(data)
    assert (error.code, error.offset) == (code, offset)


def test_size_depth_and_number_of_elements_are_bounded():
    assert refused(bytes(11), maximum_bytes=10).code == "ber.too-large"
    assert refused(b"\x30\x80" * (MAX_DEPTH + 1)).code == "ber.too-complex"
    assert refused(encode_definite(0x30, b"\x05\x00" * MAX_ELEMENTS)).code == "ber.too-complex"


MESSAGE = parse_ber(
    encode_definite(SEQUENCE, encode_definite(OID, b"\x2a") + b"\x05\x00"), maximum_bytes=100, spec="RFC 5652"
)


def test_members_are_handed_out_to_whoever_names_their_tags():
    kind, null = MESSAGE.unpack(SEQUENCE, (OID, 0x05))
    kind.expect_content(b"\x2a", "iso.member-body")
    assert (kind.offset, null.offset) == (2, 5)
    assert MESSAGE.open(SEQUENCE, minimum=1, maximum=2) == (kind, null)


@pytest.mark.parametrize(
    ("read", "code", "offset", "words"),
    [
        (lambda m: m.unpack(0x31, (OID, 0x05)), "ber.wrong-tag", 0, "expected the tag 0x31, found 0x30"),
        (lambda m: m.unpack(SEQUENCE, (OID, OID)), "ber.wrong-tag", 5, "expected the tag 0x06, found 0x05"),
        (lambda m: m.unpack(SEQUENCE, (OID,)), "ber.members", 0, "expected 1 members, found 2"),
        (lambda m: m.open(SEQUENCE, minimum=3, maximum=4), "ber.members", 0, "expected 3 to 4 members, found 2"),
        (lambda m: m.open(SEQUENCE, minimum=0, maximum=1), "ber.members", 0, "expected 0 to 1 members, found 2"),
        (lambda m: m.children[0].expect_content(b"\x2b", "another"), "ber.wrong-content", 2, "another, found 2a"),
    ],
)
def test_a_message_put_together_otherwise_is_refused_where_it_differs(read, code, offset, words):
    with pytest.raises(FormatError) as caught:
        read(MESSAGE)
    assert (caught.value.code, caught.value.offset, caught.value.spec) == (code, offset, "RFC 5652")
    assert words in caught.value.message
