# SPDX-License-Identifier: Apache-2.0
"""What a quote is checked with: the key's qualified name, its signature, and how a document speaks for a key."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.crypto.signatures import verify_es384
from strongroom.crypto.tpm import object_name, qualified_name
from strongroom.errors import NotAuthentic
from strongroom.formats.tpm.algorithms import COORDINATE_BYTES, Alg, Curve
from strongroom.formats.tpm.attributes import ObjectAttributes as A
from strongroom.formats.tpm.public_area import EccParameters, EccPoint, PublicArea
from strongroom.formats.tpm.schemes import NO_SCHEME, NO_SYMMETRIC, Scheme
from strongroom.formats.tpm.signature import EcdsaSignature
from strongroom.formats.tpm.wire import u32

_BINDING = b"strongroom/tpm-quote-key/v1\0"
"""In front of the digest, so that no other use of user data can be taken for it (ATTACKS A18)."""
_SIZE = COORDINATE_BYTES[Curve.NIST_P384]


def quote_key_template(unique: EccPoint) -> PublicArea:
    """Return the public area of a key that signs what the TPM itself made, and nothing else: it is restricted.

    ECDSA over P-384 with SHA-384. `unique` makes it another key than its like.
    """
    return PublicArea(
        Alg.ECC,
        Alg.SHA384,
        A.FIXED_TPM
        | A.FIXED_PARENT
        | A.SENSITIVE_DATA_ORIGIN
        | A.USER_WITH_AUTH
        | A.NO_DA
        | A.RESTRICTED
        | A.SIGN_ENCRYPT,
        b"",
        EccParameters(NO_SYMMETRIC, Scheme(Alg.ECDSA, Alg.SHA384), Curve.NIST_P384, NO_SCHEME),
        unique,
    )


def quote_key_binding(key: PublicArea) -> bytes:
    """Return the user data of the document that speaks for a key."""
    return _BINDING + hashlib.sha384(key.encode()).digest()


def primary_name(key: PublicArea, hierarchy: int) -> bytes:
    """Return the qualified name of a primary key: where it hangs, and what it is (Part 1, section 26.5)."""
    return qualified_name(key.name_alg, u32(hierarchy), object_name(key))


def verify_tpm_signature(signature: EcdsaSignature, message: bytes, *, key: PublicArea) -> None:
    """Return if the signature is one of the key over the message. Raises NotAuthentic."""
    if signature.hash is not Alg.SHA384 or not isinstance(key.unique, EccPoint):
        raise NotAuthentic("quote.algorithm", "expected ECDSA over P-384 with SHA-384, found another signature or key")
    x, y = int.from_bytes(key.unique.x), int.from_bytes(key.unique.y)
    try:
        public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP384R1()).public_key()
    except ValueError as error:
        raise NotAuthentic("quote.point", "expected a point on P-384 as the key, found none") from error
    verify_es384(signature.r.rjust(_SIZE, b"\0") + signature.s.rjust(_SIZE, b"\0"), message, key=public)
