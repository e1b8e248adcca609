# SPDX-License-Identifier: Apache-2.0
"""OpenSSL as a second judge of identity documents: AWS's instructions, with our verdict beside them.

OpenSSL finds the signer by issuer and serial number, which ours does not read, because the certificate is pinned. Apart
from those bytes and the list of digests, what ours accepts, OpenSSL accepts, with the same content.
"""

import shutil
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.identity_signer import REGION, certificate, document, dsa_certificate, sign, sign_dsa, sign_plainly

from strongroom.appraisal.identity import (
    verify_identity_document,
    verify_unsafe_legacy_pkcs7,
    verify_unsafe_legacy_signature,
)
from strongroom.appraisal.identity_certificates import aws_unsafe_legacy_dsa_certificates
from strongroom.errors import FormatError, NotAuthentic
from strongroom.ports import IdentityDocumentBytes

pytestmark = pytest.mark.slow

DOCUMENT = document()


def rsa2048(content, signature, certificates):
    verify_identity_document(IdentityDocumentBytes(content, signature), certificates=certificates)


def pkcs7(content, signature, certificates):
    verify_unsafe_legacy_pkcs7(content, signature, certificates=certificates)


def plain(content, signature, certificates):
    verify_unsafe_legacy_signature(content, signature, certificates=certificates)


ATTACHED = pytest.mark.parametrize(
    ("verify", "sign", "der"),
    [(rsa2048, sign, certificate()), (pkcs7, sign_dsa, dsa_certificate())],
    ids=["rsa2048", "pkcs7"],
)


def ours(verify, content, signature, der, region=REGION):
    """Return nothing for a yes, the code of the error for a no."""
    try:
        verify(content, signature, {region: der})
    except (FormatError, NotAuthentic) as error:
        return error.code
    return None


@pytest.fixture
def openssl(tmp_path):
    program = shutil.which("openssl")
    assert program, "openssl is missing: apt-get install openssl"

    def call(*arguments):
        run = subprocess.run([program, *arguments], cwd=tmp_path, capture_output=True, check=False)
        return run.returncode == 0

    return call


@pytest.fixture
def smime(openssl, tmp_path):
    """Verify as AWS's instructions do, and return the content that OpenSSL vouches for, None for a no."""

    def call(signature, der):
        (tmp_path / "signed").write_bytes(signature)
        pem = x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
        (tmp_path / "certificate").write_bytes(pem)
        files = ("-in", "signed", "-certfile", "certificate", "-out", "content")
        good = openssl("smime", "-verify", "-inform", "DER", "-noverify", "-nointern", "-binary", *files)
        return (tmp_path / "content").read_bytes() if good else None

    return call


@pytest.fixture
def dgst(openssl, tmp_path):
    """Verify as AWS's instructions do."""

    def call(content, signature, der):
        public = x509.load_der_x509_certificate(der).public_key()
        (tmp_path / "key").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
        (tmp_path / "document").write_bytes(content)
        (tmp_path / "signature").write_bytes(signature)
        return openssl("dgst", "-sha256", "-verify", "key", "-signature", "signature", "document")

    return call


def flipped(data, position):
    return data[:position] + bytes([data[position] ^ 0x01]) + data[position + 1 :]


def not_read(signed, der):
    """The positions of what ours passes over: the list of digests, and the signer's issuer and serial number."""
    shown = x509.load_der_x509_certificate(der)
    digests = signed.index(b"\x02\x01\x01\x31") + 4
    issuer = signed.index(shown.issuer.public_bytes())
    serial = issuer + len(shown.issuer.public_bytes())
    return {*range(digests, digests + 1 + signed[digests]), *range(issuer - 1, serial + 2 + signed[serial + 1])}


@ATTACHED
def test_both_accept_what_was_signed(smime, verify, sign, der):
    assert ours(verify, DOCUMENT, sign(DOCUMENT), der) is None
    assert smime(sign(DOCUMENT), der) == DOCUMENT


@ATTACHED
@pytest.mark.attack("A1")
def test_both_refuse_forgeries(smime, verify, sign, der):
    good, other = sign(DOCUMENT), document(accountId="999999999999")
    digest = bytes(32 if sign is not sign_dsa else 20)
    for forged in (
        good.replace(DOCUMENT, other),
        sign(DOCUMENT, digest=digest),
        sign(DOCUMENT, algorithm=hashes.SHA384()),
        sign(DOCUMENT, name="stranger"),
    ):
        assert smime(forged, der) is None
        assert ours(verify, DOCUMENT, forged, der)
        assert ours(verify, other, forged, der)


@ATTACHED
@pytest.mark.attack("A1")
def test_a_flipped_bit_is_accepted_only_where_nothing_is_read(verify, sign, der):
    good = sign(DOCUMENT)
    accepted = {p for p in range(len(good)) if ours(verify, DOCUMENT, flipped(good, p), der) is None}
    assert accepted <= not_read(good, der)
    assert len(accepted) > 40


@ATTACHED
@pytest.mark.attack("A1")
def test_where_openssl_accepts_a_flipped_bit_and_ours_does_not_it_is_for_the_encoding(smime, verify, sign, der):
    """Every eleventh byte. OpenSSL reads other encodings and leaves the names of some algorithms unread."""
    good = sign(DOCUMENT)
    refused = 0
    for position in range(0, len(good), 11):
        code = ours(verify, DOCUMENT, flipped(good, position), der)
        refused += code is not None
        if code not in (None, "ber.wrong-tag", "ber.wrong-content", "identity.wrong-algorithm"):
            assert smime(flipped(good, position), der) != DOCUMENT, position
    assert refused > 40


@pytest.mark.attack("A1")
def test_both_judge_a_plain_signature_alike(dgst):
    der, good = certificate(1024), sign_plainly(DOCUMENT)
    cases = [(DOCUMENT, good), (DOCUMENT + b"\n", good), (document(accountId="999999999999"), good)]
    cases += [(DOCUMENT, flipped(good, position)) for position in range(0, 128, 5)]
    cases += [(DOCUMENT, sign_plainly(DOCUMENT, name="stranger")), (DOCUMENT, good[:-1])]
    cases += [(DOCUMENT, sign_plainly(DOCUMENT, algorithm=hashes.SHA1())), (DOCUMENT, b"")]
    verdicts = [(ours(plain, *case, der) is None, dgst(*case, der)) for case in cases]
    assert verdicts == [(True, True), *[(False, False)] * (len(cases) - 1)]
    longer = good + b"\0"  # OpenSSL reads as many bytes as the key has
    assert (ours(plain, DOCUMENT, longer, der), dgst(DOCUMENT, longer, der)) == ("signature.wrong-length", True)


def test_both_accept_a_genuine_document(smime, genuine_vectors):
    signed = (genuine_vectors / "iid/fullsailor-ec2-pkcs7-dsa-sha1.p7.der").read_bytes()
    der = aws_unsafe_legacy_dsa_certificates()["us-east-1"]
    content = smime(signed, der)
    assert content.startswith(b'{\n  "privateIp"')
    assert ours(pkcs7, content, signed, der, "us-east-1") is None
