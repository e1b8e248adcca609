# SPDX-License-Identifier: Apache-2.0
"""Keys, commitment and chunk encryption of a bundle, suite 1 (docs/formats/bundle.md section 6).

HKDF-SHA384 (RFC 5869) makes one key per entry; AES-256-GCM (NIST SP 800-38D) encrypts chunks under counter nonces.
GCM does not commit to its key, so a commitment is verified before anything is decrypted (ATTACKS K10): only
`verify_data_key` and `new_content_keys` make `ContentKeys`.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from strongroom.errors import NotAuthentic
from strongroom.formats.bundle_header import COMMITMENT_BYTES, SUITE
from strongroom.formats.bundle_layout import TAG_BYTES, chunk_count, ciphertext_bytes

DATA_KEY_BYTES = 32
TABLE_INDEX = 0
"""The entry table is entry 0; files are 1, 2, …"""

_LABEL = b"strongroom/bundle/v1/"
_NUMBER_BYTES = 11
_LAST, _NOT_LAST = b"\1", b"\0"


@dataclass(frozen=True, slots=True)
class ContentKeys:
    """What a data key yields for one content. Printing it shows no key."""

    chunk_log2: int
    commitment: bytes
    _prk: bytes = field(repr=False)

    def entry_cipher(self, index: int) -> AESGCM:
        """Return the cipher of an entry: 0 is the table."""
        return AESGCM(_expand(self._prk, b"entry", self.chunk_log2, index))


def _expand(prk: bytes, kind: bytes, chunk_log2: int, index: int) -> bytes:
    info = _LABEL + kind + b"\0" + SUITE.to_bytes(2) + chunk_log2.to_bytes(1) + index.to_bytes(4)
    return HKDFExpand(SHA384(), COMMITMENT_BYTES, info).derive(prk)


def new_content_keys(data_key: bytes, *, content_id: bytes, chunk_log2: int) -> ContentKeys:
    """Derive the keys for sealing. `data_key` (32 bytes) and `content_id` must be new and random."""
    if len(data_key) != DATA_KEY_BYTES:
        raise ValueError(f"expected a data key of {DATA_KEY_BYTES} bytes, found {len(data_key)}")
    prk = hmac.digest(content_id, data_key, "sha384")  # HKDF-Extract, RFC 5869 section 2.2
    return ContentKeys(chunk_log2, _expand(prk, b"commitment", chunk_log2, 0), prk)


def verify_data_key(data_key: bytes, *, content_id: bytes, chunk_log2: int, commitment: bytes) -> ContentKeys:
    """Return the keys if `data_key` is the one that the signed `commitment` names. Raises NotAuthentic."""
    if len(data_key) == DATA_KEY_BYTES:
        keys = new_content_keys(data_key, content_id=content_id, chunk_log2=chunk_log2)
        if hmac.compare_digest(keys.commitment, commitment):
            return keys
    raise NotAuthentic(
        "bundle.commitment",
        "expected the data key that the signed header commits to, found another",
        remedy="KMS, or somebody between, answered with a foreign key; or wrap and content do not belong together.",
    )


def encrypt_table(keys: ContentKeys, plaintext: bytes) -> bytes:
    """Encrypt the entry table: one message, whatever the chunk size."""
    return keys.entry_cipher(TABLE_INDEX).encrypt(_nonce(0, _LAST), plaintext, None)


def decrypt_table(keys: ContentKeys, ciphertext: bytes) -> bytes:
    """Decrypt the entry table. Raises NotAuthentic."""
    try:
        return keys.entry_cipher(TABLE_INDEX).decrypt(_nonce(0, _LAST), ciphertext, None)
    except InvalidTag as error:
        raise NotAuthentic("bundle.table", "the entry table does not decrypt: somebody changed it") from error


def _nonce(number: int, last: bytes) -> bytes:
    return number.to_bytes(_NUMBER_BYTES) + last


def _nonces(count: int) -> Iterator[bytes]:
    """Yield the nonces of an entry of `count` chunks; the last one carries the flag (ATTACKS K9)."""
    for number in range(count - 1):
        yield number.to_bytes(_NUMBER_BYTES) + _NOT_LAST
    yield _nonce(count - 1, _LAST)


def encrypt_entry(keys: ContentKeys, index: int, plaintext: memoryview, out: memoryview) -> None:
    """Encrypt entry `index` into `out`, which has exactly the size that the entry takes in the body."""
    if len(out) != ciphertext_bytes(len(plaintext), keys.chunk_log2):
        raise ValueError("the output does not have the size of the encrypted entry")
    encrypt_into = keys.entry_cipher(index).encrypt_into
    size = 1 << keys.chunk_log2
    read = written = 0
    for nonce in _nonces(chunk_count(len(plaintext), keys.chunk_log2)):
        chunk = plaintext[read : read + size]
        read += size
        written += encrypt_into(nonce, chunk, None, out[written : written + len(chunk) + TAG_BYTES])


def decrypt_entry(keys: ContentKeys, index: int, ciphertext: memoryview, out: memoryview) -> None:
    """Decrypt entry `index` into `out`, which has exactly the size that the table names. Raises NotAuthentic."""
    if len(ciphertext) != ciphertext_bytes(len(out), keys.chunk_log2):
        raise ValueError("the ciphertext does not have the size of the encrypted entry")
    decrypt_into = keys.entry_cipher(index).decrypt_into
    size = (1 << keys.chunk_log2) + TAG_BYTES
    read = written = 0
    try:
        for nonce in _nonces(chunk_count(len(out), keys.chunk_log2)):
            chunk = ciphertext[read : read + size]
            read += size
            written += decrypt_into(nonce, chunk, None, out[written : written + len(chunk) - TAG_BYTES])
    except InvalidTag as error:
        number = read // size - 1
        raise NotAuthentic(
            "bundle.chunk", f"chunk {number} of entry {index} does not decrypt: somebody changed it"
        ) from error
