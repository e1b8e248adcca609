# SPDX-License-Identifier: Apache-2.0
"""Signer files."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from strongroom.crypto.public_keys import key_id_of
from strongroom.crypto.signatures import verify_ed25519
from strongroom.crypto.signers import Ed25519Signer, parse_ed25519_signer
from strongroom.errors import FormatError


def test_a_signer_survives_its_file():
    signer = Ed25519Signer.generate()
    again = parse_ed25519_signer(signer.private_pem())
    assert again.public_key == signer.public_key
    assert again.key_id == key_id_of(signer.public_key)
    verify_ed25519(again.sign(b"message"), b"message", public_key=signer.public_key)


def pem(key, encryption):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        pem(ec.generate_private_key(ec.SECP384R1()), NoEncryption()),
        pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"x")),
        Ed25519Signer.generate().private_pem() + b"\n" * 4096,
        b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VvBCIEI" + b"A" * 43 + b"\n-----END PRIVATE KEY-----\n",
    ],
    ids=["empty", "broken", "P-384", "encrypted", "large", "half an X448 key"],
)
def test_anything_but_one_open_ed25519_key_is_refused(content):
    with pytest.raises(FormatError) as caught:
        parse_ed25519_signer(content)
    assert caught.value.code == "signer.file"


def test_printing_a_signer_shows_no_key():
    signer = Ed25519Signer.generate()
    assert signer.private_pem().decode().splitlines()[1] not in repr(signer) + str(vars(signer))
