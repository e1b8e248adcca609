# SPDX-License-Identifier: Apache-2.0
"""Encrypt, Decrypt and ReEncrypt (KMS API Reference, by their names), under symmetric and RSA keys.

With a Recipient the plaintext leaves only inside CiphertextForRecipient; Plaintext is empty, and KeyMaterialId is
never there. The order of the refusals is an assumption: document, key, policies, key state, ciphertext.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms import asymmetric
from strongroom.twin.kms.authorization import authorize, expect_usable, hidden
from strongroom.twin.kms.ciphertext import CiphertextBlob, decrypt_blob, encrypt_blob, invalid_ciphertext, parse_blob
from strongroom.twin.kms.condition_facts import ENCRYPTION_ALGORITHM, SAME_KEY, alias_fact
from strongroom.twin.kms.key_specs import SYMMETRIC, KeyUsage
from strongroom.twin.kms.keys import Key
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.replies import (
    delivered,
    end_dry_run,
    expect_algorithm,
    expect_usage,
    text,
    used_key,
    with_material_id,
)
from strongroom.twin.kms.request import Operation, Question, Reply, Request
from strongroom.twin.kms.store import KeyStore

MAX_PLAINTEXT_BYTES = 4096
MAX_CIPHERTEXT_BYTES = 6144
ENCRYPTION_ALGORITHMS = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256", "SM2PKE", SYMMETRIC)
IGNORE_CIPHERTEXT = "IGNORE_CIPHERTEXT"
_ENCRYPTING = KeyUsage.ENCRYPT_DECRYPT


@dataclass(frozen=True, slots=True)
class _Side:
    """One key of a call: how its parameters name it, under which action it is used, with which context."""

    key_id: str
    algorithm: str
    action: str
    context: Mapping[str, str]
    other_key: str = ""
    """The ARN of the other key of a ReEncrypt."""

    def question(self, parameters: Parameters, key: Key) -> Question:
        """Return what the policies are asked about the key."""
        algorithm = parameters.text(self.algorithm, default=SYMMETRIC)
        facts = {ENCRYPTION_ALGORITHM: algorithm, **alias_fact(parameters.members.get(self.key_id))}
        if self.other_key:
            facts[SAME_KEY] = "true" if key.arn == self.other_key else "false"
        return Question(self.action, self.context, facts)


def _decrypting(context: Mapping[str, str]) -> _Side:
    return _Side("KeyId", "EncryptionAlgorithm", "Decrypt", context)


class KeyUse:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def operations(self) -> dict[str, Operation]:
        """Return the rows of this family."""
        shown, defaults = ("KeyId", "EncryptionAlgorithm"), {"EncryptionAlgorithm": SYMMETRIC}
        sides = [f"{side}{name}" for side in ("Source", "Destination") for name in ("KeyId", "EncryptionAlgorithm")]
        contexts = ("SourceEncryptionContext", "DestinationEncryptionContext")
        both = {"SourceEncryptionAlgorithm": SYMMETRIC, "DestinationEncryptionAlgorithm": SYMMETRIC}
        return {
            "Decrypt": Operation(
                self.decrypt,
                takes_tokens=True,
                takes_context=True,
                takes_recipient=True,
                shown=shown,
                defaults=defaults,
            ),
            "Encrypt": Operation(self.encrypt, takes_tokens=True, takes_context=True, shown=shown, defaults=defaults),
            "ReEncrypt": Operation(self.re_encrypt, takes_tokens=True, shown=(*sides, *contexts), defaults=both),
        }

    def encrypt(self, request: Request, parameters: Parameters) -> Reply:
        """Encrypt. It takes no Recipient."""
        plaintext = parameters.blob("Plaintext", maximum_bytes=MAX_PLAINTEXT_BYTES)
        algorithm = parameters.choice("EncryptionAlgorithm", ENCRYPTION_ALGORITHMS, default=SYMMETRIC)
        key = used_key(request, parameters, self._store, _ENCRYPTING)
        ciphertext = _encrypted(key, algorithm, plaintext, request.context)
        end_dry_run(parameters)
        return {"CiphertextBlob": text(ciphertext), "KeyId": key.arn, "EncryptionAlgorithm": algorithm}

    def decrypt(self, request: Request, parameters: Parameters) -> Reply:
        """Decrypt, with or without a Recipient."""
        side = _decrypting(request.context)
        if _ignores_ciphertext(parameters):
            self._named_key(request, parameters, side)
            end_dry_run(parameters)
        key, plaintext, material_id = self._opened(request, parameters, side)
        end_dry_run(parameters)
        algorithm = parameters.text("EncryptionAlgorithm", default=SYMMETRIC)
        answer = {"KeyId": key.arn, "EncryptionAlgorithm": algorithm}
        return delivered(request, plaintext) | answer | with_material_id(request, key, material_id)

    def re_encrypt(self, request: Request, parameters: Parameters) -> Reply:
        """ReEncrypt: the plaintext stays. It takes kms:ReEncryptFrom on one key and kms:ReEncryptTo on the other."""
        algorithm = parameters.choice("DestinationEncryptionAlgorithm", ENCRYPTION_ALGORITHMS, default=SYMMETRIC)
        other = self._store.resolve(request.place, parameters.text("DestinationKeyId"))
        origin = _re_encrypting(parameters, "Source", "ReEncryptFrom", other)
        if _ignores_ciphertext(parameters):
            source = self._named_key(request, parameters, origin)
            self._named_key(request, parameters, _re_encrypting(parameters, "Destination", "ReEncryptTo", source))
            end_dry_run(parameters)
        source, plaintext, source_material = self._opened(request, parameters, origin)
        destination = _re_encrypting(parameters, "Destination", "ReEncryptTo", source)
        key = self._named_key(request, parameters, destination)
        ciphertext = _encrypted(key, algorithm, plaintext, destination.context)
        end_dry_run(parameters)
        reply: Reply = {
            "CiphertextBlob": text(ciphertext),
            "SourceKeyId": source.arn,
            "KeyId": key.arn,
            "SourceEncryptionAlgorithm": parameters.text(origin.algorithm, default=SYMMETRIC),
            "DestinationEncryptionAlgorithm": algorithm,
        }
        if not source.spec.is_asymmetric:
            reply["SourceKeyMaterialId"] = source_material
        if not key.spec.is_asymmetric:
            reply["DestinationKeyMaterialId"] = key.material.material_id
        return reply

    def _opened(self, request: Request, parameters: Parameters, side: _Side) -> tuple[Key, bytes, str]:
        """Return the key, the plaintext and the id of the key material."""
        ciphertext = parameters.blob("CiphertextBlob", maximum_bytes=MAX_CIPHERTEXT_BYTES)
        algorithm = parameters.choice(side.algorithm, ENCRYPTION_ALGORITHMS, default=SYMMETRIC)
        if parameters.optional_text(side.key_id) is not None:
            key = self._named_key(request, parameters, side)
        else:
            key = self._key_of(request, parameters, side, parse_blob(ciphertext))
        expect_algorithm(key, algorithm)
        if algorithm != SYMMETRIC:
            _expect_no_context(side.context)
            plaintext = asymmetric.decrypt(key, algorithm, ciphertext)
            if plaintext is None:
                raise invalid_ciphertext()
            return key, plaintext, ""
        blob = parse_blob(ciphertext)
        if blob.key_id != key.key_id:
            raise AwsFault(
                "IncorrectKeyException",
                "The key ID in the request does not identify a CMK that can perform this operation.",
            )
        return key, decrypt_blob(key, blob, side.context), blob.material_id

    def _named_key(self, request: Request, parameters: Parameters, side: _Side) -> Key:
        key = self._store.resolve(request.place, parameters.text(side.key_id))
        authorize(request, key, side.question(parameters, key))
        expect_usable(key)
        expect_usage(request, key, _ENCRYPTING)
        return key

    def _key_of(self, request: Request, parameters: Parameters, side: _Side, blob: CiphertextBlob) -> Key:
        """Find the key by the ciphertext alone. One of nobody, or of another region, is refused without a hint."""
        key = self._store.by_id(request.place.region, blob.key_id)
        if key is None:
            raise hidden(request, side.action)
        authorize(request, key, side.question(parameters, key), named_by_ciphertext=True)
        expect_usable(key)
        return key


def _re_encrypting(parameters: Parameters, name: str, action: str, other: Key) -> _Side:
    context = parameters.context(f"{name}EncryptionContext")
    return _Side(f"{name}KeyId", f"{name}EncryptionAlgorithm", action, context, other.arn)


def _encrypted(key: Key, algorithm: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    expect_algorithm(key, algorithm)
    if algorithm == SYMMETRIC:
        return encrypt_blob(key, plaintext, context)
    _expect_no_context(context)
    largest = asymmetric.largest_plaintext_bytes(key, algorithm)
    if len(plaintext) > largest:
        raise AwsFault(
            "ValidationException",
            f"Algorithm {algorithm} and key spec {key.spec.name} cannot encrypt data larger than {largest} bytes.",
        )
    return asymmetric.encrypt(key, algorithm, plaintext)


def _expect_no_context(context: Mapping[str, str]) -> None:
    if context:
        raise AwsFault("ValidationException", "Encryption context is not supported for asymmetric keys.")


def _ignores_ciphertext(parameters: Parameters) -> bool:
    """Tell whether a dry run is to look at permissions alone (KMS API Reference, Decrypt, DryRunModifiers)."""
    modifiers = parameters.texts("DryRunModifiers", maximum=1)
    if not modifiers:
        return False
    if modifiers != (IGNORE_CIPHERTEXT,):
        raise AwsFault(
            "ValidationException", f"DryRunModifiers: expected {IGNORE_CIPHERTEXT}, found {modifiers[0][:64]}"
        )
    if not parameters.flag("DryRun"):
        raise AwsFault("ValidationException", "DryRunModifiers can only be used when DryRun is true.")
    return True
