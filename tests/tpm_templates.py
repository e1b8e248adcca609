# SPDX-License-Identifier: Apache-2.0
"""Public areas (TPMT_PUBLIC) that tests ask a TPM for; the EK templates are those of the TCG EK Credential Profile."""

from __future__ import annotations

from tests.tpm_commands import (
    AES,
    CFB,
    ECC,
    ECDSA,
    HMAC,
    KEYEDHASH,
    NONE,
    P256,
    RSA,
    RSASSA,
    SHA256,
    SYMCIPHER,
    sized,
    u16,
    u32,
)

FIXED_TPM, ST_CLEAR, FIXED_PARENT, SENSITIVE_DATA_ORIGIN = 0x02, 0x04, 0x10, 0x20
USER_WITH_AUTH, ADMIN_WITH_POLICY, NO_DA, ENCRYPTED_DUPLICATION = 0x40, 0x80, 0x400, 0x800
RESTRICTED, DECRYPT, SIGN = 0x10000, 0x20000, 0x40000
FIXED = FIXED_TPM | FIXED_PARENT
OWN = FIXED | SENSITIVE_DATA_ORIGIN | USER_WITH_AUTH
STORAGE = OWN | NO_DA | RESTRICTED | DECRYPT
EK_POLICY = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
"""PolicySecret of the endorsement hierarchy."""
AES128 = u16(AES) + u16(128) + u16(CFB)
NO_SYMMETRIC = NO_SCHEME = u16(NONE)


def public(
    kind: int, attributes: int, parameters: bytes, unique: bytes, *, policy: bytes = b"", name: int = SHA256
) -> bytes:
    return u16(kind) + u16(name) + u32(attributes) + sized(policy) + parameters + unique


def rsa(
    attributes: int, *, symmetric=NO_SYMMETRIC, scheme=NO_SCHEME, bits=2048, exponent=0, unique=b"", policy=b""
) -> bytes:
    return public(RSA, attributes, symmetric + scheme + u16(bits) + u32(exponent), sized(unique), policy=policy)


def ecc(
    attributes: int, *, symmetric=NO_SYMMETRIC, scheme=NO_SCHEME, curve=P256, kdf=NO_SCHEME, unique=b"", policy=b""
) -> bytes:
    return public(ECC, attributes, symmetric + scheme + u16(curve) + kdf, sized(unique) * 2, policy=policy)


def keyed_hash(attributes: int, *, scheme=NO_SCHEME, unique=b"", policy=b"", name=SHA256) -> bytes:
    return public(KEYEDHASH, attributes, scheme, sized(unique), policy=policy, name=name)


EK_RSA = rsa(
    FIXED | SENSITIVE_DATA_ORIGIN | ADMIN_WITH_POLICY | RESTRICTED | DECRYPT,
    symmetric=AES128,
    unique=bytes(256),
    policy=EK_POLICY,
)
"""Template L-1."""
EK_ECC = ecc(
    FIXED | SENSITIVE_DATA_ORIGIN | ADMIN_WITH_POLICY | RESTRICTED | DECRYPT,
    symmetric=AES128,
    unique=bytes(32),
    policy=EK_POLICY,
)
"""Template L-2."""
SRK_RSA = rsa(STORAGE, symmetric=AES128, unique=bytes(256))
SRK_ECC = ecc(STORAGE, symmetric=AES128, unique=bytes(32))
ECDSA_SHA256 = u16(ECDSA) + u16(SHA256)
RSASSA_SHA256 = u16(RSASSA) + u16(SHA256)
SIGNING_ECC = ecc(OWN | NO_DA | SIGN, scheme=ECDSA_SHA256)
SIGNING_RSA = rsa(OWN | NO_DA | SIGN)
AK_ECC = ecc(OWN | NO_DA | RESTRICTED | SIGN, scheme=ECDSA_SHA256)
AK_RSA = rsa(OWN | NO_DA | RESTRICTED | SIGN, scheme=RSASSA_SHA256)
DECRYPTING_RSA = rsa(OWN | NO_DA | DECRYPT)
SEALED = keyed_hash(FIXED | USER_WITH_AUTH | NO_DA)
SEALED_GUARDED = keyed_hash(FIXED | USER_WITH_AUTH)
"""Its authorisation counts as a guess when it is wrong."""
HMAC_KEY = keyed_hash(OWN | NO_DA | SIGN, scheme=u16(HMAC) + u16(SHA256))
AES_KEY = public(SYMCIPHER, OWN | NO_DA | DECRYPT | SIGN, AES128, sized())


def sensitive(auth: bytes = b"", data: bytes = b"") -> bytes:
    """A TPM2B_SENSITIVE_CREATE."""
    return sized(sized(auth) + sized(data))


def to_create(template: bytes, *, auth: bytes = b"", data: bytes = b"", outside: bytes = b"", pcrs=None) -> bytes:
    """The parameters of TPM2_Create and TPM2_CreatePrimary."""
    return sensitive(auth, data) + sized(template) + sized(outside) + (u32(0) if pcrs is None else pcrs)
