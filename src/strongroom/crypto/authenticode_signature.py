# SPDX-License-Identifier: Apache-2.0
"""The certificates that an Authenticode signature carries (PKCS#7 SignedData, RFC 2315). Nothing is verified."""

from __future__ import annotations

import warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.hazmat.primitives.serialization.pkcs7 import load_der_pkcs7_certificates

from strongroom.errors import FormatError
from strongroom.ids import CertificateDer

MAX_SIGNATURE_BYTES = 65_536
"""A signature with its chain has 1 to 10 KB."""


def embedded_certificates(pkcs7: bytes) -> tuple[CertificateDer, ...]:
    """Return the certificates inside a signature, in DER, in order. Says nothing about whether it holds.

    Raises FormatError for what is not a PKCS#7 SignedData.
    """
    if len(pkcs7) > MAX_SIGNATURE_BYTES:
        raise FormatError(
            "signature.too-large", f"expected a signature of at most {MAX_SIGNATURE_BYTES} bytes, found {len(pkcs7)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it reads what is BER only with a warning; Authenticode allows that
            certificates = load_der_pkcs7_certificates(pkcs7)
            return tuple(CertificateDer(certificate.public_bytes(Encoding.DER)) for certificate in certificates)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise FormatError(
            "signature.not-pkcs7",
            "expected a PKCS#7 SignedData with its certificates, found other bytes",
            spec="RFC 2315 section 9",
        ) from error
