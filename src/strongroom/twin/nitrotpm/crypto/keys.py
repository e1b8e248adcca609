# SPDX-License-Identifier: Apache-2.0
"""From a TPM object to a key that `cryptography` can use."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512, HashAlgorithm

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.algorithms import Alg, Curve
from strongroom.formats.tpm.public_area import (
    ASYMMETRIC,
    EccParameters,
    EccPoint,
    PublicArea,
    RsaParameters,
)
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import sized
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import TpmObject

MOST_KNOWN_KEYS = 64
"""How many private keys are kept ready; any other is built when it is used, in about a millisecond."""
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
HASHES: dict[Alg, type[HashAlgorithm]] = {
    Alg.SHA1: SHA1,
    Alg.SHA256: SHA256,
    Alg.SHA384: SHA384,
    Alg.SHA512: SHA512,
}
CURVES: dict[Curve, type[ec.EllipticCurve]] = {Curve.NIST_P256: ec.SECP256R1, Curve.NIST_P384: ec.SECP384R1}


def public_key(public: PublicArea) -> PublicKey:
    """Return the public key of an asymmetric object. Raises ValueError where the numbers are no key."""
    parameters = public.parameters
    if isinstance(parameters, RsaParameters) and isinstance(public.unique, bytes):
        modulus = int.from_bytes(public.unique)
        return rsa.RSAPublicNumbers(parameters.public_exponent, modulus).public_key()
    if isinstance(parameters, EccParameters) and isinstance(public.unique, EccPoint):
        return point_key(public.unique, parameters.curve)
    raise TypeError("not an asymmetric key")


def point_key(point: EccPoint, curve: Curve) -> ec.EllipticCurvePublicKey:
    """Return a point as a key. Raises ValueError where it is not on the curve."""
    x, y = int.from_bytes(point.x), int.from_bytes(point.y)
    return ec.EllipticCurvePublicNumbers(x, y, CURVES[curve]()).public_key()


def encode_point(key: ec.EllipticCurvePublicKey) -> EccPoint:
    """Return the point of a key, its coordinates as long as the curve's."""
    numbers, size_bytes = key.public_numbers(), -(-key.curve.key_size // 8)
    return EccPoint(numbers.x.to_bytes(size_bytes), numbers.y.to_bytes(size_bytes))


def private_key(chip: Chip, tpm_object: TpmObject) -> PrivateKey:
    """Return the private key of an asymmetric object whose secret part is loaded."""
    known, identity = chip.volatile.private_keys, _identity(tpm_object)
    found = known.pop(identity, None) or _build(tpm_object)
    known[identity] = found  # the one that was used last is the last: whoever waited longest goes first
    while len(known) > MOST_KNOWN_KEYS:
        del known[next(iter(known))]
    return found


def forget_private_key(chip: Chip, tpm_object: TpmObject) -> None:
    """Drop what is kept of an object's private key: it is flushed. Another copy of it has its own built again."""
    if tpm_object.public.type in ASYMMETRIC and tpm_object.sensitive is not None:
        chip.volatile.private_keys.pop(_identity(tpm_object), None)


def _identity(tpm_object: TpmObject) -> bytes:
    """Return what a private key is kept under: all that it is built from. A name is not enough, some have none."""
    sensitive = tpm_object.sensitive
    secret = sensitive.value if sensitive is not None else b""
    return digest(Alg.SHA256, sized(tpm_object.public.encode()), secret)


def _build(tpm_object: TpmObject) -> PrivateKey:
    parameters, unique, sensitive = tpm_object.public.parameters, tpm_object.public.unique, tpm_object.sensitive
    if sensitive is None:
        raise Refused(Rc.KEY)
    if isinstance(parameters, RsaParameters) and isinstance(unique, bytes):
        return rsa_key(int.from_bytes(sensitive.value), int.from_bytes(unique), parameters.public_exponent)
    if isinstance(parameters, EccParameters):
        return ec.derive_private_key(int.from_bytes(sensitive.value), CURVES[parameters.curve]())
    raise TypeError("not an asymmetric key")


def other_prime(prime: int, modulus: int) -> int:
    """Return the second factor of an RSA modulus. Raises ValueError where the first does not divide it, or is all."""
    other, left = divmod(modulus, prime) if prime > 1 else (0, 1)
    if left or other <= 1:
        raise ValueError("the number does not divide the modulus")
    return other


def rsa_key(prime: int, modulus: int, exponent: int) -> rsa.RSAPrivateKey:
    """Return the RSA key of a modulus and one of its primes. Raises ValueError where they do not belong together."""
    other = other_prime(prime, modulus)
    d = pow(exponent, -1, (prime - 1) * (other - 1))
    numbers = rsa.RSAPrivateNumbers(
        prime,
        other,
        d,
        d % (prime - 1),
        d % (other - 1),
        pow(other, -1, prime),
        rsa.RSAPublicNumbers(exponent, modulus),
    )
    # Primality is not tested again: that takes 30 ms a key. Whoever imports a bad key harms only their own.
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)
