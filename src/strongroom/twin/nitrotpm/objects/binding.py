# SPDX-License-Identifier: Apache-2.0
"""Whether the parts of an object belong together: sizes of keys, points on their curve, secret to public part.

Asked of whatever comes from outside of the TPM (Part 3, sections 12.2.1, 12.3.1 and 13.3.1). What this TPM made itself
is known by its integrity, and is not asked again.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.crypto.tpm import digest, mac
from strongroom.formats.tpm.algorithms import COORDINATE_BYTES, HASH_BLOCK_BYTES, HASH_BYTES, Alg
from strongroom.formats.tpm.public_area import (
    MAX_SYM_DATA_BYTES,
    EccParameters,
    EccPoint,
    KeyedHashParameters,
    PublicArea,
    RsaParameters,
)
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.crypto.curves import CURVE_NUMBERS
from strongroom.twin.nitrotpm.crypto.keys import CURVES, point_key
from strongroom.twin.nitrotpm.objects.rules import is_storage, symmetric_of
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.objects import Sensitive

_TOP_BIT = 0x80
_LEAST_EXPONENT = 7
"""Loading takes less than creating does; the key is the caller's own."""


def check_keys(public: PublicArea, sensitive: Sensitive | None, *, public_number: int, sensitive_number: int) -> None:
    """Raise Refused where the parts do not fit; the numbers are those of the parameters that they came in."""
    if sensitive is not None:
        _check_sensitive(public, sensitive, sensitive_number)
    if isinstance(public.parameters, RsaParameters):
        _check_rsa_public(public, public.parameters, public_number)
        if sensitive is not None:
            _check_rsa_prime(public.parameters, sensitive.value, sensitive_number)
    elif isinstance(public.parameters, EccParameters):
        _check_ecc(public, public.parameters, sensitive, public_number)
    elif sensitive is not None:
        _check_symmetric(public, sensitive, sensitive_number)
    elif len(_unique(public)) != _name_bytes(public):
        raise refusal.parameter(Rc.KEY, public_number)
    if sensitive is not None:
        _check_seed(public, sensitive, sensitive_number)


def _check_seed(public: PublicArea, sensitive: Sensitive, number: int) -> None:
    """Refuse a parent with a short seed: others are protected by it."""
    if not is_storage(public) or public.name_alg is Alg.NULL:
        return
    least, most = _name_bytes(public) // 2, _name_bytes(public)
    if not least <= len(sensitive.seed) <= most:
        raise refusal.parameter(Rc.SIZE, number)


def symmetric_unique(public: PublicArea, sensitive: Sensitive) -> bytes:
    """Return what makes a symmetric object unique: a digest of its secrets that tells nothing of them.

    Part 1, section 27.6.4: an HMAC for parents, whose seed protects others.
    """
    if is_storage(public):
        return mac(public.name_alg, sensitive.seed, sensitive.value)
    return digest(public.name_alg, sensitive.seed, sensitive.value)


def _check_sensitive(public: PublicArea, sensitive: Sensitive, number: int) -> None:
    if sensitive.type is not public.type:
        raise refusal.parameter(Rc.TYPE, number)
    if public.name_alg is not Alg.NULL and len(sensitive.auth) > _name_bytes(public):
        raise refusal.parameter(Rc.SIZE, number)


def _check_rsa_public(public: PublicArea, parameters: RsaParameters, number: int) -> None:
    modulus = _unique(public)
    if len(modulus) * 8 != parameters.key_bits or modulus[0] < _TOP_BIT:
        raise refusal.parameter(Rc.KEY, number)
    if parameters.exponent != 0 and parameters.exponent < _LEAST_EXPONENT:
        raise refusal.parameter(Rc.VALUE, number)


def _check_rsa_prime(parameters: RsaParameters, prime: bytes, number: int) -> None:
    if len(prime) * 16 != parameters.key_bits or prime[0] < _TOP_BIT:
        raise refusal.parameter(Rc.KEY_SIZE, number)


def _check_ecc(public: PublicArea, parameters: EccParameters, sensitive: Sensitive | None, number: int) -> None:
    point, curve = public.unique, parameters.curve
    if not isinstance(point, EccPoint):
        raise TypeError("an ECC key has a point")
    if sensitive is None:
        if {len(point.x), len(point.y)} != {COORDINATE_BYTES[curve]}:
            raise refusal.parameter(Rc.KEY, number)
        if public.name_alg is not Alg.NULL and not is_on_curve(point, parameters):
            raise refusal.parameter(Rc.ECC_POINT, number)
        return
    scalar = int.from_bytes(sensitive.value)
    if not 0 < scalar < CURVE_NUMBERS[curve].n:
        raise Refused(Rc.KEY_SIZE)
    made = ec.derive_private_key(scalar, CURVES[curve]()).public_key().public_numbers()
    given = (int.from_bytes(point.x), int.from_bytes(point.y))
    if public.name_alg is not Alg.NULL and (made.x, made.y) != given:
        raise Refused(Rc.BINDING)


def is_on_curve(point: EccPoint, parameters: EccParameters) -> bool:
    """Say whether a point is on the curve of a key."""
    try:
        point_key(point, parameters.curve)
    except ValueError:
        return False
    return True


def _check_symmetric(public: PublicArea, sensitive: Sensitive, number: int) -> None:
    if isinstance(public.parameters, KeyedHashParameters):
        scheme = public.parameters.scheme
        most = MAX_SYM_DATA_BYTES if scheme.algorithm is Alg.NULL else HASH_BLOCK_BYTES[scheme.hash]
        fits = len(sensitive.value) <= most
    else:
        fits = len(sensitive.value) * 8 == symmetric_of(public).key_bits
    if not fits:
        raise refusal.parameter(Rc.KEY_SIZE, number)
    if public.name_alg is Alg.NULL:
        return
    if len(sensitive.seed) != _name_bytes(public):
        raise refusal.parameter(Rc.KEY_SIZE, number)
    if symmetric_unique(public, sensitive) != _unique(public):
        raise Refused(Rc.BINDING)


def _name_bytes(public: PublicArea) -> int:
    return HASH_BYTES.get(public.name_alg, 0)


def _unique(public: PublicArea) -> bytes:
    if isinstance(public.unique, EccPoint):
        raise TypeError("not a point")
    return public.unique
