# SPDX-License-Identifier: Apache-2.0
"""Reading certificates (RFC 5280), and PEM files of them. Reading one vouches for nothing."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.errors import FormatError
from strongroom.formats.ber import encode_definite
from strongroom.formats.file_kind import FileKind, guess_kind, looks_like
from strongroom.ids import CertificateDer

P384_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
"""n of P-384 (SEC 2 section 2.5.1)."""
_SEQUENCE = 0x30
_BIT_STRING = 0x03


def load_certificate(der: CertificateDer) -> x509.Certificate:
    """Return the certificate in `der`. Raises FormatError."""
    try:
        return x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion) as error:
        raise FormatError(
            "certificate.unreadable", f"expected a DER certificate, found something else: {error}", spec="RFC 5280"
        ) from error


def load_public_key(certificate: x509.Certificate) -> CertificatePublicKeyTypes:
    """Return the public key of a certificate. Raises FormatError for one that cannot be read or is of no known kind."""
    try:
        return certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FormatError(
            "certificate.unreadable-key", f"the public key of a certificate cannot be read: {error}", spec="RFC 5280"
        ) from error


def read_subject(certificate: x509.Certificate) -> x509.Name:
    """Return the subject of a certificate. Raises FormatError for one that cannot be read."""
    try:
        return certificate.subject
    except (ValueError, TypeError) as error:  # TypeError: an attribute of a string type that its kind never has
        raise FormatError(
            "certificate.unreadable", f"the subject of a certificate cannot be read: {error}", spec="RFC 5280"
        ) from error


def read_validity(certificate: x509.Certificate) -> tuple[datetime, datetime]:
    """Return when a certificate begins and ends. Raises FormatError for what is no date, such as one in the year 0."""
    try:
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except ValueError as error:
        raise FormatError(
            "certificate.unreadable", f"the validity of a certificate cannot be read: {error}", spec="RFC 5280"
        ) from error


def parse_pem_certificates(pem: bytes) -> tuple[CertificateDer, ...]:
    """Return every certificate in a PEM file, at least one, in its order. Raises FormatError."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion) as error:
        broken = ", whose contents are damaged" if guess_kind(pem) is FileKind.PEM_CERTIFICATE else ""
        raise FormatError(
            "certificate.not-pem",
            f"expected certificates in PEM, found what looks like {looks_like(pem)}{broken}",
            spec="RFC 7468",
        ) from error
    return tuple(CertificateDer(certificate.public_bytes(Encoding.DER)) for certificate in certificates)


def sha256_fingerprint(der: CertificateDer) -> bytes:
    """Return the SHA-256 of the certificate's DER, by which it is pinned."""
    return hashlib.sha256(der).digest()


def sha256_fingerprints(der: CertificateDer) -> frozenset[bytes]:
    """Return the SHA-256 of a P-384 certificate in both forms that its signature has: (r, s) and (r, n - s).

    Whoever holds one can write the other, which verifies as well and has another SHA-256 (ATTACKS A8): to find a
    certificate in a list, look for both. A signature that is none of ECDSA on P-384 has one form. Raises FormatError.
    """
    certificate = load_certificate(der)
    other = _other_form(der, certificate)
    return frozenset(map(sha256_fingerprint, (der,) if other is None else (der, other)))


def _other_form(der: CertificateDer, certificate: x509.Certificate) -> CertificateDer | None:
    try:
        r, s = decode_dss_signature(certificate.signature)
    except ValueError:
        return None
    if not 0 < s < P384_ORDER:
        return None
    old, new = (
        encode_definite(_BIT_STRING, b"\0" + signature)
        for signature in (certificate.signature, encode_dss_signature(r, P384_ORDER - s))
    )
    signed = der[der.index(certificate.tbs_certificate_bytes) : -len(old)]
    return CertificateDer(encode_definite(_SEQUENCE, signed + new))


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What an unverified certificate says about itself, for display."""

    subject: str
    """RFC 4514."""
    begins: datetime
    ends: datetime
    sha256: bytes


def describe_certificate(der: CertificateDer) -> CertificateFacts:
    """Return what a certificate says. Nobody has vouched for it. Raises FormatError."""
    certificate = load_certificate(der)
    begins, ends = read_validity(certificate)
    return CertificateFacts(
        subject=read_subject(certificate).rfc4514_string(),
        begins=begins,
        ends=ends,
        sha256=sha256_fingerprint(der),
    )
