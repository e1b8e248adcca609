# SPDX-License-Identifier: Apache-2.0
"""CBOR in both profiles, alone, against cbor2, and in a COSE_Sign1."""

from tests import nitro_pki
from tests.cbor_difference import expect_accounted_for, plain
from tests.fuzz.target import Target

from strongroom.formats.cbor import Profile, decode, encode
from strongroom.formats.cose import encode_cose_sign1, parse_cose_sign1

VALUES = [
    {"a": [1, b"x", None], "b": {0: -1, 23: 24, "key": [True, False, "text"]}, "c": 2**63},
    [-1, "text", {1: True}],
    [0, 255, 65_535, 2**32, -(2**64), b"b" * 300, "t" * 30],
]


def aws(data: bytes) -> None:
    """What decodes has one value: written in the other profile, it is that value again."""
    written = encode(plain(decode(data, Profile.AWS)))
    assert encode(plain(decode(written, Profile.DETERMINISTIC))) == written


def deterministic(data: bytes) -> None:
    assert encode(plain(decode(data, Profile.DETERMINISTIC))) == data


def against_cbor2(data: bytes) -> None:
    for profile in Profile:
        expect_accounted_for(data, profile)


def cose_sign1(data: bytes) -> None:
    for profile in Profile:
        parsed = parse_cose_sign1(data, profile)
        again = parse_cose_sign1(
            encode_cose_sign1(parsed.protected, parsed.payload, parsed.signature), Profile.DETERMINISTIC
        )
        assert again.signed_bytes() == parsed.signed_bytes()


def encoded() -> list[bytes]:
    return [*map(encode, VALUES)]


def written_by_aws() -> list[bytes]:
    return [nitro_pki.payload(), *encoded()]


def messages() -> list[bytes]:
    return [
        nitro_pki.document(),
        encode_cose_sign1(b"\xa1\x01\x27", b"payload", bytes(64)),
        b"\xd2" + nitro_pki.document(),
    ]


def openers() -> list[bytes]:
    """Containers that claim to be long or deep, and a map of as many keys as fit."""
    keys = b"".join(b"\x19" + n.to_bytes(2) + b"\xf6" for n in range(256, 16_000))
    return [
        b"\xb9" + (15_744).to_bytes(2) + keys,
        b"\xbf" + keys + b"\xff",
        *(head + b"\xff" * 8 + bytes(65_000) for head in (b"\x5b", b"\x7b", b"\x9b", b"\xbb")),
        b"\x99\xff\xf0" + bytes(65_520),
        b"\x84" * 65_536,
    ]


TARGETS = (
    Target("cbor.aws", aws, written_by_aws, worst=openers),
    Target("cbor.deterministic", deterministic, encoded, worst=openers),
    Target("cbor.against-cbor2", against_cbor2, written_by_aws, worst=openers),
    Target("cbor.cose-sign1", cose_sign1, messages, max_bytes=5_000, worst=openers),
)
