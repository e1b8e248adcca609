# SPDX-License-Identifier: Apache-2.0
"""Signatures that were made elsewhere are good, or not, under a TPM's public area."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from tests.tpm_commands import NONE, SHA256, sized, u16, u32
from tests.tpm_policies import Signer
from tests.tpm_templates import AES_KEY, SIGN, keyed_hash, public

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.public_area import parse_public_area
from strongroom.formats.tpm.signature import EcdsaSignature, HmacSignature, RsaSignature, read_signature
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm.crypto.signature_check import verify_signature
from strongroom.twin.nitrotpm.refusal import Refused

DATA = b"what is signed"
DIGEST = hashlib.sha256(DATA).digest()
SCHEME, SIGNATURE, HANDLE = 0x092, 0x09B, 0x08B
RSA_KEY = rsa.generate_private_key(65537, 2048)
MODULUS = RSA_KEY.public_key().public_numbers().n.to_bytes(256, "big")
RSA = parse_public_area(public(0x0001, SIGN, u16(NONE) * 2 + u16(2048) + u32(0), sized(MODULUS)))
SIGNER = Signer()
ECC = parse_public_area(SIGNER.public)
NOWHERE = parse_public_area(SIGNER.public[:-34] + sized(bytes(31) + b"\1"))
"""A point that is not on its curve."""
HMAC_ANY = parse_public_area(keyed_hash(SIGN, unique=bytes(32)))
HMAC_SHA256 = parse_public_area(keyed_hash(SIGN, scheme=u16(0x0005) + u16(SHA256), unique=bytes(32)))
CIPHER = parse_public_area(AES_KEY)
SECRET = b"secret"


def rsa_signature(scheme: Alg, pad, *, data: bytes = DATA) -> RsaSignature:
    return RsaSignature(scheme, Alg.SHA256, RSA_KEY.sign(data, pad, hashes.SHA256()))


def pss(salt: int) -> padding.PSS:
    return padding.PSS(padding.MGF1(hashes.SHA256()), salt)


def ecc_signature(data: bytes = DATA):
    return read_signature(Reader(SIGNER.sign(data)))


def mac(hash_: Alg, name: str, key: bytes = SECRET) -> HmacSignature:
    return HmacSignature(hash_, hmac.digest(key, DIGEST, name))


RSASSA = rsa_signature(Alg.RSASSA, padding.PKCS1v15())


@pytest.mark.parametrize("salt", [0, 20, 32, 222])
def test_rsapss_is_good_with_any_salt(salt):
    verify_signature(RSA, DIGEST, rsa_signature(Alg.RSAPSS, pss(salt)))


def test_good_signatures():
    verify_signature(RSA, DIGEST, RSASSA)
    verify_signature(ECC, DIGEST, ecc_signature())
    verify_signature(HMAC_ANY, DIGEST, mac(Alg.SHA1, "sha1"), secret=SECRET)
    verify_signature(HMAC_SHA256, DIGEST, mac(Alg.SHA256, "sha256"), secret=SECRET)


@pytest.mark.parametrize(
    ("key", "signature", "code"),
    [
        (RSA, rsa_signature(Alg.RSASSA, padding.PKCS1v15(), data=b"other"), SIGNATURE),
        (RSA, rsa_signature(Alg.RSASSA, pss(32)), SIGNATURE),
        (RSA, rsa_signature(Alg.RSAPSS, padding.PKCS1v15()), SIGNATURE),
        (RSA, RsaSignature(Alg.RSASSA, Alg.SHA256, b""), SIGNATURE),
        (RSA, RsaSignature(Alg.RSASSA, Alg.SHA1, RSASSA.signature), SIGNATURE),
        (RSA, ecc_signature(), SCHEME),
        (RSA, mac(Alg.SHA256, "sha256"), SCHEME),
        (ECC, ecc_signature(b"other"), SIGNATURE),
        (ECC, EcdsaSignature(Alg.SHA256, b"", b""), SIGNATURE),
        (ECC, EcdsaSignature(Alg.SHA512, ecc_signature().r, ecc_signature().s), SIGNATURE),
        (ECC, RSASSA, SCHEME),
        (NOWHERE, ecc_signature(), SIGNATURE),
        (HMAC_ANY, mac(Alg.SHA256, "sha256", b"other"), SIGNATURE),
        (HMAC_SHA256, mac(Alg.SHA1, "sha1"), SIGNATURE),
        (HMAC_ANY, RSASSA, SCHEME),
        (CIPHER, mac(Alg.SHA256, "sha256"), SCHEME),
    ],
)
def test_wrong_signatures(key, signature, code):
    with pytest.raises(Refused) as refused:
        verify_signature(key, DIGEST, signature, secret=SECRET)
    assert refused.value.rc == code


def test_an_hmac_needs_its_key():
    with pytest.raises(Refused) as refused:
        verify_signature(HMAC_ANY, DIGEST, mac(Alg.SHA256, "sha256"))
    assert refused.value.rc == HANDLE
