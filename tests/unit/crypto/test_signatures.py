# SPDX-License-Identifier: Apache-2.0
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.nitro_pki import es384, key

from strongroom.crypto.signatures import load_p384_key, verify_ed25519, verify_es384
from strongroom.errors import FormatError, NotAuthentic

N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
MESSAGE = b"what is signed"


def spki(private):
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def refused(code, verify, *arguments, **named):
    with pytest.raises(NotAuthentic) as caught:
        verify(*arguments, **named)
    assert caught.value.code == code


@pytest.fixture(scope="module")
def signature():
    return es384(key("leaf"), MESSAGE)


@pytest.fixture(scope="module")
def public():
    return load_p384_key(spki(key("leaf")))


def test_a_good_es384_signature_verifies(signature, public):
    verify_es384(signature, MESSAGE, key=public)


@pytest.mark.attack("A1")
def test_another_message_key_or_byte_is_refused(signature, public):
    refused("signature.invalid", verify_es384, signature, MESSAGE + b".", key=public)
    refused("signature.invalid", verify_es384, signature, MESSAGE, key=load_p384_key(spki(key("root"))))
    for position in range(96):
        changed = bytearray(signature)
        changed[position] ^= 1
        with pytest.raises(NotAuthentic):
            verify_es384(bytes(changed), MESSAGE, key=public)


@pytest.mark.attack("A8")
@pytest.mark.parametrize("r", [0, 1, N - 1, N, N + 1, 2**384 - 1])
@pytest.mark.parametrize("s", [0, 1, N - 1, N, N + 1, 2**384 - 1])
def test_numbers_out_of_range_are_refused_as_such(r, s, public):
    inside = 0 < r < N and 0 < s < N
    code = "signature.invalid" if inside else "signature.out-of-range"
    refused(code, verify_es384, r.to_bytes(48) + s.to_bytes(48), MESSAGE, key=public)


@pytest.mark.attack("A7")
def test_der_signatures_are_refused(public):
    der = key("leaf").sign(MESSAGE, ec.ECDSA(hashes.SHA384()))
    refused("signature.wrong-length", verify_es384, der, MESSAGE, key=public)
    refused("signature.wrong-length", verify_es384, b"", MESSAGE, key=public)


@pytest.mark.attack("A7")
@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP521R1(), ec.SECP256K1()])
def test_keys_of_other_curves_are_refused(curve):
    refused("signature.wrong-key", load_p384_key, spki(ec.generate_private_key(curve)))


def test_keys_of_other_kinds_are_refused():
    refused("signature.wrong-key", load_p384_key, spki(ed25519.Ed25519PrivateKey.generate()))
    refused("signature.wrong-key", load_p384_key, spki(rsa.generate_private_key(65537, 2048)))


@pytest.mark.parametrize("data", [b"", b"\x30\x00", b"no key"])
def test_what_is_no_key_is_malformed(data):
    with pytest.raises(FormatError) as caught:
        load_p384_key(data)
    assert caught.value.code == "key.unreadable"


def test_ed25519_verifies_and_refuses():
    private = ed25519.Ed25519PrivateKey.generate()
    good = private.sign(MESSAGE)
    verify_ed25519(good, MESSAGE, public_key=spki(private))
    refused("signature.invalid", verify_ed25519, good, MESSAGE + b".", public_key=spki(private))
    refused("signature.invalid", verify_ed25519, good[:-1], MESSAGE, public_key=spki(private))
    refused("signature.invalid", verify_ed25519, b"", MESSAGE, public_key=spki(private))
    refused("signature.wrong-key", verify_ed25519, good, MESSAGE, public_key=spki(key("leaf")))
