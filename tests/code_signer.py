# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates that sign EFI images: made once, by `cryptography`, which signs no image here."""

import functools
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from strongroom.crypto.image_signer import RsaImageSigner, parse_image_signer
from strongroom.ids import CertificateDer

NOT_BEFORE, NOT_AFTER = datetime(2024, 1, 1, tzinfo=UTC), datetime(2044, 1, 1, tzinfo=UTC)


@functools.cache
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, bits)


def certify(public_key, name: str) -> CertificateDer:
    """A certificate for any public key, issued by a key that is nobody's."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, public_key, 0x1234, NOT_BEFORE, NOT_AFTER)
    return CertificateDer(builder.sign(rsa_key("issuer"), SHA256()).public_bytes(Encoding.DER))


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@functools.cache
def image_signer(name: str = "db", bits: int = 2048) -> RsaImageSigner:
    key = rsa_key(name, bits)
    return parse_image_signer(pem(key), self_signed(name, bits))


@functools.cache
def self_signed(name: str, bits: int = 2048) -> CertificateDer:
    key = rsa_key(name, bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 0x8234, NOT_BEFORE, NOT_AFTER)
    return CertificateDer(builder.sign(key, SHA256()).public_bytes(Encoding.DER))


@dataclass(frozen=True)
class LyingSigner:
    """Says that it has one certificate, and signs with another's key."""

    certificate: CertificateDer

    def sign_digest(self, digest: bytes) -> bytes:
        return image_signer("somebody else").sign_digest(digest)
