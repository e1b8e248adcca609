# SPDX-License-Identifier: Apache-2.0
"""Whether a signature is good for a digest, under the public area of a key (Part 1, annexes B and C)."""

from __future__ import annotations

import hmac

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from strongroom.crypto.tpm import mac
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.public_area import KeyedHashParameters, PublicArea
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import SIGNING_SCHEMES_BY_TYPE, Scheme
from strongroom.formats.tpm.signature import EcdsaSignature, HmacSignature, RsaSignature, Signature
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.crypto.keys import HASHES, public_key
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.objects import TpmObject


def verify_signature(public: PublicArea, digest: bytes, signature: Signature, *, secret: bytes | None = None) -> None:
    """Verify a signature over a digest. Whether the key is one to trust is for the caller to say.

    `secret` is the key of an HMAC, None where it is not loaded. Raises Refused, without the number of the parameter:
    SCHEME where such a key has no such signatures, HANDLE where an HMAC's key is not loaded, SIGNATURE where it is not
    good, or the digest is not one of its hash algorithm.
    """
    if _scheme(signature) not in SIGNING_SCHEMES_BY_TYPE.get(public.type, frozenset()):
        raise Refused(Rc.SCHEME)
    if isinstance(signature, HmacSignature):
        _verify_hmac(public, digest, signature, secret)
        return
    if len(digest) != HASH_BYTES[signature.hash]:
        raise Refused(Rc.SIGNATURE)
    try:
        _verify(public, digest, signature)
    except (InvalidSignature, ValueError) as wrong:  # ValueError: numbers that are no key
        raise Refused(Rc.SIGNATURE) from wrong


def verify_with(key: TpmObject, digest: bytes, signature: Signature, *, number: int) -> None:
    """Verify a signature with a loaded key. Raises Refused as `verify_signature`, blaming the numbered parameter."""
    secret = key.sensitive.value if key.sensitive is not None else None
    try:
        verify_signature(key.public, digest, signature, secret=secret)
    except Refused as wrong:
        raise refusal.parameter(Rc(wrong.rc), number) from wrong


def _scheme(signature: Signature) -> Alg:
    if isinstance(signature, RsaSignature):
        return signature.scheme
    return Alg.ECDSA if isinstance(signature, EcdsaSignature) else Alg.HMAC


def _verify_hmac(public: PublicArea, digest: bytes, signature: HmacSignature, secret: bytes | None) -> None:
    if secret is None:
        raise Refused(Rc.HANDLE)
    wanted = public.parameters.scheme if isinstance(public.parameters, KeyedHashParameters) else Scheme()
    # A key that is for one hash algorithm alone does not vouch for what a weaker one made.
    fits = wanted.algorithm is Alg.NULL or (wanted.algorithm, wanted.hash) == (Alg.HMAC, signature.hash)
    if not (fits and hmac.compare_digest(mac(signature.hash, secret, digest), signature.digest)):
        raise Refused(Rc.SIGNATURE)


def _verify(public: PublicArea, digest: bytes, signature: RsaSignature | EcdsaSignature) -> None:
    key, algorithm = public_key(public), Prehashed(HASHES[signature.hash]())
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(signature, EcdsaSignature):
        numbers = int.from_bytes(signature.r), int.from_bytes(signature.s)
        key.verify(encode_dss_signature(*numbers), digest, ec.ECDSA(algorithm))
    elif isinstance(key, rsa.RSAPublicKey) and isinstance(signature, RsaSignature):
        key.verify(signature.signature, digest, _padding(signature), algorithm)
    else:
        raise TypeError("the scheme of the signature was compared with the kind of key before")


def _padding(signature: RsaSignature) -> padding.AsymmetricPadding:
    if signature.scheme is Alg.RSASSA:
        return padding.PKCS1v15()
    # The salt of a TPM is as long as fits or as long as the digest, by its firmware: either is good (Part 1, B.7).
    return padding.PSS(padding.MGF1(HASHES[signature.hash]()), padding.PSS.AUTO)
