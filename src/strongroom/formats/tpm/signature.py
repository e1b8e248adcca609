# SPDX-License-Identifier: Apache-2.0
"""TPMT_SIGNATURE (Part 2, section 11.3.4)."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.public_area import MAX_COORDINATE_BYTES, MAX_RSA_KEY_BYTES
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import SIGNING_SCHEMES, read_hash
from strongroom.formats.tpm.wire import Reader, sized, u16


@dataclass(frozen=True, slots=True)
class RsaSignature:
    """RSASSA or RSAPSS."""

    scheme: Alg
    hash: Alg
    signature: bytes

    def encode(self) -> bytes:
        """Return the bytes."""
        return u16(self.scheme) + u16(self.hash) + sized(self.signature)


@dataclass(frozen=True, slots=True)
class EcdsaSignature:
    """r and s, big-endian."""

    hash: Alg
    r: bytes
    s: bytes

    def encode(self) -> bytes:
        """Return the bytes."""
        return u16(Alg.ECDSA) + u16(self.hash) + sized(self.r) + sized(self.s)


@dataclass(frozen=True, slots=True)
class HmacSignature:
    """An HMAC, as a key of kind KEYEDHASH makes it."""

    hash: Alg
    digest: bytes

    def encode(self) -> bytes:
        """Return the bytes."""
        return u16(Alg.HMAC) + u16(self.hash) + self.digest


Signature = RsaSignature | EcdsaSignature | HmacSignature


def read_signature(reader: Reader) -> Signature:
    """Take a signature off. Raises TpmFormatError for schemes we do not know."""
    scheme = Alg(reader.choice(SIGNING_SCHEMES, Rc.SCHEME, "signature scheme"))
    hash_ = read_hash(reader)
    if scheme is Alg.ECDSA:
        r = reader.sized("r of a signature", most_bytes=MAX_COORDINATE_BYTES)
        return EcdsaSignature(hash_, r, reader.sized("s of a signature", most_bytes=MAX_COORDINATE_BYTES))
    if scheme is Alg.HMAC:
        return HmacSignature(hash_, reader.take(HASH_BYTES[hash_], "an HMAC"))
    return RsaSignature(scheme, hash_, reader.sized("a signature", most_bytes=MAX_RSA_KEY_BYTES))
