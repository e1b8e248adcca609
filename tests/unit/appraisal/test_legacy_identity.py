# SPDX-License-Identifier: Apache-2.0
"""The two weak signatures of identity documents. Each is verified by a function that says so in its name."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from tests.identity_signer import REGION, certificate, document, dsa_certificate, sign, sign_dsa, sign_plainly

import strongroom
from strongroom.appraisal.identity import (
    IdentityKind,
    UnsafeLegacyIdentity,
    VerifiedIdentity,
    verify_identity_document,
    verify_unsafe_legacy_pkcs7,
    verify_unsafe_legacy_signature,
)
from strongroom.appraisal.identity_certificates import aws_unsafe_legacy_dsa_certificates
from strongroom.errors import FormatError, NotAuthentic
from strongroom.formats.pkcs7 import OID_DSA_WITH_SHA1, OID_SHA1
from strongroom.ports import IdentityDocumentBytes

DOCUMENT = document()
DSA, RSA = {REGION: dsa_certificate()}, {REGION: certificate(1024)}
PKCS7 = (verify_unsafe_legacy_pkcs7, sign_dsa, DSA)
SIGNATURE = (verify_unsafe_legacy_signature, sign_plainly, RSA)
BOTH = pytest.mark.parametrize(("verify", "sign", "pinned"), [PKCS7, SIGNATURE], ids=["pkcs7", "signature"])


def refused(code, verify, content, signature, certificates):
    with pytest.raises(NotAuthentic) as caught:
        verify(content, signature, certificates=certificates)
    assert caught.value.code == code, caught.value


@BOTH
def test_a_good_document_becomes_an_identity_that_is_called_unsafe(verify, sign, pinned):
    identity = verify(DOCUMENT, sign(DOCUMENT), certificates=pinned)
    assert type(identity) is UnsafeLegacyIdentity
    assert not isinstance(identity, VerifiedIdentity)
    assert (identity.account_id, identity.instance_id) == ("111122223333", "i-0123456789abcdef0")
    assert (identity.region, identity.certificate) == (REGION, pinned[REGION])


def test_the_result_says_which_signature_vouched():
    by_pkcs7 = verify_unsafe_legacy_pkcs7(DOCUMENT, sign_dsa(DOCUMENT), certificates=DSA)
    by_signature = verify_unsafe_legacy_signature(DOCUMENT, sign_plainly(DOCUMENT), certificates=RSA)
    assert (by_pkcs7.kind, by_pkcs7.kind.algorithm) == (IdentityKind.PKCS7, "DSA-1024 with SHA-1")
    assert (by_signature.kind, by_signature.kind.algorithm) == (IdentityKind.SIGNATURE, "RSA-1024 with SHA-256")


@pytest.mark.attack("A14")
@BOTH
def test_a_document_beside_the_signed_one_is_refused(verify, sign, pinned):
    code = "identity.other-content" if verify is verify_unsafe_legacy_pkcs7 else "signature.invalid"
    refused(code, verify, document(accountId="999999999999"), sign(DOCUMENT), pinned)
    refused(code, verify, DOCUMENT + b"\n", sign(DOCUMENT), pinned)


@pytest.mark.attack("A1")
@BOTH
def test_a_signature_of_another_key_is_refused(verify, sign, pinned):
    refused("signature.invalid", verify, DOCUMENT, sign(DOCUMENT, name="stranger"), pinned)


@pytest.mark.attack("A14")
@BOTH
def test_a_document_of_a_region_without_a_certificate_is_refused(verify, sign, pinned):
    elsewhere = document(region="eu-west-2")
    refused("identity.unknown-region", verify, elsewhere, sign(elsewhere), pinned)
    refused("identity.unknown-region", verify, DOCUMENT, sign(DOCUMENT), {})


@pytest.mark.attack("A1")
def test_a_digest_of_something_else_is_refused():
    for wrong in (hashlib.sha1(b"something else").digest(), hashlib.sha1(DOCUMENT).digest()[:-1], b""):
        refused("identity.wrong-digest", verify_unsafe_legacy_pkcs7, DOCUMENT, sign_dsa(DOCUMENT, digest=wrong), DSA)


@pytest.mark.attack("A7")
def test_pkcs7_is_dsa_with_sha1_and_nothing_else():
    good = sign_dsa(DOCUMENT)
    for wrong in (
        sign(DOCUMENT),
        good.replace(OID_DSA_WITH_SHA1, OID_DSA_WITH_SHA1[:-1] + b"\x01"),
        good.replace(OID_SHA1, OID_SHA1[:-1] + b"\x1b"),
    ):
        refused("identity.wrong-algorithm", verify_unsafe_legacy_pkcs7, DOCUMENT, wrong, DSA)
    by_sha256 = sign_dsa(DOCUMENT, algorithm=hashes.SHA256())
    refused("signature.invalid", verify_unsafe_legacy_pkcs7, DOCUMENT, by_sha256, DSA)


@pytest.mark.attack("A7")
def test_no_kind_passes_for_another():
    rsa2048 = {REGION: certificate()}
    weak = IdentityDocumentBytes(DOCUMENT, sign_dsa(DOCUMENT))
    for certificates in (rsa2048, DSA):
        with pytest.raises(NotAuthentic) as caught:
            verify_identity_document(weak, certificates=certificates)
        assert caught.value.code == "identity.wrong-algorithm"
    refused("signature.wrong-key", verify_unsafe_legacy_pkcs7, DOCUMENT, sign_dsa(DOCUMENT), rsa2048)
    refused("signature.wrong-key", verify_unsafe_legacy_signature, DOCUMENT, sign_plainly(DOCUMENT, bits=2048), rsa2048)
    refused("signature.wrong-length", verify_unsafe_legacy_signature, DOCUMENT, sign_dsa(DOCUMENT), RSA)
    with pytest.raises(FormatError):
        verify_unsafe_legacy_pkcs7(DOCUMENT, sign_plainly(DOCUMENT), certificates=DSA)


@pytest.mark.attack("A1")
@BOTH
def test_no_flipped_byte_of_a_signature_makes_another_identity(verify, sign, pinned):
    signed = sign(DOCUMENT)
    good = verify(DOCUMENT, signed, certificates=pinned)
    for index in range(0, len(signed), 3):
        flipped = signed[:index] + bytes([signed[index] ^ 0x01]) + signed[index + 1 :]
        try:
            assert verify(DOCUMENT, flipped, certificates=pinned) == good  # issuer and serial of a PKCS#7 are not read
        except (FormatError, NotAuthentic):
            continue


def test_nothing_but_the_command_asks_for_a_weak_signature():
    sources = Path(strongroom.__file__).parent
    naming = {str(f.relative_to(sources)) for f in sources.rglob("*.py") if "unsafe_legacy" in f.read_text()}
    homes = {"appraisal/identity.py", "appraisal/identity_certificates.py", "crypto/identity_signatures.py"}
    assert naming == {*homes, "cli/identity.py"}


def genuine(folder):
    signed = (folder / "iid/fullsailor-ec2-pkcs7-dsa-sha1.p7.der").read_bytes()
    return signed[signed.index(b"{") : signed.index(b"}") + 1], signed


def test_a_genuine_document_verifies_with_the_packaged_certificate(genuine_vectors):
    content, signed = genuine(genuine_vectors)
    identity = verify_unsafe_legacy_pkcs7(content, signed, certificates=aws_unsafe_legacy_dsa_certificates())
    assert (identity.instance_id, identity.account_id) == ("i-f79fe56c", "121659014334")
    assert (identity.region, identity.pending_time) == ("us-east-1", "2016-04-08T03:01:38Z")


@pytest.mark.attack("A1")
def test_a_genuine_document_with_any_byte_changed_does_not_verify(genuine_vectors):
    content, signed = genuine(genuine_vectors)
    certificates = aws_unsafe_legacy_dsa_certificates()
    for index in range(0, len(content), 5):
        changed = content[:index] + bytes([content[index] ^ 0x01]) + content[index + 1 :]
        both = signed.replace(content, changed)
        for pair in ((changed, signed), (content, both), (changed, both)):
            with pytest.raises((FormatError, NotAuthentic)):
                verify_unsafe_legacy_pkcs7(*pair, certificates=certificates)


@pytest.mark.attack("A1")
def test_a_genuine_document_does_not_verify_with_a_certificate_of_ours(genuine_vectors):
    content, signed = genuine(genuine_vectors)
    refused("signature.invalid", verify_unsafe_legacy_pkcs7, content, signed, {"us-east-1": dsa_certificate()})
