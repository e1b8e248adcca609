# SPDX-License-Identifier: Apache-2.0
"""Signs instance identity documents in EC2's shape, with a Region certificate of its own."""

from __future__ import annotations

import functools
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom.formats.pkcs7 import encode_signed_attributes, encode_signed_data
from strongroom.ids import CertificateDer, Region

TIME = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
REGION = Region("eu-west-1")
FIELDS: dict[str, Any] = {
    "accountId": "111122223333",
    "architecture": "x86_64",
    "availabilityZone": "eu-west-1a",
    "billingProducts": None,
    "devpayProductCodes": None,
    "imageId": "ami-0123456789abcdef0",
    "instanceId": "i-0123456789abcdef0",
    "instanceType": "m7i.large",
    "kernelId": None,
    "marketplaceProductCodes": None,
    "pendingTime": "2026-06-01T11:59:00Z",
    "privateIp": "10.0.0.7",
    "ramdiskId": None,
    "region": REGION,
    "version": "2017-09-30",
}


@functools.cache
def key(bits: int = 2048, name: str = "region") -> rsa.RSAPrivateKey:
    """One key for each name, made once a run."""
    return rsa.generate_private_key(65537, bits)


@functools.cache
def certificate(bits: int = 2048, name: str = "region") -> CertificateDer:
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Amazon Web Services LLC")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key(bits, name).public_key())
        .serial_number(0xB169CC401559A419)
        .not_valid_before(TIME - timedelta(days=3650))
        .not_valid_after(TIME + timedelta(days=3650))
    )
    return CertificateDer(builder.sign(key(bits, name), hashes.SHA256()).public_bytes(Encoding.DER))


def document(**changes: Any) -> bytes:
    fields = {name: value for name, value in (FIELDS | changes).items() if value is not Ellipsis}
    return json.dumps(fields, indent=2, separators=(",", " : ")).encode()


def sign(
    content: bytes, *, bits: int = 2048, name: str = "region", digest: bytes | None = None, algorithm: Any = None
) -> bytes:
    attributes = encode_signed_attributes(
        message_digest=hashlib.sha256(content).digest() if digest is None else digest, signing_time=TIME
    )
    signature = key(bits, name).sign(attributes, padding.PKCS1v15(), algorithm or hashes.SHA256())
    shown = x509.load_der_x509_certificate(certificate(bits, name))
    return encode_signed_data(
        content,
        signed_attributes=attributes,
        signature=signature,
        issuer=shown.issuer.public_bytes(),
        serial_number=shown.serial_number,
    )
