# SPDX-License-Identifier: Apache-2.0
import hashlib
from importlib import resources

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.nitro_pki import NOW, ORDER, Pki, good_pki, other_form

from strongroom.crypto.certificates import (
    describe_certificate,
    load_certificate,
    parse_pem_certificates,
    sha256_fingerprint,
    sha256_fingerprints,
)
from strongroom.errors import FormatError

DER = good_pki().certificates["root"]
PEM = x509.load_der_x509_certificate(DER).public_bytes(Encoding.PEM)


@pytest.mark.parametrize("data", [b"", b"\x30\x00", DER[:-1], DER + b"\0", PEM])
def test_what_is_no_der_certificate_is_malformed(data):
    with pytest.raises(FormatError) as caught:
        load_certificate(data)
    assert caught.value.code == "certificate.unreadable"


def test_a_pem_file_may_hold_several():
    assert parse_pem_certificates(PEM + b"\n" + PEM) == (DER, DER)


@pytest.mark.parametrize("data", [b"", b"hello", DER, PEM[:-40], PEM.replace(b"CERTIFICATE", b"PUBLIC KEY")])
def test_what_is_no_pem_is_malformed(data):
    with pytest.raises(FormatError) as caught:
        parse_pem_certificates(data)
    assert caught.value.code == "certificate.not-pem"


def test_facts_are_what_the_certificate_says():
    facts = describe_certificate(DER)
    assert facts.subject.endswith("CN=aws.nitro-enclaves")
    assert facts.begins < facts.ends
    assert facts.sha256 == sha256_fingerprint(DER) == hashlib.sha256(DER).digest()


def test_a_subject_that_cannot_be_read_is_malformed():
    broken = DER.replace(b"Amazon", b"\xff\xfe\xfdzon")
    with pytest.raises(FormatError) as caught:
        describe_certificate(broken)
    assert caught.value.code == "certificate.unreadable"


@pytest.mark.parametrize("year", [b"2051", b"2052"])
def test_a_date_that_is_none_is_malformed(year):
    der = Pki(root={"begins": NOW.replace(year=2051), "ends": NOW.replace(year=2052)}).certificates["root"]
    with pytest.raises(FormatError) as caught:
        describe_certificate(der.replace(b"\x18\x0f" + year, b"\x18\x0f0000"))
    assert caught.value.code == "certificate.unreadable"


@pytest.mark.attack("A8")
@pytest.mark.parametrize("position", ORDER)
def test_a_certificate_has_two_fingerprints_whichever_form_is_shown(position):
    der = good_pki().certificates[position]
    other = other_form(der)
    assert other_form(other) == der
    assert (
        sha256_fingerprints(der) == sha256_fingerprints(other) == {sha256_fingerprint(der), sha256_fingerprint(other)}
    )


def test_a_certificate_that_is_not_signed_with_ecdsa_has_one_fingerprint():
    folder = resources.files("strongroom").joinpath("data", "identity-certificates")
    (rsa,) = parse_pem_certificates(folder.joinpath("eu-central-1.pem").read_bytes())
    assert sha256_fingerprints(rsa) == {sha256_fingerprint(rsa)}


def test_a_signature_outside_the_group_has_one_form():
    signature = load_certificate(DER).signature
    body = DER[: -len(signature)]
    outside = b"\x30" + bytes([len(signature) - 2]) + b"\x02\x01\x01" + b"\x02" + bytes([len(signature) - 7])
    broken = body + outside + b"\x7f" + b"\xff" * (len(signature) - 8)
    assert len(broken) == len(DER)
    assert sha256_fingerprints(broken) == {sha256_fingerprint(broken)}
