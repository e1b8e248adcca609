# SPDX-License-Identifier: Apache-2.0
"""Secrets that leave the TPM: encrypted and under an HMAC of who protects them (Part 1, sections 22 to 24).

An outer wrap is `HMAC | [IV |] ciphertext`, with keys from a seed: that of a parent for its children, one that was
encrypted to a key for duplicates and credentials. The HMAC covers the name of what is protected, so a private area
cannot be moved to another public one. An inner wrap is a plain digest under a key that someone brings.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field

from strongroom.crypto.tpm import cfb_decrypt, cfb_encrypt, digest, kdf_a, mac
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES, PublicArea
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import AES_BLOCK_BYTES
from strongroom.formats.tpm.wire import Reader, TpmFormatError, sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.objects.rules import symmetric_of
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.objects import Sensitive, TpmObject, read_sensitive

_NO_IV = bytes(AES_BLOCK_BYTES)


@dataclass(frozen=True, slots=True)
class Protector:
    """Who protects: hash and AES key size of its public area, and the seed."""

    hash: Alg
    key_bits: int
    seed: bytes = field(repr=False)

    @classmethod
    def parent(cls, parent: TpmObject) -> Protector:
        """Return a parent as it protects its children: with its own seed."""
        if parent.sensitive is None:
            raise RuntimeError("a parent has its secret part loaded")
        return cls.with_seed(parent.public, parent.sensitive.seed)

    @classmethod
    def with_seed(cls, public: PublicArea, seed: bytes) -> Protector:
        """Return a storage key as it protects with a seed that was encrypted to it."""
        return cls(public.name_alg, symmetric_of(public).key_bits, seed)

    def key(self, name: bytes) -> bytes:
        """Return the key that encrypts what has this name."""
        return kdf_a(self.hash, self.seed, "STORAGE", u=name, bits=self.key_bits)

    def seal(self, body: bytes, name: bytes) -> bytes:
        """Return the HMAC over encrypted bytes and a name."""
        bits = HASH_BYTES[self.hash] * 8
        return mac(self.hash, kdf_a(self.hash, self.seed, "INTEGRITY", bits=bits), body, name)


def wrap(protector: Protector, name: bytes, data: bytes, *, with_iv: bool = False) -> bytes:
    """Return data in an outer wrap. The seeds of duplicates are used once, those of parents need an IV each time."""
    iv = secrets.token_bytes(AES_BLOCK_BYTES) if with_iv else b""
    body = (sized(iv) if with_iv else b"") + cfb_encrypt(protector.key(name), iv or _NO_IV, data)
    return sized(protector.seal(body, name)) + body


def unwrap(protector: Protector, name: bytes, blob: bytes, *, number: int, with_iv: bool = False) -> bytes:
    """Return what is in an outer wrap. Raises Refused, blaming a parameter, for what was not wrapped so."""
    reader = Reader(blob)
    try:
        integrity = reader.sized("an integrity value", most_bytes=MAX_DIGEST_BYTES)
        body = reader.rest()
        if not hmac.compare_digest(integrity, protector.seal(body, name)):
            raise refusal.parameter(Rc.INTEGRITY, number)
        reader = Reader(body)
        iv = reader.sized("an IV", most_bytes=AES_BLOCK_BYTES) if with_iv else _NO_IV
    except TpmFormatError as malformed:
        raise refusal.parameter(malformed.rc, number) from malformed
    if len(iv) != AES_BLOCK_BYTES:
        raise refusal.parameter(Rc.VALUE, number)
    return cfb_decrypt(protector.key(name), iv, reader.rest())


def wrap_inner(name_alg: Alg, name: bytes, key: bytes, data: bytes) -> bytes:
    """Return data under a digest and a key that whoever duplicates brings (Part 1, section 23.3.2)."""
    return cfb_encrypt(key, _NO_IV, sized(digest(name_alg, data, name)) + data)


def unwrap_inner(name_alg: Alg, name: bytes, key: bytes, blob: bytes, *, number: int) -> bytes:
    """Return what is in an inner wrap. Raises Refused, blaming a parameter, for another key, name or content."""
    reader = Reader(cfb_decrypt(key, _NO_IV, blob))
    try:
        integrity = reader.sized("an integrity value", most_bytes=MAX_DIGEST_BYTES)
    except TpmFormatError as malformed:
        raise refusal.parameter(malformed.rc, number) from malformed
    data = reader.rest()
    if not hmac.compare_digest(integrity, digest(name_alg, data, name)):
        raise refusal.parameter(Rc.INTEGRITY, number)
    return data


def encode_sensitive(sensitive: Sensitive, name_alg: Alg) -> bytes:
    """Return TPM2B_SENSITIVE, the authorization value filled up: how long it is shall not show (Part 1, 22.4)."""
    auth = sensitive.auth.ljust(HASH_BYTES[name_alg], b"\0")
    return sized(Sensitive(sensitive.type, auth, sensitive.seed, sensitive.value).encode())


def decode_sensitive(data: bytes) -> Sensitive:
    """Read TPM2B_SENSITIVE that fills all of `data`. Raises TpmFormatError."""
    reader = Reader(data)
    size_bytes = reader.u16("the size of a sensitive area")
    if size_bytes != reader.left_bytes:
        raise reader.refused(Rc.SIZE, f"expected a sensitive area of {size_bytes} bytes, found {reader.left_bytes}")
    sensitive = read_sensitive(reader)
    reader.expect_end("the sensitive area")
    return sensitive


def to_private(sensitive: Sensitive, name_alg: Alg, name: bytes, parent: TpmObject) -> bytes:
    """Return the private area of an object under a parent (TPM2B_PRIVATE without its size)."""
    return wrap(Protector.parent(parent), name, encode_sensitive(sensitive, name_alg), with_iv=True)


def from_private(blob: bytes, name: bytes, parent: TpmObject, *, number: int) -> Sensitive:
    """Return the secrets in a private area. Raises Refused, blaming a parameter, for any other parent or name."""
    data = unwrap(Protector.parent(parent), name, blob, number=number, with_iv=True)
    try:
        return decode_sensitive(data)
    except TpmFormatError as malformed:
        raise Refused(Rc.SENSITIVE) from malformed
