# SPDX-License-Identifier: Apache-2.0
"""What an object may be: whether attributes and schemes go together, and with the parent (Part 1, section 25).

Each function returns the first fault, None where there is none: who calls knows which parameter it is in. Kept apart
from the commands, as creating, loading and importing ask the same questions.
"""

from __future__ import annotations

from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.attributes import ObjectAttributes as A
from strongroom.formats.tpm.public_area import (
    ASYMMETRIC,
    EccParameters,
    KeyedHashParameters,
    PublicArea,
    RsaParameters,
    SymCipherParameters,
)
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import NO_SYMMETRIC, SIGNING_SCHEMES_BY_TYPE, Scheme, Symmetric
from strongroom.twin.nitrotpm.state.objects import TpmObject

_DECRYPTING = {Alg.RSA: frozenset({Alg.RSAES, Alg.OAEP}), Alg.ECC: frozenset({Alg.ECDH})}


def creation_fault(parent: TpmObject | None, public: PublicArea, data_bytes: int) -> Rc | None:
    """Check a template, and whether the caller gave secret data where that is right. No parent: a primary object."""
    from_tpm = public.has(A.SENSITIVE_DATA_ORIGIN)
    if not from_tpm and data_bytes == 0:
        return Rc.ATTRIBUTES
    # A primary object may have data beside SENSITIVE_DATA_ORIGIN: it is mixed into the derivation.
    if from_tpm and data_bytes != 0 and parent is not None:
        return Rc.ATTRIBUTES
    if _is_made_wrongly(public, from_tpm=from_tpm):
        return Rc.ATTRIBUTES
    return public_fault(parent, public)


def _is_made_wrongly(public: PublicArea, *, from_tpm: bool) -> bool:
    if public.type in ASYMMETRIC:
        return not from_tpm
    is_data = not public.has(A.SIGN_ENCRYPT) and not public.has(A.DECRYPT)
    if public.type is Alg.KEYEDHASH and is_data and from_tpm:
        return True
    is_fixed = public.has(A.FIXED_PARENT) or public.has(A.FIXED_TPM)
    return public.has(A.RESTRICTED) and not from_tpm and is_fixed


def public_fault(parent: TpmObject | None, public: PublicArea) -> Rc | None:
    """Check attributes and schemes of an object that has, or will have, a secret part."""
    if public.name_alg is Alg.NULL:
        return Rc.HASH
    if public.policy and len(public.policy) != HASH_BYTES[public.name_alg]:
        return Rc.SIZE
    fault = _duplication_fault(parent, public) or _use_fault(public)
    if fault is None and parent is not None and parent.derives:
        fault = _derivation_fault(parent, public)
    return fault or scheme_fault(parent, public)


def _duplication_fault(parent: TpmObject | None, public: PublicArea) -> Rc | None:
    """Check FIXED_TPM, FIXED_PARENT and ENCRYPTED_DUPLICATION: under a fixed parent, the first two are the same."""
    fixed_tpm, encrypted = public.has(A.FIXED_TPM), public.has(A.ENCRYPTED_DUPLICATION)
    parent_is_fixed = parent is None or parent.has(A.FIXED_TPM)
    if parent_is_fixed and public.has(A.FIXED_PARENT) != fixed_tpm:
        return Rc.ATTRIBUTES
    if not parent_is_fixed and fixed_tpm:
        return Rc.ATTRIBUTES
    if fixed_tpm and encrypted:
        return Rc.ATTRIBUTES
    if parent is not None and not parent_is_fixed and encrypted != parent.has(A.ENCRYPTED_DUPLICATION):
        return Rc.ATTRIBUTES
    return None


def _use_fault(public: PublicArea) -> Rc | None:
    if public.has(A.SIGN_ENCRYPT) != public.has(A.DECRYPT):
        return None
    does_neither = not public.has(A.SIGN_ENCRYPT)
    if public.has(A.RESTRICTED) or (does_neither and public.type is not Alg.KEYEDHASH):
        return Rc.ATTRIBUTES
    return None


def _derivation_fault(parent: TpmObject, public: PublicArea) -> Rc | None:
    if public.has(A.FIXED_TPM) != parent.has(A.FIXED_TPM) or not public.has(A.FIXED_PARENT):
        return Rc.ATTRIBUTES
    return None


def scheme_fault(parent: TpmObject | None, public: PublicArea) -> Rc | None:
    """Check that the scheme is one for what the key does, and a storage key has a cipher (and that of its parent)."""
    parameters = public.parameters
    if isinstance(parameters, KeyedHashParameters):
        return _keyed_hash_fault(public, parameters.scheme)
    if isinstance(parameters, SymCipherParameters):
        return _storage_fault(parent, public, parameters.symmetric)
    fault = _asymmetric_fault(public, parameters)
    return fault or _storage_fault(parent, public, parameters.symmetric)


def _keyed_hash_fault(public: PublicArea, scheme: Scheme) -> Rc | None:
    signs, decrypts = public.has(A.SIGN_ENCRYPT), public.has(A.DECRYPT)
    expected = Alg.NULL if signs == decrypts else Alg.HMAC if signs else Alg.XOR
    if scheme.algorithm is not expected:
        return Rc.SCHEME
    derives = decrypts and not signs and public.has(A.RESTRICTED)
    return Rc.SCHEME if derives and scheme.kdf is not Alg.KDF1_SP800_108 else None


def _asymmetric_fault(public: PublicArea, parameters: RsaParameters | EccParameters) -> Rc | None:
    if not _suits(public, parameters.scheme.algorithm):
        return Rc.SCHEME
    if not is_storage(public) and parameters.symmetric != NO_SYMMETRIC:
        return Rc.SYMMETRIC
    if isinstance(parameters, EccParameters) and parameters.kdf.algorithm is not Alg.NULL:
        return Rc.KDF
    return None


def _suits(public: PublicArea, scheme: Alg) -> bool:
    """Say whether a scheme suits an asymmetric key. None does where the key may do both, or must be a parent."""
    signs, decrypts, restricted = (public.has(bit) for bit in (A.SIGN_ENCRYPT, A.DECRYPT, A.RESTRICTED))
    if signs == decrypts:
        return scheme is Alg.NULL
    if signs:
        return scheme in SIGNING_SCHEMES_BY_TYPE[public.type] or (scheme is Alg.NULL and not restricted)
    return scheme is Alg.NULL or (scheme in _DECRYPTING[public.type] and not restricted)


def _storage_fault(parent: TpmObject | None, public: PublicArea, symmetric: Symmetric) -> Rc | None:
    if not is_storage(public):
        return None
    if symmetric.algorithm is Alg.NULL:
        return Rc.SYMMETRIC
    if parent is None or not public.has(A.FIXED_PARENT):
        return None
    if public.name_alg is not parent.public.name_alg:
        return Rc.HASH
    return Rc.SYMMETRIC if symmetric != symmetric_of(parent.public) else None


def is_storage(public: PublicArea) -> bool:
    """Say whether an object is meant as a parent: restricted, and decrypting."""
    return public.has(A.RESTRICTED) and public.has(A.DECRYPT)


def takes_seeds(public: PublicArea) -> bool:
    """Say whether a seed can be encrypted to an object: an asymmetric storage key, loaded whole or not."""
    return public.type in ASYMMETRIC and is_storage(public) and public.name_alg is not Alg.NULL


def symmetric_of(public: PublicArea) -> Symmetric:
    """Return the cipher of a storage key, or of a symmetric key; none for a keyed hash."""
    parameters = public.parameters
    return NO_SYMMETRIC if isinstance(parameters, KeyedHashParameters) else parameters.symmetric
