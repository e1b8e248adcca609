# SPDX-License-Identifier: Apache-2.0
"""Symmetric definitions and schemes of keys (Part 2, sections 11.1 to 11.3): an algorithm, and what it needs to know.

The same few bytes stand in public areas, in command parameters and in signatures, and differ by which algorithms are
allowed there. So readers name those; whatever else is found is refused with the code the TPM has for it.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, u16

AES_KEY_BITS = (128, 256)
AES_BLOCK_BYTES = 16
"""Also the size of an IV."""
BLOCK_MODES = (Alg.CTR, Alg.OFB, Alg.CBC, Alg.CFB, Alg.ECB)

SIGNING_SCHEMES_BY_TYPE: Mapping[Alg, frozenset[Alg]] = {
    Alg.RSA: frozenset({Alg.RSASSA, Alg.RSAPSS}),
    Alg.ECC: frozenset({Alg.ECDSA}),
    Alg.KEYEDHASH: frozenset({Alg.HMAC}),
}
"""What each type of key signs with. Symmetric ciphers do not sign."""
SIGNING_SCHEMES = frozenset[Alg]().union(*SIGNING_SCHEMES_BY_TYPE.values())
RSA_SCHEMES = (Alg.RSASSA, Alg.RSAPSS, Alg.RSAES, Alg.OAEP)
RSA_ENCRYPTION_SCHEMES = (Alg.RSAES, Alg.OAEP)
ECC_SCHEMES = (Alg.ECDSA, Alg.ECDH)
KEYED_HASH_SCHEMES = (Alg.HMAC, Alg.XOR)
KDFS = (Alg.MGF1, Alg.KDF1_SP800_56A, Alg.KDF2, Alg.KDF1_SP800_108)
_HASHES = {int(algorithm): algorithm for algorithm in HASH_BYTES}
DIGESTS = {u16(algorithm): (algorithm, size_bytes) for algorithm, size_bytes in HASH_BYTES.items()}
"""TPMT_HA, for `Reader.tagged`: hash algorithms by their bytes, each with the size of its digests."""


@dataclass(frozen=True, slots=True)
class Symmetric:
    """TPMT_SYM_DEF: AES with a key size and mode, XOR with a hash (sessions only), or nothing."""

    algorithm: Alg = Alg.NULL
    key_bits: int = 0
    mode: Alg = Alg.NULL
    hash: Alg = Alg.NULL
    """Of XOR obfuscation."""

    def encode(self) -> bytes:
        """Return the bytes."""
        if self.algorithm is Alg.NULL:
            return u16(Alg.NULL)
        if self.algorithm is Alg.XOR:
            return u16(Alg.XOR) + u16(self.hash)
        return u16(self.algorithm) + u16(self.key_bits) + u16(self.mode)


NO_SYMMETRIC = Symmetric()
AES_128_CFB = Symmetric(Alg.AES, 128, Alg.CFB)


def read_symmetric(reader: Reader, *, xor: bool = False, null: bool = True) -> Symmetric:
    """Take a definition off. Raises TpmFormatError for algorithms, key sizes and modes we do not have."""
    allowed = {Alg.AES} | ({Alg.XOR} if xor else set()) | ({Alg.NULL} if null else set())
    algorithm = Alg(reader.choice(allowed, Rc.SYMMETRIC, "symmetric algorithm"))
    if algorithm is Alg.NULL:
        return NO_SYMMETRIC
    if algorithm is Alg.XOR:
        return Symmetric(Alg.XOR, hash=read_hash(reader))
    key_bits = reader.choice(AES_KEY_BITS, Rc.VALUE, "AES key size")
    return Symmetric(Alg.AES, key_bits, read_mode(reader))


def read_mode(reader: Reader) -> Alg:
    """Take a block cipher mode off; NULL leaves it to the one who uses the key. Raises TpmFormatError for others."""
    return Alg(reader.choice((*BLOCK_MODES, Alg.NULL), Rc.MODE, "block cipher mode"))


@dataclass(frozen=True, slots=True)
class Scheme:
    """TPMT_SIG_SCHEME and its kin: an algorithm, its hash, and for XOR a key derivation."""

    algorithm: Alg = Alg.NULL
    hash: Alg = Alg.NULL
    kdf: Alg = Alg.NULL

    def encode(self) -> bytes:
        """Return the bytes."""
        if self.algorithm in {Alg.NULL, Alg.RSAES}:
            return u16(self.algorithm)
        kdf = u16(self.kdf) if self.algorithm is Alg.XOR else b""
        return u16(self.algorithm) + u16(self.hash) + kdf


NO_SCHEME = Scheme()


def read_scheme(reader: Reader, allowed: Container[int], *, refusal: Rc = Rc.SCHEME, null: bool = True) -> Scheme:
    """Take a scheme off. Raises TpmFormatError with `refusal` for an algorithm that is not allowed here."""
    found = reader.u16("a scheme")
    if found == Alg.NULL and null:
        return NO_SCHEME
    if found not in allowed:
        raise reader.refused(refusal, f"expected a scheme for this place, found {found:#06x}")
    algorithm = Alg(found)
    if algorithm is Alg.RSAES:
        return Scheme(algorithm)
    hash_ = read_hash(reader)
    if algorithm is Alg.XOR:
        return Scheme(algorithm, hash_, Alg(reader.choice((*KDFS, Alg.NULL), Rc.KDF, "key derivation")))
    return Scheme(algorithm, hash_)


def read_hash(reader: Reader, *, null: bool = False) -> Alg:
    """Take the identifier of a hash algorithm off. Raises TpmFormatError for one we do not have."""
    found = reader.u16("a hash algorithm")
    known = _HASHES.get(found)
    if known is not None:
        return known
    if null and found == Alg.NULL:
        return Alg.NULL
    raise reader.refused(Rc.HASH, f"expected a known hash algorithm, found {found:#06x}")
