# SPDX-License-Identifier: Apache-2.0
"""From a template to an object: its secrets, and what makes its public area unique (Part 1, section 27).

Secrets come from a source: the system's random numbers for what is created, a derivation for primary objects and for
objects under a derivation parent, so that the same template there gives the same object again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from strongroom.formats.tpm.algorithms import COORDINATE_BYTES, HASH_BLOCK_BYTES, HASH_BYTES, Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.public_area import (
    ASYMMETRIC,
    DEFAULT_RSA_EXPONENT,
    EccParameters,
    EccPoint,
    KeyedHashParameters,
    PublicArea,
    RsaParameters,
)
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.crypto.curves import CURVE_NUMBERS
from strongroom.twin.nitrotpm.crypto.keys import CURVES, encode_point
from strongroom.twin.nitrotpm.objects.binding import symmetric_unique
from strongroom.twin.nitrotpm.objects.rules import is_storage, symmetric_of
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.objects import Sensitive

_EXTRA_BYTES = 8
"""A number this much longer, reduced, is as good as uniform (FIPS 186-4, B.4.1)."""
Draw = Callable[[str, int], bytes]
"""Return so many bytes for a purpose."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where secrets come from. `draw` gives bytes, `primes` those of an RSA key of so many bits, each half as long."""

    draw: Draw
    primes: Callable[[int], tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Wish:
    """TPMS_SENSITIVE_CREATE: the authorization value that the caller wants, and secret data if it brings its own."""

    auth: bytes = field(repr=False)
    data: bytes = field(repr=False)


def new_primes(key_bits: int) -> tuple[bytes, bytes]:
    """Return the primes of a new RSA key, big-endian."""
    numbers = rsa.generate_private_key(public_exponent=DEFAULT_RSA_EXPONENT, key_size=key_bits).private_numbers()
    return numbers.p.to_bytes(key_bits // 16), numbers.q.to_bytes(key_bits // 16)


RANDOM = Source(lambda _purpose, size: secrets.token_bytes(size), new_primes)


def create(template: PublicArea, wish: Wish, source: Source) -> tuple[PublicArea, Sensitive]:
    """Return what a checked template asks for. Raises Refused where sizes or exponent are none that we make."""
    data = b"" if template.has(ObjectAttributes.SENSITIVE_DATA_ORIGIN) else wish.data
    unique, value = _key(template, data, source)
    seed = source.draw("SEED", HASH_BYTES[template.name_alg])
    if template.type in ASYMMETRIC and not is_storage(template):
        seed = b""
    sensitive = Sensitive(template.type, wish.auth, seed, value)
    if unique is None:
        unique = symmetric_unique(template, sensitive)
    return replace(template, unique=unique), sensitive


def _key(template: PublicArea, data: bytes, source: Source) -> tuple[bytes | EccPoint | None, bytes]:
    """Return what is public of a key pair (None of other secrets), and the secret."""
    if isinstance(template.parameters, RsaParameters):
        return _rsa(template.parameters, source)
    if isinstance(template.parameters, EccParameters):
        return _ecc(template.parameters, source)
    return None, _symmetric(template, data, source)


def _rsa(parameters: RsaParameters, source: Source) -> tuple[bytes, bytes]:
    # `cryptography` makes keys for this exponent alone; a TPM need not know others (Part 2, section 12.2.3.5).
    if parameters.public_exponent != DEFAULT_RSA_EXPONENT:
        raise Refused(Rc.RANGE)
    one, other = source.primes(parameters.key_bits)
    modulus = int.from_bytes(one) * int.from_bytes(other)
    return modulus.to_bytes(parameters.key_bits // 8), one


def _ecc(parameters: EccParameters, source: Source) -> tuple[EccPoint, bytes]:
    curve, size = parameters.curve, COORDINATE_BYTES[parameters.curve]
    drawn = int.from_bytes(source.draw("ECC", size + _EXTRA_BYTES))
    scalar = drawn % (CURVE_NUMBERS[curve].n - 1) + 1
    key = ec.derive_private_key(scalar, CURVES[curve]())
    return encode_point(key.public_key()), scalar.to_bytes(size)


def _symmetric(template: PublicArea, data: bytes, source: Source) -> bytes:
    """Return the secret of a keyed hash or symmetric key: the caller's, or one as long as it should be."""
    if isinstance(template.parameters, KeyedHashParameters):
        scheme = template.parameters.scheme
        hash_ = template.name_alg if scheme.algorithm is Alg.NULL else scheme.hash
        is_key = template.attributes & (ObjectAttributes.SIGN_ENCRYPT | ObjectAttributes.DECRYPT)
        if is_key and len(data) > HASH_BLOCK_BYTES[hash_]:
            raise Refused(Rc.SIZE)
        return data or source.draw("KEYEDHASH", HASH_BYTES[hash_])
    size = symmetric_of(template).key_bits // 8
    if data and len(data) != size:
        raise Refused(Rc.KEY_SIZE)
    return data or source.draw("SYMCIPHER", size)
