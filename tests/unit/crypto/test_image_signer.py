# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.code_signer import certify, image_signer, pem, rsa_key, self_signed

from strongroom.crypto.image_signer import parse_image_signer, verify_image_signature
from strongroom.errors import FormatError, NotAuthentic

DIGEST = hashlib.sha256(b"an image").digest()
P256 = ec.generate_private_key(ec.SECP256R1())


def test_a_signature_is_verified_with_the_certificate_of_its_key():
    signature = image_signer().sign_digest(DIGEST)
    verify_image_signature(signature, DIGEST, certificate=self_signed("db"))
    with pytest.raises(NotAuthentic) as caught:
        verify_image_signature(signature, DIGEST, certificate=self_signed("owner"))
    assert caught.value.code == "secure-boot.other-key"


def test_no_key_shows_where_a_signer_is_printed():
    assert repr(image_signer()).startswith("<strongroom.crypto.image_signer.RsaImageSigner object")


@pytest.mark.parametrize(
    ("key", "certificate"),
    [
        (b"no key", self_signed("db")),
        (pem(P256), self_signed("db")),
        (pem(rsa_key("small", 1024)), self_signed("small", 1024)),
        (pem(rsa_key("db")), self_signed("owner")),
        (pem(rsa_key("db")), certify(P256.public_key(), "curve")),
        (pem(rsa_key("db")), certify(rsa_key("small", 1024).public_key(), "small")),
    ],
    ids=["no PEM", "no RSA", "a small key", "another certificate", "no RSA certificate", "a small certificate"],
)
def test_what_cannot_sign_for_secure_boot_is_refused(key, certificate):
    with pytest.raises(FormatError) as caught:
        parse_image_signer(key, certificate)
    assert caught.value.code == "secure-boot.key"


def test_a_signature_that_only_a_weak_certificate_verifies_is_refused():
    with pytest.raises(FormatError):
        verify_image_signature(bytes(128), DIGEST, certificate=self_signed("small", 1024))
