# SPDX-License-Identifier: Apache-2.0
"""A seed that travels under someone's public key: for duplicates and credentials (Part 1, annexes B.10 and C.6)."""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from strongroom.crypto.tpm import kdf_e
from strongroom.formats.tpm.algorithms import COORDINATE_BYTES, HASH_BYTES, Alg
from strongroom.formats.tpm.public_area import ASYMMETRIC, EccParameters, EccPoint, PublicArea
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import TpmFormatError
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.crypto.keys import CURVES, HASHES, decrypt_secret, public_key
from strongroom.twin.nitrotpm.objects.rules import is_storage
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import TpmObject

DUPLICATE, IDENTITY = "DUPLICATE", "IDENTITY"


def takes_seeds(found: TpmObject) -> bool:
    """Say whether a seed can be encrypted to an object: an asymmetric storage key, loaded whole or not."""
    public = found.public
    return public.type in ASYMMETRIC and is_storage(public) and public.name_alg is not Alg.NULL


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
        seed, algorithm = secrets.token_bytes(HASH_BYTES[hash_]), HASHES[hash_]
        oaep = padding.OAEP(padding.MGF1(algorithm()), algorithm(), label.encode() + b"\0")
        try:
            return seed, key.encrypt(seed, oaep)
        except ValueError as wrong:
            raise Refused(Rc.FAILURE) from wrong
    return _shared_ecc(public, key, label)


def _shared_ecc(public: PublicArea, key: ec.EllipticCurvePublicKey, label: str) -> tuple[bytes, bytes]:
    if not isinstance(public.parameters, EccParameters) or not isinstance(public.unique, EccPoint):
        raise TypeError("not an ECC key")
    curve, hash_ = public.parameters.curve, public.name_alg
    size = COORDINATE_BYTES[curve]
    ours = ec.generate_private_key(CURVES[curve]())
    numbers = ours.public_key().public_numbers()
    point = EccPoint(numbers.x.to_bytes(size), numbers.y.to_bytes(size))
    shared = ours.exchange(ec.ECDH(), key)
    theirs = public.unique.x.rjust(size, b"\0")
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
