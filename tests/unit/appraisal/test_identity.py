# SPDX-License-Identifier: Apache-2.0
import dataclasses
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from tests.identity_signer import REGION, certificate, document, sign

from strongroom.appraisal.identity import IdentityKind, UnsafeLegacyIdentity, VerifiedIdentity, verify_identity_document
from strongroom.appraisal.identity_certificates import aws_identity_certificates
from strongroom.errors import FormatError, NotAuthentic
from strongroom.formats.pkcs7 import OID_RSA, OID_SHA256, OID_SHA256_WITH_RSA
from strongroom.ports import IdentityDocumentBytes

PINNED = {REGION: certificate()}


def verify(content=None, rsa2048=None, certificates=None):
    content = document() if content is None else content
    identity = IdentityDocumentBytes(content, sign(content) if rsa2048 is None else rsa2048)
    return verify_identity_document(identity, certificates=PINNED if certificates is None else certificates)


def refused(code, *arguments, **named):
    with pytest.raises(NotAuthentic) as caught:
        verify(*arguments, **named)
    assert caught.value.code == code, caught.value


def test_a_good_document_becomes_a_verified_identity():
    identity = verify()
    assert type(identity) is VerifiedIdentity
    assert (identity.account_id, identity.instance_id) == ("111122223333", "i-0123456789abcdef0")
    assert (identity.region, identity.image_id) == (REGION, "ami-0123456789abcdef0")
    assert (identity.kind, identity.certificate) == (IdentityKind.RSA2048, certificate())
    assert identity.kind.algorithm == "RSA-2048 with SHA-256"


def test_both_names_of_the_algorithm_are_accepted():
    data = sign(document()).replace(OID_RSA, OID_SHA256_WITH_RSA)
    assert verify(rsa2048=data) == verify()


@pytest.mark.attack("A14")
def test_a_document_beside_the_signed_one_is_refused():
    refused("identity.other-content", document(accountId="999999999999"), sign(document()))
    refused("identity.other-content", document() + b"\n", sign(document()))


@pytest.mark.attack("A1")
def test_a_signature_of_another_key_is_refused():
    refused("signature.invalid", rsa2048=sign(document(), name="stranger"))


@pytest.mark.attack("A1")
def test_a_digest_of_something_else_is_refused():
    other = hashlib.sha256(b"something else").digest()
    refused("identity.wrong-digest", rsa2048=sign(document(), digest=other))
    refused("identity.wrong-digest", rsa2048=sign(document(), digest=hashlib.sha256(document()).digest()[:-1]))


@pytest.mark.attack("A7")
def test_other_algorithms_are_refused():
    sha1 = bytes.fromhex("2b0e03021a")
    good = sign(document())
    for wrong in (
        good.replace(OID_RSA, bytes.fromhex("2a864886f70d010105")),
        good.replace(OID_RSA, bytes.fromhex("2a8648ce3d04030201")),
        good.replace(OID_SHA256, OID_SHA256[:-1] + b"\x02"),
    ):
        refused("identity.wrong-algorithm", rsa2048=wrong)
    assert sha1 not in good
    refused("signature.invalid", rsa2048=sign(document(), algorithm=hashes.SHA1()))


@pytest.mark.parametrize("bits", [1024, 3072])
def test_a_pinned_key_of_another_size_is_refused(bits):
    signed = sign(document(), bits=bits)
    refused("signature.wrong-key", rsa2048=signed, certificates={REGION: certificate(bits)})


@pytest.mark.attack("A14")
def test_a_document_of_a_region_without_a_certificate_is_refused():
    refused("identity.unknown-region", certificates={})
    refused("identity.unknown-region", document(region="eu-west-2"))


@pytest.mark.attack("A14")
def test_another_regions_certificate_does_not_vouch():
    both = {REGION: certificate(), "eu-west-2": certificate(name="other")}
    elsewhere = document(region="eu-west-2")
    refused("signature.invalid", elsewhere, sign(elsewhere), certificates=both)
    verify(elsewhere, sign(elsewhere, name="other"), certificates=both)


@pytest.mark.attack("A1")
@pytest.mark.slow
def test_no_flipped_byte_of_signature_or_document_makes_another_identity():
    good, signed = document(), sign(document())
    for index in range(len(signed)):
        flipped = signed[:index] + bytes([signed[index] ^ 0x01]) + signed[index + 1 :]
        try:
            identity = verify(good, flipped)
        except (FormatError, NotAuthentic):
            continue
        assert identity == verify()  # the issuer, serial and digest list are not read: the certificate is pinned
    for index in range(len(good)):
        flipped = good[:index] + bytes([good[index] ^ 0x01]) + good[index + 1 :]
        with pytest.raises((FormatError, NotAuthentic)):
            verify(flipped, signed)


@pytest.mark.parametrize("kind", [VerifiedIdentity, UnsafeLegacyIdentity])
def test_a_verified_identity_is_made_by_the_verifier_only(kind):
    good = verify()
    fields = {f.name: getattr(good, f.name) for f in dataclasses.fields(good)}
    with pytest.raises(TypeError):
        kind(**fields)
    with pytest.raises(RuntimeError):
        kind(**fields, voucher=object())


def test_a_weak_identity_is_no_identity_to_whoever_asks_for_a_strong_one():
    assert not issubclass(UnsafeLegacyIdentity, VerifiedIdentity)
    assert not issubclass(VerifiedIdentity, UnsafeLegacyIdentity)


@pytest.mark.attack("A7")
def test_the_genuine_document_with_dsa_is_refused_by_its_algorithm(genuine_vectors):
    signed = (genuine_vectors / "iid/fullsailor-ec2-pkcs7-dsa-sha1.p7.der").read_bytes()
    content = signed[signed.index(b"{") : signed.index(b"}") + 1]
    refused("identity.wrong-algorithm", content, signed, certificates=aws_identity_certificates())
