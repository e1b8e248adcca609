# SPDX-License-Identifier: Apache-2.0
"""Every algorithm of the TPM with what it is for: TPMA_ALGORITHM (Part 2, section 8.2)."""

from __future__ import annotations

from collections.abc import Mapping

from strongroom.formats.tpm.algorithms import Alg

_ASYMMETRIC, _SYMMETRIC, _HASH, _OBJECT = 1, 2, 4, 8
_SIGNING, _ENCRYPTING, _METHOD = 0x100, 0x200, 0x400

ALGORITHMS: Mapping[Alg, int] = {
    Alg.RSA: _ASYMMETRIC | _OBJECT,
    Alg.SHA1: _HASH,
    Alg.HMAC: _HASH | _SIGNING,
    Alg.AES: _SYMMETRIC,
    Alg.MGF1: _HASH | _METHOD,
    Alg.KEYEDHASH: _HASH | _OBJECT | _SIGNING | _ENCRYPTING,
    Alg.XOR: _HASH | _SYMMETRIC,
    Alg.SHA256: _HASH,
    Alg.SHA384: _HASH,
    Alg.SHA512: _HASH,
    Alg.RSASSA: _ASYMMETRIC | _SIGNING,
    Alg.RSAES: _ASYMMETRIC | _ENCRYPTING,
    Alg.RSAPSS: _ASYMMETRIC | _SIGNING,
    Alg.OAEP: _ASYMMETRIC | _ENCRYPTING,
    Alg.ECDSA: _ASYMMETRIC | _SIGNING,
    Alg.ECDH: _ASYMMETRIC | _METHOD,
    Alg.KDF1_SP800_56A: _HASH | _METHOD,
    Alg.KDF2: _HASH | _METHOD,
    Alg.KDF1_SP800_108: _HASH | _METHOD,
    Alg.ECC: _ASYMMETRIC | _OBJECT,
    Alg.SYMCIPHER: _OBJECT,
    Alg.CTR: _SYMMETRIC | _ENCRYPTING,
    Alg.OFB: _SYMMETRIC | _ENCRYPTING,
    Alg.CBC: _SYMMETRIC | _ENCRYPTING,
    Alg.CFB: _SYMMETRIC | _ENCRYPTING,
    Alg.ECB: _SYMMETRIC | _ENCRYPTING,
}
