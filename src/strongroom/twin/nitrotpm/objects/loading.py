# SPDX-License-Identifier: Apache-2.0
"""What is checked of an object before it is loaded (Part 3, sections 12.2 and 12.3, and 13.3 for imports)."""

from __future__ import annotations

from math import gcd

from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.public_area import PublicArea, RsaParameters
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.crypto.keys import other_prime
from strongroom.twin.nitrotpm.objects.binding import check_keys
from strongroom.twin.nitrotpm.objects.rules import public_fault, scheme_fault
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.objects import Sensitive, TpmObject


def check_loadable(
    parent: TpmObject | None,
    public: PublicArea,
    sensitive: Sensitive | None,
    *,
    public_number: int,
    sensitive_number: int,
) -> None:
    """Raise Refused, blaming one of two parameters, for what may not be loaded. No parent: it comes from outside."""
    if sensitive is None or public.name_alg is Alg.NULL:
        fault = scheme_fault(None, public)
    else:
        if len(sensitive.seed) > HASH_BYTES[public.name_alg]:
            raise refusal.parameter(Rc.KEY_SIZE, sensitive_number)
        fault = public_fault(parent, public)
    if fault is not None:
        raise refusal.parameter(fault, public_number)
    # Under a fixed parent, this TPM checked it when it was made or imported.
    if parent is None or not parent.has(ObjectAttributes.FIXED_TPM):
        check_keys(public, sensitive, public_number=public_number, sensitive_number=sensitive_number)


def check_primes(public: PublicArea, sensitive: Sensitive) -> None:
    """Raise Refused (BINDING) where the secret of an RSA key makes no private key of its modulus and exponent."""
    if not isinstance(public.parameters, RsaParameters) or not isinstance(public.unique, bytes):
        return
    prime, exponent = int.from_bytes(sensitive.value), public.parameters.public_exponent
    try:
        other = other_prime(prime, int.from_bytes(public.unique))
    except ValueError as wrong:
        raise Refused(Rc.BINDING) from wrong
    if gcd(prime, other) != 1 or gcd(exponent, (prime - 1) * (other - 1)) != 1:
        raise Refused(Rc.BINDING)
