# SPDX-License-Identifier: Apache-2.0
"""Operations that use keys: Encrypt, Decrypt, GenerateDataKey, GenerateRandom (KMS API Reference, by their names).

With a Recipient the plaintext leaves only inside CiphertextForRecipient; Plaintext is empty, and KeyMaterialId is
never there. The order of the refusals is an assumption: document, key, policies, key state, ciphertext.
"""

from __future__ import annotations

import base64
import secrets

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.authorization import Request, authorize, authorize_without_key, expect_usable, hidden
from strongroom.twin.kms.ciphertext import CiphertextBlob, decrypt_blob, encrypt_blob, parse_blob
from strongroom.twin.kms.keys import Key, KeyStore
from strongroom.twin.kms.parameters import Parameters

Reply = dict[str, object]

MAX_PLAINTEXT_BYTES = 4096
MAX_CIPHERTEXT_BYTES = 6144
MAX_RANDOM_BYTES = 1024
ALGORITHM = "SYMMETRIC_DEFAULT"
_KEY_BYTES = {"AES_256": 32, "AES_128": 16}


class KeyUse:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def encrypt(self, request: Request, parameters: Parameters) -> Reply:
        """Encrypt. It takes no Recipient."""
        plaintext = parameters.blob("Plaintext", maximum_bytes=MAX_PLAINTEXT_BYTES)
        key = self._usable(request, parameters)
        _expect_algorithm(parameters)
        _end_dry_run(parameters)
        blob = encrypt_blob(key, plaintext, request.context)
        return {"CiphertextBlob": _text(blob), "KeyId": key.arn, "EncryptionAlgorithm": ALGORITHM}

    def decrypt(self, request: Request, parameters: Parameters) -> Reply:
        """Decrypt, with or without a Recipient."""
        ciphertext = parameters.blob("CiphertextBlob", maximum_bytes=MAX_CIPHERTEXT_BYTES)
        _expect_algorithm(parameters)
        identifier = parameters.optional_text("KeyId")
        if identifier is None:
            blob = parse_blob(ciphertext)
            key = self._key_of(request, blob)
        else:
            key = self._usable(request, parameters)
            blob = parse_blob(ciphertext)
        if blob.key_id != key.key_id:
            raise AwsFault(
                "IncorrectKeyException",
                "The key ID in the request does not identify a CMK that can perform this operation.",
            )
        plaintext = decrypt_blob(key, blob, request.context)
        _end_dry_run(parameters)
        return _delivered(request, plaintext) | {"KeyId": key.arn, "EncryptionAlgorithm": ALGORITHM}

    def generate_data_key(self, request: Request, parameters: Parameters) -> Reply:
        """GenerateDataKey, with or without a Recipient."""
        size = _data_key_bytes(parameters)
        key = self._usable(request, parameters)
        _end_dry_run(parameters)
        plaintext = secrets.token_bytes(size)
        blob = encrypt_blob(key, plaintext, request.context)
        return _delivered(request, plaintext) | {"CiphertextBlob": _text(blob), "KeyId": key.arn}

    def generate_random(self, request: Request, parameters: Parameters) -> Reply:
        """GenerateRandom: no key, so no key policy; only identity policies count."""
        size = parameters.whole_number("NumberOfBytes", maximum=MAX_RANDOM_BYTES)
        authorize_without_key(request)
        if size is None:
            raise AwsFault("ValidationException", "NumberOfBytes is required.")
        return _delivered(request, secrets.token_bytes(size))

    def _usable(self, request: Request, parameters: Parameters) -> Key:
        key = self._store.resolve(request.place, parameters.text("KeyId"))
        authorize(request, key)
        expect_usable(key)
        return key

    def _key_of(self, request: Request, blob: CiphertextBlob) -> Key:
        """Find the key by the ciphertext alone. One of nobody, or of another region, is refused without a hint."""
        key = self._store.by_id(request.place.region, blob.key_id)
        if key is None:
            raise hidden(request)
        authorize(request, key, named_by_ciphertext=True)
        expect_usable(key)
        return key


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _delivered(request: Request, plaintext: bytes) -> Reply:
    if request.recipient is None:
        return {"Plaintext": _text(plaintext)}
    return {"Plaintext": "", "CiphertextForRecipient": _text(request.recipient.encrypt(plaintext))}


def _expect_algorithm(parameters: Parameters) -> None:
    algorithm = parameters.text("EncryptionAlgorithm", default=ALGORITHM)
    if algorithm != ALGORITHM:
        raise AwsFault("InvalidKeyUsageException", f"The twin's keys take {ALGORITHM} only, not {algorithm[:64]}.")


def _end_dry_run(parameters: Parameters) -> None:
    if parameters.flag("DryRun"):
        raise AwsFault("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


def _data_key_bytes(parameters: Parameters) -> int:
    spec = parameters.optional_text("KeySpec")
    number = parameters.whole_number("NumberOfBytes", maximum=MAX_RANDOM_BYTES)
    if (spec is None) == (number is None):
        raise AwsFault("ValidationException", "Please specify either number of bytes or key spec.")
    if spec is not None and spec not in _KEY_BYTES:
        raise AwsFault("ValidationException", f"KeySpec: expected AES_256 or AES_128, found {spec[:64]}")
    return number if number is not None else _KEY_BYTES[spec or ""]
