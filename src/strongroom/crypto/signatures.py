# SPDX-License-Identifier: Apache-2.0
"""Raw COSE signatures, ES384 (RFC 9053 section 2.1) and Ed25519 (section 2.2).

ES384 signatures are r || s and nothing else. DER-encoded ones are refused by their length, out-of-range numbers before
the arithmetic (ATTACKS A8). For each ES384 signature a second one (r, n - s) is valid too: never use a signature as
the identity of what it signs.
"""

from __future__ import annotations

from typing import TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from strongroom.crypto.certificates import P384_ORDER
from strongroom.crypto.public_keys import load_spki
from strongroom.errors import NotAuthentic
from strongroom.ids import SpkiDer

P384Key: TypeAlias = ec.EllipticCurvePublicKey
"""A public key that `load_p384_key` or the chain has found to be on P-384."""

_COORDINATE_BYTES = 48
_ES384 = ec.ECDSA(SHA384())


def load_p384_key(public_key: SpkiDer) -> P384Key:
    """Return the P-384 key in `public_key`. Raises FormatError when it is no key, NotAuthentic for another kind."""
    key = load_spki(public_key)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise NotAuthentic("signature.wrong-key", "expected a P-384 public key, found one of another kind")
    return key


def verify_es384(signature: bytes, message: bytes, *, key: P384Key) -> None:
    """Return if `signature` (r || s, 96 bytes) is one of `key` over `message`. Raises NotAuthentic."""
    if len(signature) != 2 * _COORDINATE_BYTES:
        raise NotAuthentic(
            "signature.wrong-length", f"expected an ES384 signature of 96 bytes, found {len(signature)} bytes"
        )
    r, s = int.from_bytes(signature[:_COORDINATE_BYTES]), int.from_bytes(signature[_COORDINATE_BYTES:])
    if not (0 < r < P384_ORDER and 0 < s < P384_ORDER):
        raise NotAuthentic("signature.out-of-range", "expected r and s from 1 to n-1, found one outside (FIPS 186-5)")
    try:
        key.verify(encode_dss_signature(r, s), message, _ES384)
    except InvalidSignature as error:
        raise NotAuthentic("signature.invalid", "the ES384 signature does not fit the content and the key") from error


def verify_ed25519(signature: bytes, message: bytes, *, public_key: SpkiDer) -> None:
    """Return if `signature` (64 bytes) is one of the Ed25519 `public_key` over `message`. Raises NotAuthentic."""
    key = load_spki(public_key)
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise NotAuthentic("signature.wrong-key", "expected an Ed25519 public key, found one of another kind")
    try:
        key.verify(signature, message)
    except InvalidSignature as error:
        raise NotAuthentic("signature.invalid", "the Ed25519 signature does not fit the content and the key") from error
