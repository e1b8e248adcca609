# SPDX-License-Identifier: Apache-2.0
"""The twin's ciphertext blobs: AES-256-GCM under a key's material, bound to the key and to the encryption context.

`STWN`, version 2, the key's 16-byte id, the 32-byte id of its material, a 12-byte nonce, ciphertext and tag. Real blobs
are opaque; only their behaviour is emulated: they name their key and material, so that they open after a rotation, and
open with exactly the context they were made with.
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

_MAGIC = b"STWN\x02"
_KEY_ID_END = len(_MAGIC) + 16
_HEADER_BYTES = _KEY_ID_END + 32
_NONCE_BYTES = 12
_SMALLEST_BYTES = _HEADER_BYTES + _NONCE_BYTES + 16


@dataclass(frozen=True, slots=True)
class CiphertextBlob:
    """A blob whose header was read. Nothing in it is authentic until it opens."""

    key_id: str
    material_id: str
    header: bytes
    nonce: bytes
    sealed: bytes


def encrypt_blob(key: Key, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    """Encrypt under a key's current material, bound to the context."""
    header = _MAGIC + uuid.UUID(key.key_id).bytes + bytes.fromhex(key.material.material_id)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return header + nonce + AESGCM(key.material.secret).encrypt(nonce, plaintext, _bound(header, context))


def parse_blob(data: bytes) -> CiphertextBlob:
    """Read which key a blob names. Raises AwsFault (InvalidCiphertextException)."""
    if len(data) < _SMALLEST_BYTES or not data.startswith(_MAGIC):
        raise invalid_ciphertext()
    header, rest = data[:_HEADER_BYTES], data[_HEADER_BYTES:]
    key_id = str(uuid.UUID(bytes=header[len(_MAGIC) : _KEY_ID_END]))
    return CiphertextBlob(key_id, header[_KEY_ID_END:].hex(), header, rest[:_NONCE_BYTES], rest[_NONCE_BYTES:])


def decrypt_blob(key: Key, blob: CiphertextBlob, context: Mapping[str, str]) -> bytes:
    """Open a blob. Raises AwsFault (InvalidCiphertextException) for a changed blob or another context."""
    material = next((each for each in key.materials if each.material_id == blob.material_id), None)
    if material is None:
        raise invalid_ciphertext()
    try:
        return AESGCM(material.secret).decrypt(blob.nonce, blob.sealed, _bound(blob.header, context))
    except InvalidTag as error:
        raise invalid_ciphertext() from error


def invalid_ciphertext() -> AwsFault:
    """Make the error of KMS, which has no message (aws-nitro-enclaves-sdk-c issue 68)."""
    return AwsFault("InvalidCiphertextException", "")


def _bound(header: bytes, context: Mapping[str, str]) -> bytes:
    return header + json.dumps(sorted(context.items()), separators=(",", ":")).encode()
