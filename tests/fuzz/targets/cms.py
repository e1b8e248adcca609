# SPDX-License-Identifier: Apache-2.0
"""BER, and the CMS EnvelopedData in which KMS answers. The reply is one that we wrote."""

from tests.fuzz.target import Target

from strongroom.formats.ber import OCTET_STRING, SEQUENCE, encode_definite, encode_indefinite, parse_ber
from strongroom.formats.cms import MAX_CMS_BYTES, EnvelopedData, encode_enveloped_data, parse_enveloped_data

REPLY = encode_enveloped_data(EnvelopedData(b"k" * 32, b"e" * 256, b"i" * 16, (b"c" * 48,)))


def enveloped_data(data: bytes) -> None:
    envelope = parse_enveloped_data(data)
    assert parse_enveloped_data(encode_enveloped_data(envelope)) == envelope


def ber(data: bytes) -> None:
    """With room for more than KMS sends: it is other limits that keep it small."""
    assert parse_ber(data, maximum_bytes=65_536).raw == data


def elements() -> list[bytes]:
    return [REPLY, encode_definite(SEQUENCE, encode_definite(OCTET_STRING, b"x") * 3)]


def openers() -> list[bytes]:
    siblings = encode_indefinite(SEQUENCE, b"\x05\x00" * 32_000)
    return [b"\x30\x80" * 32_768, b"\x30\x80" * 16_384 + b"\0\0" * 16_384, b"\x24\x80" * 32_768, siblings]


TARGETS = (
    Target("cms.enveloped-data", enveloped_data, lambda: [REPLY], max_bytes=MAX_CMS_BYTES, worst=openers),
    Target("cms.ber", ber, elements, worst=openers),
)
