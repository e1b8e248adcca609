# SPDX-License-Identifier: Apache-2.0
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.nitro_pki import good_pki

from strongroom.crypto.certificates import (
    describe_certificate,
    load_certificate,
    parse_pem_certificates,
    sha256_fingerprint,
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
