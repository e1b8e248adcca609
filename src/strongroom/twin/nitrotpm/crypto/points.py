# SPDX-License-Identifier: Apache-2.0
"""A scalar times a point, with both coordinates.

`cryptography` gives x alone, as ECDH needs no more; TPM2_ECDH_KeyGen and TPM2_ECDH_ZGen return the whole point. Which
of the two points with that x it is, the next multiple tells: (d+1)Q is dQ + Q, and its x is known too.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec

from strongroom.formats.tpm.public_area import EccPoint
from strongroom.twin.nitrotpm.crypto.curves import CURVE_NUMBERS
from strongroom.twin.nitrotpm.crypto.keys import CURVES, encode_point

_FIELDS = {made().name: CURVE_NUMBERS[curve].p for curve, made in CURVES.items()}
"""The primes that coordinates are counted by."""


def multiplied(scalar: ec.EllipticCurvePrivateKey, point: ec.EllipticCurvePublicKey | None) -> EccPoint:
    """Return scalar times point; None stands for the generator, whose multiple is the public key."""
    if point is None:
        return encode_point(scalar.public_key())
    x = scalar.exchange(ec.ECDH(), point)
    either = ec.EllipticCurvePublicKey.from_encoded_point(scalar.curve, b"\2" + x)
    numbers, field = either.public_numbers(), _FIELDS[scalar.curve.name]
    other = ec.EllipticCurvePublicNumbers(numbers.x, field - numbers.y, scalar.curve).public_key()
    return encode_point(either if _is_multiple(either, scalar, point) else other)


def _is_multiple(
    candidate: ec.EllipticCurvePublicKey, scalar: ec.EllipticCurvePrivateKey, point: ec.EllipticCurvePublicKey
) -> bool:
    """Say whether a point, which has the right x, is scalar times point."""
    factor, order = scalar.private_numbers().private_value, scalar.curve.group_order
    one, two = candidate.public_numbers(), point.public_numbers()
    if one.x == two.x:  # the scalar is 1 or -1
        return (one.y == two.y) == (factor == 1)
    following = ec.derive_private_key((factor + 1) % order, scalar.curve)
    field = _FIELDS[scalar.curve.name]
    slope = (two.y - one.y) * pow(two.x - one.x, -1, field) % field
    return (slope * slope - one.x - two.x) % field == int.from_bytes(following.exchange(ec.ECDH(), point))
