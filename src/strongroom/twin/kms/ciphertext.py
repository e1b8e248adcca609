# SPDX-License-Identifier: Apache-2.0
"""The twin's ciphertext blobs: AES-256-GCM under a key's material, bound to the key and to the encryption context.

`STWN`, version 1, the key's 16-byte id, a 12-byte nonce, ciphertext and tag. Real blobs are opaque; only their
behaviour is emulated: they name their key, and open with exactly the context they were made with.
"""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.keys import Key

_MAGIC = b"STWN\x01"
_HEADER_BYTES = len(_MAGIC) + 16
_NONCE_BYTES = 12
_SMALLEST_BYTES = _HEADER_BYTES + _NONCE_BYTES + 16


@dataclass(frozen=True, slots=True)
class CiphertextBlob:
    """A blob whose header was read. Nothing in it is authentic until it opens."""

    key_id: str
    header: bytes
    nonce: bytes
    sealed: bytes


def encrypt_blob(key: Key, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    """Encrypt under a key, bound to the context."""
    header = _MAGIC + uuid.UUID(key.key_id).bytes
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return header + nonce + AESGCM(key.material).encrypt(nonce, plaintext, _bound(header, context))


def parse_blob(data: bytes) -> CiphertextBlob:
    """Read which key a blob names. Raises AwsFault (InvalidCiphertextException)."""
    if len(data) < _SMALLEST_BYTES or not data.startswith(_MAGIC):
        raise _invalid()
    header, rest = data[:_HEADER_BYTES], data[_HEADER_BYTES:]
    key_id = str(uuid.UUID(bytes=header[len(_MAGIC) :]))
    return CiphertextBlob(key_id, header, rest[:_NONCE_BYTES], rest[_NONCE_BYTES:])


def decrypt_blob(key: Key, blob: CiphertextBlob, context: Mapping[str, str]) -> bytes:
    """Open a blob. Raises AwsFault (InvalidCiphertextException) for a changed blob or another context."""
    try:
        return AESGCM(key.material).decrypt(blob.nonce, blob.sealed, _bound(blob.header, context))
    except InvalidTag as error:
        raise _invalid() from error


def _invalid() -> AwsFault:
    """Make the error of KMS, which has no message (aws-nitro-enclaves-sdk-c issue 68)."""
    return AwsFault("InvalidCiphertextException", "")


def _bound(header: bytes, context: Mapping[str, str]) -> bytes:
    return header + json.dumps(sorted(context.items()), separators=(",", ":")).encode()
