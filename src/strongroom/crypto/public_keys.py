# SPDX-License-Identifier: Apache-2.0
"""Public keys as they travel: DER SubjectPublicKeyInfo (RFC 5280 section 4.1), named by its SHA-256."""

from __future__ import annotations

import enum
import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from strongroom.errors import FormatError
from strongroom.ids import KeyId, SpkiDer


def load_spki(spki: SpkiDer) -> PublicKeyTypes:
    """Return the key, of whatever kind. Raises FormatError for what is none, or none that can be read."""
    try:
        return load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FormatError(
            "key.unreadable",
            "expected a public key as DER SubjectPublicKeyInfo, found something else",
            spec="RFC 5280 section 4.1",
        ) from error


def key_of_nobody() -> SpkiDer:
    """Return the public half of a new EC key (P-256) whose private half nobody has: what receipts carry.

    KMS encrypts to RSA keys alone, so a document with this key opens nothing (docs/formats/console.md).
    """
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return SpkiDer(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def key_id_of(spki: SpkiDer) -> KeyId:
    """Return SHA-256 of a DER SubjectPublicKeyInfo: kid of signers, subjectKeyIdentifier of recipients."""
    return KeyId(hashlib.sha256(spki).digest())


class KeyKind(enum.StrEnum):
    """The values are how messages name them."""

    EC = "an EC key"
    RSA = "an RSA key"
    OTHER = "a key that is neither RSA nor EC"
    UNREADABLE = "no SubjectPublicKeyInfo"


def key_kind(spki: bytes) -> KeyKind:
    """Return what kind of key this is, for display: it says nothing about its strength."""
    try:
        key = load_spki(SpkiDer(spki))
    except FormatError:
        return KeyKind.UNREADABLE
    if isinstance(key, ec.EllipticCurvePublicKey):
        return KeyKind.EC
    return KeyKind.RSA if isinstance(key, rsa.RSAPublicKey) else KeyKind.OTHER
