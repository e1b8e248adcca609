# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.crypto.public_keys import KeyKind, key_id_of, key_kind, key_of_nobody, load_spki
from strongroom.errors import FormatError


def spki(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (spki(ec.generate_private_key(ec.SECP256R1())), KeyKind.EC),
        (spki(ec.generate_private_key(ec.SECP384R1())), KeyKind.EC),
        (spki(rsa.generate_private_key(65537, 2048)), KeyKind.RSA),
        (spki(ed25519.Ed25519PrivateKey.generate()), KeyKind.OTHER),
        (b"\x04" + bytes(64), KeyKind.UNREADABLE),
        (b"", KeyKind.UNREADABLE),
    ],
    ids=["p256", "p384", "rsa", "ed25519", "point", "nothing"],
)
def test_a_key_is_called_by_its_kind(data, kind):
    assert key_kind(data) is kind


def test_the_key_of_nobody_is_a_new_ec_key_each_time():
    assert key_kind(key_of_nobody()) is KeyKind.EC
    assert key_of_nobody() != key_of_nobody()


def test_what_is_no_public_key_is_malformed():
    with pytest.raises(FormatError) as caught:
        load_spki(b"\x30\x00")
    assert caught.value.code == "key.unreadable"


def test_a_keys_id_is_the_sha256_of_its_spki():
    data = spki(ed25519.Ed25519PrivateKey.generate())
    assert key_id_of(data) == hashlib.sha256(data).digest()
