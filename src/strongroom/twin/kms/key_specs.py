# SPDX-License-Identifier: Apache-2.0
"""The kinds of KMS keys the twin makes, in ONE table: what each may be used for, and with which algorithms.

KMS API Reference, CreateKey (KeySpec, KeyUsage), and KMS Developer Guide, "Key spec reference". To add a kind, add a
row. KMS has more (SM2, Edwards curves, ML-DSA, ML-KEM); `KNOWN_ELSEWHERE` names them, to be refused by name.
"""

from __future__ import annotations

import enum
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PUBLIC_EXPONENT = 65_537


class KeyUsage(enum.StrEnum):
    """What a key is for. It has one use, and keeps it (KMS API Reference, CreateKey, KeyUsage)."""

    ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"
    SIGN_VERIFY = "SIGN_VERIFY"
    GENERATE_VERIFY_MAC = "GENERATE_VERIFY_MAC"
    KEY_AGREEMENT = "KEY_AGREEMENT"


SYMMETRIC = "SYMMETRIC_DEFAULT"
"""The key spec, and the one algorithm of such keys."""
_OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
_RSA_SIGNATURES = tuple(
    f"{padding}_SHA_{bits}" for padding in ("RSASSA_PKCS1_V1_5", "RSASSA_PSS") for bits in (256, 384, 512)
)


@dataclass(frozen=True, slots=True)
class KeySpec:
    """One row. `algorithms` has the uses that the kind allows. Exactly one of the three sizes is set."""

    name: str
    algorithms: Mapping[KeyUsage, tuple[str, ...]]
    secret_bytes: int = 0
    rsa_bits: int = 0
    curve: ec.EllipticCurve | None = None

    @property
    def is_asymmetric(self) -> bool:
        """Tell whether keys of this kind have a public key."""
        return not self.secret_bytes

    @property
    def default_usage(self) -> KeyUsage | None:
        """What a key is for when its maker does not say; KMS wants to be told for all but symmetric keys."""
        return KeyUsage.ENCRYPT_DECRYPT if self.name == SYMMETRIC else None

    def new_secret(self) -> bytes:
        """Return new key material: random bytes, or a private key (PKCS #8, DER)."""
        if self.secret_bytes:
            return secrets.token_bytes(self.secret_bytes)
        private = (
            ec.generate_private_key(self.curve)
            if self.curve
            else rsa.generate_private_key(PUBLIC_EXPONENT, self.rsa_bits)
        )
        return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def _rsa(bits: int) -> KeySpec:
    uses = {KeyUsage.ENCRYPT_DECRYPT: _OAEP, KeyUsage.SIGN_VERIFY: _RSA_SIGNATURES}
    return KeySpec(f"RSA_{bits}", MappingProxyType(uses), rsa_bits=bits)


def _curve(name: str, curve: ec.EllipticCurve, bits: int) -> KeySpec:
    uses: dict[KeyUsage, tuple[str, ...]] = {
        KeyUsage.SIGN_VERIFY: (f"ECDSA_SHA_{bits}",),
        KeyUsage.KEY_AGREEMENT: ("ECDH",),
    }
    return KeySpec(name, MappingProxyType(uses), curve=curve)


def _hmac(bits: int, size: int) -> KeySpec:
    uses: dict[KeyUsage, tuple[str, ...]] = {KeyUsage.GENERATE_VERIFY_MAC: (f"HMAC_SHA_{bits}",)}
    return KeySpec(f"HMAC_{bits}", MappingProxyType(uses), secret_bytes=size)


KEY_SPECS: Mapping[str, KeySpec] = MappingProxyType(
    {
        row.name: row
        for row in (
            KeySpec(SYMMETRIC, MappingProxyType({KeyUsage.ENCRYPT_DECRYPT: (SYMMETRIC,)}), secret_bytes=32),
            *map(_rsa, (2048, 3072, 4096)),
            _curve("ECC_NIST_P256", ec.SECP256R1(), 256),
            _curve("ECC_NIST_P384", ec.SECP384R1(), 384),
            _curve("ECC_NIST_P521", ec.SECP521R1(), 512),
            _hmac(224, 28),
            _hmac(256, 32),
            _hmac(384, 48),
            _hmac(512, 64),
        )
    }
)
"""By the name that CreateKey takes."""
KNOWN_ELSEWHERE = frozenset(
    {
        "ECC_NIST_EDWARDS25519",
        "ECC_SECG_P256K1",
        "ML_DSA_44",
        "ML_DSA_65",
        "ML_DSA_87",
        "ML_KEM_1024",
        "ML_KEM_512",
        "ML_KEM_768",
        "SM2",
    }
)
"""Key specs of KMS that the twin has not."""
KEY_PAIR_SPECS: Mapping[str, KeySpec] = MappingProxyType(
    {name: row for name, row in KEY_SPECS.items() if row.is_asymmetric}
)
"""What GenerateDataKeyPair makes: KeyPairSpec of the KMS API Reference."""
ALGORITHMS = frozenset(name for row in KEY_SPECS.values() for names in row.algorithms.values() for name in names)
"""Every algorithm of every row."""
