# SPDX-License-Identifier: Apache-2.0
from strongroom.formats import cose
from strongroom.formats.cbor import Profile


def test_the_payload_offset_points_at_the_payload():
    data = cose.encode_cose_sign1(b"\xa1\x01\x26", b"payload", b"s" * 64)
    parsed = cose.parse_cose_sign1(data, Profile.DETERMINISTIC)
    assert data[parsed.payload_offset :].startswith(b"payload")
