# SPDX-License-Identifier: Apache-2.0
"""GenerateDataKey, GenerateDataKeyPair, both without plaintext, and GenerateRandom (KMS API Reference)."""

from __future__ import annotations

import secrets

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.asymmetric import spki
from strongroom.twin.kms.authorization import authorize_without_key
from strongroom.twin.kms.ciphertext import encrypt_blob
from strongroom.twin.kms.key_specs import KEY_PAIR_SPECS, KNOWN_ELSEWHERE, SYMMETRIC, KeySpec, KeyUsage
from strongroom.twin.kms.keys import Key
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.replies import delivered, end_dry_run, expect_algorithm, text, used_key, with_material_id
from strongroom.twin.kms.request import Operation, Reply, Request
from strongroom.twin.kms.store import KeyStore

MAX_RANDOM_BYTES = 1024
MAX_STORE_ID = 64
_KEY_BYTES = {"AES_256": 32, "AES_128": 16}


class DataKeys:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def operations(self) -> dict[str, Operation]:
        """Return the rows of this family."""
        key, pair = ("KeyId", "KeySpec", "NumberOfBytes"), ("KeyId", "KeyPairSpec")
        return {
            "GenerateDataKey": Operation(
                self.generate_data_key, takes_tokens=True, takes_context=True, takes_recipient=True, shown=key
            ),
            "GenerateDataKeyPair": Operation(
                self.generate_data_key_pair, takes_tokens=True, takes_context=True, takes_recipient=True, shown=pair
            ),
            "GenerateDataKeyPairWithoutPlaintext": Operation(
                self.generate_data_key_pair_without_plaintext, takes_tokens=True, takes_context=True, shown=pair
            ),
            "GenerateDataKeyWithoutPlaintext": Operation(
                self.generate_data_key_without_plaintext, takes_tokens=True, takes_context=True, shown=key
            ),
            "GenerateRandom": Operation(self.generate_random, takes_recipient=True, shown=()),
        }

    def generate_data_key(self, request: Request, parameters: Parameters) -> Reply:
        """GenerateDataKey, with or without a Recipient."""
        plaintext, reply = self._data_key(request, parameters)
        return delivered(request, plaintext) | reply

    def generate_data_key_without_plaintext(self, request: Request, parameters: Parameters) -> Reply:
        """GenerateDataKeyWithoutPlaintext."""
        return self._data_key(request, parameters)[1]

    def generate_data_key_pair(self, request: Request, parameters: Parameters) -> Reply:
        """GenerateDataKeyPair, with or without a Recipient. The private key is PKCS #8 in DER."""
        private, reply = self._data_key_pair(request, parameters)
        return delivered(request, private, member="PrivateKeyPlaintext") | reply

    def generate_data_key_pair_without_plaintext(self, request: Request, parameters: Parameters) -> Reply:
        """GenerateDataKeyPairWithoutPlaintext."""
        return self._data_key_pair(request, parameters)[1]

    def generate_random(self, request: Request, parameters: Parameters) -> Reply:
        """GenerateRandom: no key, so no key policy; only identity policies count."""
        size = parameters.whole_number("NumberOfBytes", maximum=MAX_RANDOM_BYTES)
        store_id = parameters.optional_text("CustomKeyStoreId", maximum=MAX_STORE_ID)
        authorize_without_key(request)
        if store_id is not None:
            raise AwsFault("CustomKeyStoreNotFoundException", f"Custom key store with ID {store_id} is not found.")
        if size is None:
            raise AwsFault("ValidationException", "NumberOfBytes is required.")
        return delivered(request, secrets.token_bytes(size))

    def _data_key(self, request: Request, parameters: Parameters) -> tuple[bytes, Reply]:
        size = _data_key_bytes(parameters)
        key = self._symmetric_key(request, parameters)
        end_dry_run(parameters)
        plaintext = secrets.token_bytes(size)
        reply: Reply = {"CiphertextBlob": text(encrypt_blob(key, plaintext, request.context)), "KeyId": key.arn}
        return plaintext, reply | with_material_id(request, key, key.material.material_id)

    def _data_key_pair(self, request: Request, parameters: Parameters) -> tuple[bytes, Reply]:
        spec = _key_pair_spec(parameters)
        key = self._symmetric_key(request, parameters)
        end_dry_run(parameters)
        private = spec.new_secret()
        reply: Reply = {
            "PrivateKeyCiphertextBlob": text(encrypt_blob(key, private, request.context)),
            "PublicKey": text(spki(private)),
            "KeyId": key.arn,
            "KeyPairSpec": spec.name,
        }
        return private, reply | with_material_id(request, key, key.material.material_id)

    def _symmetric_key(self, request: Request, parameters: Parameters) -> Key:
        key = used_key(request, parameters, self._store, KeyUsage.ENCRYPT_DECRYPT)
        expect_algorithm(key, SYMMETRIC)
        return key


def _key_pair_spec(parameters: Parameters) -> KeySpec:
    name = parameters.choice("KeyPairSpec", KEY_PAIR_SPECS.keys() | KNOWN_ELSEWHERE)
    if name not in KEY_PAIR_SPECS:
        raise AwsFault("UnsupportedOperationException", f"The twin makes no key pairs with KeyPairSpec {name}.")
    return KEY_PAIR_SPECS[name]


def _data_key_bytes(parameters: Parameters) -> int:
    number = parameters.whole_number("NumberOfBytes", maximum=MAX_RANDOM_BYTES)
    spec = None if parameters.optional_text("KeySpec") is None else parameters.choice("KeySpec", _KEY_BYTES)
    if (spec is None) == (number is None):
        raise AwsFault("ValidationException", "Please specify either number of bytes or key spec.")
    return number if number is not None else _KEY_BYTES[spec or ""]
