# SPDX-License-Identifier: Apache-2.0
"""The three signatures with which EC2 signs instance identity documents.

Each is verified with the key of a pinned certificate. The certificate's own signature and dates are not looked at: it
is trusted because it is pinned. Functions with `unsafe` in their names are for algorithms that are weak today: NIST
allows neither SHA-1 nor 1,024-bit keys for new signatures (SP 800-131A revision 2, sections 3 and 9).
Source: EC2 User Guide, "Verify the instance identity document".
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from strongroom.crypto.certificates import load_certificate, load_public_key
from strongroom.errors import NotAuthentic
from strongroom.ids import CertificateDer

_RSA_BITS: Final = 2048
_LEGACY_BITS: Final = 1024
"""Of the RSA keys of `signature` and the DSA keys of `pkcs7`."""


def verify_rsa2048_sha256(signature: bytes, message: bytes, *, certificate: CertificateDer) -> None:
    """Return if `signature` (PKCS#1 v1.5, SHA-256) is one of the RSA-2048 key in the pinned `certificate`.

    Raises NotAuthentic, and FormatError for a certificate that cannot be read.
    """
    _verify_rsa_sha256(signature, message, certificate, bits=_RSA_BITS)


def verify_unsafe_legacy_rsa1024_sha256(signature: bytes, message: bytes, *, certificate: CertificateDer) -> None:
    """Return if `signature` (PKCS#1 v1.5, SHA-256) is one of the RSA-1024 key in the pinned `certificate`: weak.

    Raises NotAuthentic, and FormatError for a certificate that cannot be read.
    """
    _verify_rsa_sha256(signature, message, certificate, bits=_LEGACY_BITS)


def verify_unsafe_legacy_dsa1024_sha1(signature: bytes, message: bytes, *, certificate: CertificateDer) -> None:
    """Return if `signature` is one of the DSA-1024 key in the pinned `certificate`, with SHA-1: weak.

    The signature is the DER of r and s (RFC 3279 section 2.2.2); any other encoding of the two numbers is refused.
    Raises NotAuthentic, and FormatError for a certificate that cannot be read.
    """
    key = load_public_key(load_certificate(certificate))
    if not isinstance(key, dsa.DSAPublicKey) or key.key_size != _LEGACY_BITS:
        raise _wrong_key(f"DSA-{_LEGACY_BITS}")
    try:
        key.verify(signature, message, SHA1())  # noqa: S303 -- what EC2 signs `pkcs7` with
    except InvalidSignature as error:
        raise NotAuthentic("signature.invalid", "the DSA signature does not fit the content and the key") from error


def _verify_rsa_sha256(signature: bytes, message: bytes, certificate: CertificateDer, *, bits: int) -> None:
    key = load_public_key(load_certificate(certificate))
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size != bits:
        raise _wrong_key(f"RSA-{bits}")
    if len(signature) != bits // 8:
        raise NotAuthentic(
            "signature.wrong-length", f"expected a signature of {bits // 8} bytes, found {len(signature)} bytes"
        )
    try:
        key.verify(signature, message, PKCS1v15(), SHA256())
    except InvalidSignature as error:
        raise NotAuthentic("signature.invalid", "the RSA signature does not fit the content and the key") from error


def _wrong_key(wanted: str) -> NotAuthentic:
    return NotAuthentic(
        "signature.wrong-key",
        f"expected a certificate for a key of the kind {wanted}, found one of another kind",
        remedy="AWS publishes three certificates for each Region: DSA, RSA and RSA-2048. Each verifies one kind.",
    )
