# SPDX-License-Identifier: Apache-2.0
"""TPM_ALG_ID and TPM_ECC_CURVE: the ones that a NitroTPM or its clients use (TCG Algorithm Registry 1.34)."""

from __future__ import annotations

import enum


class Alg(enum.IntEnum):
    """TPM_ALG_ID (Algorithm Registry, table 3)."""

    RSA = 0x0001
    SHA1 = 0x0004
    HMAC = 0x0005
    AES = 0x0006
    MGF1 = 0x0007
    KEYEDHASH = 0x0008
    XOR = 0x000A
    SHA256 = 0x000B
    SHA384 = 0x000C
    SHA512 = 0x000D
    NULL = 0x0010
    RSASSA = 0x0014
    RSAES = 0x0015
    RSAPSS = 0x0016
    OAEP = 0x0017
    ECDSA = 0x0018
    ECDH = 0x0019
    KDF1_SP800_56A = 0x0020
    KDF2 = 0x0021
    KDF1_SP800_108 = 0x0022
    ECC = 0x0023
    SYMCIPHER = 0x0025
    CTR = 0x0040
    OFB = 0x0041
    CBC = 0x0042
    CFB = 0x0043
    ECB = 0x0044


HASH_NAMES = {Alg.SHA1: "sha1", Alg.SHA256: "sha256", Alg.SHA384: "sha384", Alg.SHA512: "sha512"}
"""As `hashlib` names them."""
HASH_BYTES = {Alg.SHA1: 20, Alg.SHA256: 32, Alg.SHA384: 48, Alg.SHA512: 64}
"""How long each digest is."""
HASH_BLOCK_BYTES = {Alg.SHA1: 64, Alg.SHA256: 64, Alg.SHA384: 128, Alg.SHA512: 128}


class Curve(enum.IntEnum):
    """TPM_ECC_CURVE (Algorithm Registry, table 4)."""

    NIST_P256 = 0x0003
    NIST_P384 = 0x0004


COORDINATE_BYTES = {Curve.NIST_P256: 32, Curve.NIST_P384: 48}
