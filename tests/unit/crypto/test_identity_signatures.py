# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from tests.identity_signer import certificate, dsa_certificate, dsa_key, sign_plainly

from strongroom.crypto.identity_signatures import (
    verify_rsa2048_sha256,
    verify_unsafe_legacy_dsa1024_sha1,
    verify_unsafe_legacy_rsa1024_sha256,
)
from strongroom.errors import FormatError, NotAuthentic

MESSAGE = b"what is signed"
RSA = [(verify_rsa2048_sha256, 2048), (verify_unsafe_legacy_rsa1024_sha256, 1024)]


def refused(code, verify, signature, *, by, message=MESSAGE):
    with pytest.raises(NotAuthentic) as caught:
        verify(signature, message, certificate=by)
    assert caught.value.code == code, caught.value


def dsa_signature(bits=1024, algorithm=None):
    return dsa_key(bits).sign(MESSAGE, algorithm or hashes.SHA1())


@pytest.mark.parametrize(("verify", "bits"), RSA)
def test_a_good_rsa_signature_verifies(verify, bits):
    verify(sign_plainly(MESSAGE, bits=bits), MESSAGE, certificate=certificate(bits))


def test_a_good_dsa_signature_verifies():
    verify_unsafe_legacy_dsa1024_sha1(dsa_signature(), MESSAGE, certificate=dsa_certificate())


@pytest.mark.attack("A1")
@pytest.mark.parametrize(("verify", "bits"), RSA)
def test_another_message_key_or_byte_is_refused(verify, bits):
    good = sign_plainly(MESSAGE, bits=bits)
    refused("signature.invalid", verify, good, by=certificate(bits), message=MESSAGE + b".")
    refused("signature.invalid", verify, good, by=certificate(bits, "stranger"))
    for position in range(0, bits // 8, 16):
        changed = bytearray(good)
        changed[position] ^= 1
        refused("signature.invalid", verify, bytes(changed), by=certificate(bits))


@pytest.mark.attack("A7")
@pytest.mark.parametrize(("verify", "bits"), RSA)
def test_another_digest_is_refused(verify, bits):
    for algorithm in (hashes.SHA1(), hashes.SHA384()):
        refused(
            "signature.invalid", verify, sign_plainly(MESSAGE, bits=bits, algorithm=algorithm), by=certificate(bits)
        )


@pytest.mark.parametrize(("verify", "bits"), RSA)
def test_a_signature_of_another_length_is_named(verify, bits):
    good = sign_plainly(MESSAGE, bits=bits)
    for wrong in (b"", good[:-1], good + b"\0", b"\0" + good):
        refused("signature.wrong-length", verify, wrong, by=certificate(bits))


@pytest.mark.attack("A7")
@pytest.mark.parametrize(("verify", "bits"), RSA)
def test_a_certificate_of_another_kind_of_key_is_refused(verify, bits):
    for other in {1024, 2048, 3072} - {bits}:
        refused("signature.wrong-key", verify, sign_plainly(MESSAGE, bits=other), by=certificate(other))
    refused("signature.wrong-key", verify, dsa_signature(), by=dsa_certificate())


@pytest.mark.attack("A7")
def test_a_dsa_signature_is_one_of_a_dsa_key_of_1024_bits():
    verify = verify_unsafe_legacy_dsa1024_sha1
    refused("signature.wrong-key", verify, sign_plainly(MESSAGE), by=certificate(1024))
    refused("signature.wrong-key", verify, dsa_signature(2048), by=dsa_certificate(2048))


@pytest.mark.attack("A1")
def test_another_message_key_or_digest_is_refused_with_dsa():
    verify = verify_unsafe_legacy_dsa1024_sha1
    good = dsa_signature()
    refused("signature.invalid", verify, good, by=dsa_certificate(), message=MESSAGE + b".")
    refused("signature.invalid", verify, good, by=dsa_certificate(name="stranger"))
    refused("signature.invalid", verify, dsa_signature(algorithm=hashes.SHA256()), by=dsa_certificate())


@pytest.mark.attack("A8")
def test_dsa_numbers_out_of_range_are_refused():
    q = dsa_key().parameters().parameter_numbers().q
    r, s = decode_dss_signature(dsa_signature())
    for numbers in ((0, s), (r, 0), (r + q, s), (r, s + q), (q, s), (r, q), (-r, s), (r, -s), (r, q - s)):
        refused("signature.invalid", verify_unsafe_legacy_dsa1024_sha1, encode(*numbers), by=dsa_certificate())


def encode(r, s):
    """DER of two numbers, negative ones too."""
    from strongroom.formats.ber import INTEGER, SEQUENCE, encode_definite

    parts = [n.to_bytes(n.bit_length() // 8 + 1, signed=True) for n in (r, s)]
    return encode_definite(SEQUENCE, b"".join(encode_definite(INTEGER, part) for part in parts))


@pytest.mark.attack("A8")
def test_dsa_signatures_are_der_in_its_one_form():
    good = dsa_signature()
    r, s = decode_dss_signature(good)
    assert encode(r, s) == encode_dss_signature(r, s) == good
    padded = b"\0" + good[4 : 4 + good[3]]
    padding = b"\x30" + bytes([good[1] + 1]) + b"\x02" + bytes([len(padded)]) + padded + good[4 + good[3] :]
    for other in (b"", good + b"\0", b"\x30\x81" + good[1:], padding, good[:-1], b"\x31" + good[1:]):
        refused("signature.invalid", verify_unsafe_legacy_dsa1024_sha1, other, by=dsa_certificate())


@pytest.mark.parametrize(
    "verify", [verify_rsa2048_sha256, verify_unsafe_legacy_rsa1024_sha256, verify_unsafe_legacy_dsa1024_sha1]
)
def test_what_is_no_certificate_is_malformed(verify):
    with pytest.raises(FormatError) as caught:
        verify(bytes(128), MESSAGE, certificate=b"\x30\x00")
    assert caught.value.code == "certificate.unreadable"
