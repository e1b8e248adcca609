# SPDX-License-Identifier: Apache-2.0
"""Who wrote a header."""

import dataclasses
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, utils
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.bundle_world import SIGNER, World, pinned

from strongroom.crypto.header_signature import sign_payload, signed_length, verify_header, verify_signed
from strongroom.crypto.signers import Ed25519Signer
from strongroom.errors import NotAuthentic, NotTrusted, StrongroomError, UsageError
from strongroom.formats.bundle import parse_bundle_header
from strongroom.formats.bundle_trust import SignatureAlgorithm, SignerRole
from strongroom.formats.signed import BUNDLE_ESCROW, BUNDLE_HEADER, parse_signed
from strongroom.ids import KeyId, SpkiDer


class KeySigner:
    """Signs with any key, as a KMS signer will."""

    def __init__(self, key) -> None:
        self.key = key
        self.public_key = SpkiDer(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
        self.key_id = KeyId(hashlib.sha256(self.public_key).digest())

    def sign(self, message: bytes) -> bytes:
        r, s = utils.decode_dss_signature(self.key.sign(message, ec.ECDSA(SHA384())))
        return r.to_bytes(48) + s.to_bytes(48)


def refused(kind: type[StrongroomError], call) -> str:
    with pytest.raises(kind) as caught:
        call()
    return caught.value.code


SIGNED = parse_signed(sign_payload(BUNDLE_HEADER, b"payload", signer=SIGNER), BUNDLE_HEADER)


def test_a_header_of_a_pinned_signer_becomes_authentic():
    header = parse_bundle_header(World().seal().bundle)
    other = pinned(Ed25519Signer.generate())
    verified = verify_header(header, signers=(other, pinned()))
    assert verified.fields == header.claimed
    assert verified.signer == pinned()


def test_es384_signs_and_verifies():
    signer = KeySigner(ec.generate_private_key(ec.SECP384R1()))
    trusted = dataclasses.replace(pinned(signer), algorithm=SignatureAlgorithm.ES384)
    data = sign_payload(BUNDLE_HEADER, b"payload", signer=signer)
    assert verify_signed(parse_signed(data, BUNDLE_HEADER), signers=[trusted]) == trusted
    broken = dataclasses.replace(parse_signed(data, BUNDLE_HEADER), payload=b"Payload")
    assert refused(NotAuthentic, lambda: verify_signed(broken, signers=[trusted])) == "signature.invalid"


@pytest.mark.attack("A7")
def test_the_pinned_algorithm_decides_and_the_claimed_one_chooses_nothing():
    claimed = dataclasses.replace(SIGNED, algorithm=SignatureAlgorithm.ES384)
    assert refused(NotAuthentic, lambda: verify_signed(claimed, signers=[pinned()])) == "bundle.signer-algorithm"


def test_a_signer_that_is_not_pinned_is_nobody():
    other = pinned(Ed25519Signer.generate())
    assert refused(NotAuthentic, lambda: verify_signed(SIGNED, signers=[other])) == "bundle.signer"
    assert refused(NotAuthentic, lambda: verify_signed(SIGNED, signers=[])) == "bundle.signer"


def test_a_changed_payload_or_kind_is_not_authentic():
    changed = dataclasses.replace(SIGNED, payload=b"Payload")
    assert refused(NotAuthentic, lambda: verify_signed(changed, signers=[pinned()])) == "signature.invalid"
    as_escrow = dataclasses.replace(SIGNED, kind=BUNDLE_ESCROW)
    assert refused(NotAuthentic, lambda: verify_signed(as_escrow, signers=[pinned()])) == "signature.invalid"


def test_a_signer_signs_only_in_its_roles():
    signers = [pinned(roles=frozenset(SignerRole) - {SignerRole.BUNDLE})]
    assert refused(NotTrusted, lambda: verify_signed(SIGNED, signers=signers)) == "bundle.signer-role"


def test_the_length_of_a_header_is_known_before_it_is_signed():
    for signer in (SIGNER, KeySigner(ec.generate_private_key(ec.SECP384R1()))):
        assert signed_length(BUNDLE_HEADER, b"payload", signer=signer) == len(
            sign_payload(BUNDLE_HEADER, b"payload", signer=signer)
        )


@pytest.mark.parametrize("key", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())])
def test_signers_of_other_kinds_are_refused(key):
    assert refused(UsageError, lambda: sign_payload(BUNDLE_HEADER, b"p", signer=KeySigner(key))) == "signer.kind"
