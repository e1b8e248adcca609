# SPDX-License-Identifier: Apache-2.0
"""EnvelopedData as KMS sends it."""

import dataclasses

import pytest

from strongroom.errors import FormatError
from strongroom.formats.cms import (
    ContentForm,
    EnvelopedData,
    OaepParameters,
    encode_enveloped_data,
    parse_enveloped_data,
)
from strongroom.ids import CmsBytes, KeyId

ENVELOPE = EnvelopedData(KeyId(b"k" * 32), b"e" * 256, b"i" * 16, (b"c" * 48,))
GENUINE = ("edgebit-generatedatakey.cms.der", "sdkc-input_ber.bin", "sdkc-input_ber_w_ctx.bin")


@pytest.mark.parametrize("name", GENUINE)
def test_a_genuine_reply_of_kms_re_encodes_to_the_same_bytes(genuine_vectors, name):
    data = (genuine_vectors / "cms" / name).read_bytes()
    assert encode_enveloped_data(parse_enveloped_data(data)) == data


@pytest.mark.parametrize(("name", "suffix"), [(GENUINE[1], ""), (GENUINE[2], "_w_ctx")])
def test_parts_of_a_genuine_reply_are_found(genuine_vectors, name, suffix):
    folder = genuine_vectors / "cms"
    envelope = parse_enveloped_data((folder / name).read_bytes())
    assert envelope.iv == (folder / f"sdkc-iv_out{suffix}.bin").read_bytes()
    assert envelope.encrypted_content == (folder / f"sdkc-ciphertext_out{suffix}.bin").read_bytes()
    assert envelope.encrypted_key == (folder / f"sdkc-encrypted_key_out{suffix}.bin").read_bytes()


@pytest.mark.parametrize(
    "envelope",
    [
        ENVELOPE,
        dataclasses.replace(ENVELOPE, chunks=(b"c" * 16, b"", b"d" * 16)),
        dataclasses.replace(ENVELOPE, form=ContentForm.PRIMITIVE),
        dataclasses.replace(ENVELOPE, oaep=OaepParameters.EMPTY),
    ],
)
def test_every_shape_that_is_read_is_written_back_the_same(envelope):
    data = encode_enveloped_data(envelope)
    assert parse_enveloped_data(data) == envelope


SHA256 = bytes.fromhex("0609608648016503040201")
SHA1_IN_PLACE = bytes.fromhex("0609608648016503040203")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (bytes.fromhex("06092a864886f70d010703"), bytes.fromhex("06092a864886f70d010702"), "ber.wrong-content"),
        (b"\x02\x01\x02\x31", b"\x02\x01\x00\x31", "ber.wrong-content"),
        (b"\x02\x01\x02\x80", b"\x02\x01\x00\x80", "ber.wrong-content"),
        (bytes.fromhex("06092a864886f70d010701"), bytes.fromhex("06092a864886f70d010702"), "ber.wrong-content"),
        (bytes.fromhex("060960864801650304012a"), bytes.fromhex("060960864801650304012e"), "ber.wrong-content"),
        (b"\x80\x20" + b"k" * 32, b"\x04\x20" + b"k" * 32, "ber.wrong-tag"),
        (b"\x80\x20" + b"k" * 32, b"\x80\x20" + b"k" * 32 + b"\x05\x00", "ber.overrun"),
        (bytes.fromhex("06092a864886f70d010701"), bytes.fromhex("04092a864886f70d010701"), "ber.wrong-tag"),
        (b"\x04\x30" + b"c" * 48, b"\x02\x30" + b"c" * 48, "ber.wrong-tag"),
        (SHA256, SHA1_IN_PLACE, "cms.key-algorithm"),
        (b"\xa0\x80\x04\x30", b"\xa1\x80\x04\x30", "ber.wrong-tag"),
    ],
)
@pytest.mark.attack("K18")
def test_another_algorithm_or_shape_is_refused(old, new, code):
    data = encode_enveloped_data(ENVELOPE)
    assert old in data
    with pytest.raises(FormatError) as caught:
        parse_enveloped_data(CmsBytes(data.replace(old, new, 1)))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"recipient": b"k" * 20}, "cms.octets"),
        ({"encrypted_key": b""}, "cms.octets"),
        ({"encrypted_key": b"e" * 513}, "cms.octets"),
        ({"iv": b"i" * 12}, "cms.octets"),
        ({"chunks": ()}, "cms.content-length"),
        ({"chunks": (b"c" * 17,)}, "cms.content-length"),
        ({"chunks": (b"c" * 6144,)}, "ber.too-large"),
    ],
)
def test_parts_of_another_size_are_refused(changes, code):
    with pytest.raises(FormatError) as caught:
        parse_enveloped_data(encode_enveloped_data(dataclasses.replace(ENVELOPE, **changes)))
    assert caught.value.code == code


def test_a_second_recipient_is_refused():
    data = encode_enveloped_data(ENVELOPE)
    start = data.index(b"\x31\x82") + 4
    length = int.from_bytes(data[start - 2 : start])
    recipient = data[start : start + length]
    two = data[: start - 2] + (2 * length).to_bytes(2) + recipient * 2 + data[start + length :]
    with pytest.raises(FormatError) as caught:
        parse_enveloped_data(CmsBytes(two))
    assert caught.value.code == "ber.members"
