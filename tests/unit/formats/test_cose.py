# SPDX-License-Identifier: Apache-2.0
import pytest

from strongroom.errors import FormatError
from strongroom.formats import cbor, cose
from strongroom.formats.cbor import Profile

AWS, OURS = Profile.AWS, Profile.DETERMINISTIC
GOOD = cose.encode_cose_sign1(b"\xa1\x01\x26", b"payload", b"s" * 64)


def refused(code, data, profile=AWS, **limits):
    with pytest.raises(FormatError) as caught:
        cose.parse_cose_sign1(data, profile, **limits)
    assert caught.value.code == code, caught.value
    return caught.value


def test_the_payload_offset_points_at_the_payload():
    parsed = cose.parse_cose_sign1(GOOD, OURS)
    assert GOOD[parsed.payload_offset :].startswith(b"payload")
    assert cose.encode_cose_sign1(parsed.protected, parsed.payload, parsed.signature) == GOOD


@pytest.mark.parametrize("length", [1, 23, 24, 255, 256, 65_535, 65_536])
def test_the_payload_offset_holds_for_every_length(length):
    data = cose.encode_cose_sign1(b"\xa0", b"p" * length, b"s")
    assert data[cose.parse_cose_sign1(data, OURS).payload_offset :] == b"p" * length + b"\x41s"


def test_the_tag_is_read_in_awss_documents_only():
    assert cose.parse_cose_sign1(b"\xd2" + GOOD, AWS).payload == b"payload"
    assert cose.parse_cose_sign1(b"\xd2" + GOOD, AWS).payload_offset == GOOD.index(b"payload") + 1
    refused("cbor.forbidden", b"\xd2" + GOOD, OURS)
    refused("cbor.forbidden", b"\xd2\xd2" + GOOD)
    refused("cbor.forbidden", b"\xd1" + GOOD)


def test_nothing_is_no_message():
    refused("cose.empty", b"")
    refused("cose.empty", b"\xd2")


@pytest.mark.attack("A7")
def test_the_unprotected_header_must_be_an_empty_map():
    refused("cose.unprotected", cbor.encode([b"\xa0", {1: -7}, b"p", b"s"]))
    refused("cbor.wrong-type", cbor.encode([b"\xa0", None, b"p", b"s"]))
    refused("cbor.wrong-type", cbor.encode([b"\xa0", [], b"p", b"s"]))


@pytest.mark.attack("A9")
@pytest.mark.parametrize(
    ("members", "code"),
    [
        ([b"\xa0", {}, b"p"], "cbor.wrong-length"),
        ([b"\xa0", {}, b"p", b"s", b"x"], "cbor.wrong-length"),
        ([b"", {}, b"p", b"s"], "cbor.wrong-length"),
        ([b"\xa0", {}, b"", b"s"], "cbor.wrong-length"),
        ([b"\xa0", {}, b"p", b""], "cbor.wrong-length"),
        ([b"\xa0", {}, b"p", b"s" * 1025], "cbor.wrong-length"),
        ([{}, {}, b"p", b"s"], "cbor.wrong-type"),
        ([b"\xa0", {}, None, b"s"], "cbor.wrong-type"),
        ([b"\xa0", {}, "p", b"s"], "cbor.wrong-type"),
        ([b"\xa0", {}, b"p", [b"s"]], "cbor.wrong-type"),
        ({1: 2}, "cbor.wrong-type"),
    ],
)
def test_it_has_four_members_of_fixed_types(members, code):
    refused(code, cbor.encode(members))


def test_the_size_is_bounded_and_nothing_follows():
    refused("cbor.too-large", GOOD, maximum_bytes=len(GOOD) - 1)
    refused("cbor.trailing-bytes", GOOD + b"\0")


def test_what_is_signed_is_the_structure_of_the_standard():
    # RFC 9052 section 4.4: ["Signature1", body_protected, external_aad, payload]
    expected = bytes.fromhex("846a5369676e61747572653143a1012640477061796c6f6164")
    assert cose.parse_cose_sign1(GOOD, OURS).signed_bytes() == expected
    assert cose.parse_cose_sign1(GOOD, OURS).signed_bytes(b"aad") == expected.replace(b"\x40\x47", b"\x43aad\x47")
