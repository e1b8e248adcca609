# SPDX-License-Identifier: Apache-2.0
"""Signing a digest with a loaded key: which scheme, and the signature (Part 1, annexes B.6, B.7 and C.4.2)."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature

from strongroom.crypto.tpm import mac
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.public_area import SymCipherParameters
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import NO_SCHEME, SIGNING_SCHEMES, SIGNING_SCHEMES_BY_TYPE, Scheme, read_scheme
from strongroom.formats.tpm.signature import EcdsaSignature, HmacSignature, RsaSignature, Signature
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.keys import HASHES, PrivateKey, private_key
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import Parameter
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Hierarchy
from strongroom.twin.nitrotpm.state.objects import TpmObject

SIGNING_SCHEME = Parameter(lambda reader: read_scheme(reader, SIGNING_SCHEMES))
_PSS_OVERHEAD_BYTES = 2


def signer(call: Call, number: int) -> TpmObject | None:
    """Return the key under a handle, None for the NULL handle. Raises Refused (KEY) for what does not sign."""
    found = call.found[number - 1]
    if isinstance(found, Hierarchy):
        return None
    if not isinstance(found, TpmObject) or found.public.type is Alg.SYMCIPHER:
        raise refusal.handle(Rc.KEY, number)
    if not found.has(ObjectAttributes.SIGN_ENCRYPT):
        raise refusal.handle(Rc.KEY, number)
    return found


def chosen_scheme(key: TpmObject | None, asked: Scheme, *, number: int) -> Scheme:
    """Return the scheme to sign with: the key's own, or the caller's where the key leaves it open.

    Raises Refused (SCHEME), blaming a parameter, where there is none, the two differ, or such a key does not sign like
    that. No key: no scheme.
    """
    if key is None:
        return NO_SCHEME
    own = _own_scheme(key)
    chosen = asked if own.algorithm is Alg.NULL else own
    if chosen.algorithm not in SIGNING_SCHEMES_BY_TYPE[key.public.type] or asked not in {NO_SCHEME, chosen}:
        raise refusal.parameter(Rc.SCHEME, number)
    return chosen


def _own_scheme(key: TpmObject) -> Scheme:
    parameters = key.public.parameters
    if isinstance(parameters, SymCipherParameters):
        raise TypeError("a symmetric cipher does not sign")
    return parameters.scheme


def sign(chip: Chip, key: TpmObject, scheme: Scheme, digest: bytes) -> Signature:
    """Return a signature over a digest, with a scheme that `chosen_scheme` returned for this key.

    Raises Refused (VALUE) where the digest is not one of the scheme's hash algorithm.
    """
    if len(digest) != HASH_BYTES[scheme.hash]:
        raise Refused(Rc.VALUE)
    if scheme.algorithm is Alg.HMAC:
        return HmacSignature(scheme.hash, mac(scheme.hash, key.secret.value, digest))
    return _sign(private_key(chip, key), scheme, digest)


def _sign(private: PrivateKey, scheme: Scheme, digest: bytes) -> Signature:
    algorithm = Prehashed(HASHES[scheme.hash]())
    if isinstance(private, ec.EllipticCurvePrivateKey):
        size = -(-private.curve.group_order.bit_length() // 8)
        r, s = decode_dss_signature(private.sign(digest, ec.ECDSA(algorithm)))
        return EcdsaSignature(scheme.hash, r.to_bytes(size), s.to_bytes(size))
    made = private.sign(digest, _padding(private, scheme), algorithm)
    return RsaSignature(scheme.algorithm, scheme.hash, made)


def _padding(private: rsa.RSAPrivateKey, scheme: Scheme) -> padding.AsymmetricPadding:
    if scheme.algorithm is Alg.RSASSA:
        return padding.PKCS1v15()
    # As long as the digest, or what fits beside it in a small key (FIPS 186-4, 5.5).
    size = HASH_BYTES[scheme.hash]
    salt = min(size, private.key_size // 8 - size - _PSS_OVERHEAD_BYTES)
    return padding.PSS(padding.MGF1(HASHES[scheme.hash]()), salt)
