# SPDX-License-Identifier: Apache-2.0
"""A secret that travels under someone's public key: salts, and seeds of duplicates and credentials.

Part 1, annexes B.10 and C.6.
"""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from strongroom.crypto.tpm import kdf_e
from strongroom.formats.tpm.algorithms import COORDINATE_BYTES, HASH_BYTES, Alg
from strongroom.formats.tpm.public_area import EccParameters, EccPoint, PublicArea, RsaParameters, read_point
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import NO_SCHEME
from strongroom.formats.tpm.wire import Reader, TpmFormatError
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.crypto.keys import CURVES, HASHES, encode_point, point_key, private_key, public_key
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import TpmObject

SALT, DUPLICATE, IDENTITY = "SECRET", "DUPLICATE", "IDENTITY"
"""Labels: what the secret is for."""


def shared_seed(public: PublicArea, label: str) -> tuple[bytes, bytes]:
    """Return a new seed, and the secret that tells it to the owner of a key.

    Raises Refused: KEY for numbers that are no key, FAILURE for one that encrypts no seed, too short or even.
    """
    hash_ = public.name_alg
    try:
        key = public_key(public)
    except ValueError as wrong:
        raise Refused(Rc.KEY) from wrong
    if isinstance(key, rsa.RSAPublicKey):
        seed = secrets.token_bytes(HASH_BYTES[hash_])
        try:
            return seed, key.encrypt(seed, _oaep(hash_, label))
        except ValueError as wrong:
            raise Refused(Rc.FAILURE) from wrong
    return _shared_ecc(public, key, label)


def _shared_ecc(public: PublicArea, key: ec.EllipticCurvePublicKey, label: str) -> tuple[bytes, bytes]:
    if not isinstance(public.parameters, EccParameters) or not isinstance(public.unique, EccPoint):
        raise TypeError("not an ECC key")
    curve, hash_ = public.parameters.curve, public.name_alg
    ours = ec.generate_private_key(CURVES[curve]())
    point = encode_point(ours.public_key())
    shared = ours.exchange(ec.ECDH(), key)
    theirs = public.unique.x.rjust(COORDINATE_BYTES[curve], b"\0")
    return kdf_e(hash_, shared, label, u=point.x, v=theirs, bits=HASH_BYTES[hash_] * 8), point.encode()


def opened_seed(chip: Chip, key: TpmObject, secret: bytes, label: str, *, number: int) -> bytes:
    """Return the seed that someone encrypted to a key. Raises Refused, blaming a parameter where that is known.

    What padding was wrong in an RSA secret is not told apart: FAILURE says that it was not made for this key.
    """
    unique = key.public.unique
    if isinstance(unique, bytes) and len(secret) != len(unique):
        raise refusal.parameter(Rc.SIZE, number)
    try:
        seed = decrypt_secret(chip, key, secret, label)
    except TpmFormatError as malformed:
        raise refusal.parameter(malformed.rc, number) from malformed
    except ValueError as wrong:
        if isinstance(unique, bytes):
            raise Refused(Rc.FAILURE) from wrong
        raise refusal.parameter(Rc.ECC_POINT, number) from wrong
    if len(seed) > HASH_BYTES[key.public.name_alg]:
        raise refusal.parameter(Rc.VALUE, number)
    return seed


def decrypt_secret(chip: Chip, tpm_object: TpmObject, secret: bytes, label: str) -> bytes:
    """Return the salt or seed that someone encrypted to a key (Part 1, annexes B.10 and C.6.1).

    Raises ValueError where it was not made for this key, TpmFormatError where it is malformed.
    """
    key, public = private_key(chip, tpm_object), tpm_object.public
    hash_ = public.name_alg
    if isinstance(key, rsa.RSAPrivateKey):
        return key.decrypt(secret, _oaep(_oaep_hash(public), label))
    if not isinstance(public.parameters, EccParameters) or not isinstance(public.unique, EccPoint):
        raise TypeError("not an ECC key")
    if hash_ is Alg.NULL:
        raise ValueError("a key without a name has no hash to derive with")
    curve = public.parameters.curve
    reader = Reader(secret)
    point = read_point(reader)
    reader.expect_end("the point")
    shared = key.exchange(ec.ECDH(), point_key(point, curve))
    size = COORDINATE_BYTES[curve]
    theirs, ours = point.x.rjust(size, b"\0"), public.unique.x.rjust(size, b"\0")
    return kdf_e(hash_, shared, label, u=theirs, v=ours, bits=HASH_BYTES[hash_] * 8)


def _oaep_hash(public: PublicArea) -> Alg:
    """Return the hash that secrets are encrypted to an RSA key with: that of its scheme, or else of its name."""
    scheme = public.parameters.scheme if isinstance(public.parameters, RsaParameters) else NO_SCHEME
    hash_ = {Alg.NULL: public.name_alg, Alg.OAEP: scheme.hash}.get(scheme.algorithm, Alg.NULL)
    if hash_ is Alg.NULL:
        raise ValueError("the key has another scheme, or neither scheme nor name")
    return hash_


def _oaep(hash_: Alg, label: str) -> padding.OAEP:
    """Return RSAES-OAEP as secrets travel: the label ends with a zero (Part 1, annex B.4)."""
    algorithm = HASHES[hash_]
    return padding.OAEP(padding.MGF1(algorithm()), algorithm(), label.encode() + b"\0")
