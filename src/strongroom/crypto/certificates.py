# SPDX-License-Identifier: Apache-2.0
"""Reading certificates (RFC 5280), and PEM files of them. Reading one vouches for nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.errors import FormatError
from strongroom.formats.file_kind import guess_kind
from strongroom.ids import CertificateDer


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
    return _read_name("subject", lambda: certificate.subject)


def read_issuer(certificate: x509.Certificate) -> x509.Name:
    """Return the issuer's name in a certificate. Raises FormatError for one that cannot be read."""
    return _read_name("issuer", lambda: certificate.issuer)


def _read_name(which: str, read: Callable[[], x509.Name]) -> x509.Name:
    try:
        return read()
    except (ValueError, TypeError) as error:  # TypeError: an attribute of a string type that its kind never has
        raise FormatError(
            "certificate.unreadable", f"the {which} of a certificate cannot be read: {error}", spec="RFC 5280"
        ) from error


def parse_pem_certificates(pem: bytes) -> tuple[CertificateDer, ...]:
    """Return every certificate in a PEM file, at least one, in its order. Raises FormatError."""
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except (ValueError, x509.InvalidVersion) as error:
        raise FormatError(
            "certificate.not-pem",
            f"expected certificates in PEM; this looks like {guess_kind(pem)}: {error}",
            spec="RFC 7468",
        ) from error
    return tuple(CertificateDer(certificate.public_bytes(Encoding.DER)) for certificate in certificates)


def sha256_fingerprint(der: CertificateDer) -> bytes:
    """Return the SHA-256 of the certificate's DER, by which it is pinned."""
    return hashlib.sha256(der).digest()


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
    return CertificateFacts(
        subject=read_subject(certificate).rfc4514_string(),
        begins=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
        sha256=sha256_fingerprint(der),
    )
