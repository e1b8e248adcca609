# SPDX-License-Identifier: Apache-2.0
import hashlib
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa

from strongroom.appraisal.identity_certificates import (
    CLASSIC_DSA_REGIONS,
    aws_identity_certificates,
    aws_unsafe_legacy_dsa_certificates,
)


def test_the_packaged_certificates_are_rsa_2048_and_one_per_region():
    certificates = aws_identity_certificates()
    assert len(certificates) == 39
    assert {"us-east-1", "eu-central-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"} <= set(certificates)
    loaded = [x509.load_der_x509_certificate(der) for der in certificates.values()]
    assert {c.public_key().key_size for c in loaded} == {2048}
    assert len({c.public_key().public_numbers() for c in loaded}) == 39
    with pytest.raises(TypeError):
        certificates["us-east-1"] = b""


def test_the_packaged_certificates_are_those_that_were_gathered(genuine_vectors):
    folder = genuine_vectors / "iid/rsa2048-certs"
    gathered = {
        file.stem: x509.load_pem_x509_certificate(file.read_bytes()).fingerprint(hashes.SHA256())
        for file in folder.glob("*.pem")
    }
    packaged = aws_identity_certificates()
    assert gathered == {region: hashlib.sha256(der).digest() for region, der in packaged.items()}


def test_one_dsa_certificate_serves_the_regions_of_before_2019():
    certificates = aws_unsafe_legacy_dsa_certificates()
    assert tuple(certificates) == CLASSIC_DSA_REGIONS
    assert set(certificates) < set(aws_identity_certificates())
    assert set(certificates).isdisjoint({"ap-east-1", "me-south-1", "af-south-1", "eu-south-1", "cn-north-1"})
    (der,) = set(certificates.values())
    classic = x509.load_der_x509_certificate(der)
    key = classic.public_key()
    assert isinstance(key, dsa.DSAPublicKey)
    assert key.key_size == 1024
    assert classic.not_valid_before_utc == datetime(2012, 1, 5, 12, 56, 12, tzinfo=UTC)
    assert classic.not_valid_after_utc == datetime(2038, 1, 5, 12, 56, 12, tzinfo=UTC)
    with pytest.raises(TypeError):
        certificates["us-east-1"] = b""


def test_the_packaged_dsa_certificate_is_the_one_that_was_gathered(genuine_vectors):
    pem = (genuine_vectors / "iid/aws-iid-dsa-public-cert-classic.pem").read_bytes()
    fingerprint = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256())
    assert {hashlib.sha256(der).digest() for der in aws_unsafe_legacy_dsa_certificates().values()} == {fingerprint}
