# SPDX-License-Identifier: Apache-2.0
"""What many operations do the same way: bytes and times for JSON, dry runs, key usage, secrets for a recipient."""

from __future__ import annotations

import base64
from datetime import datetime

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.authorization import authorize, expect_usable
from strongroom.twin.kms.key_specs import KeyUsage
from strongroom.twin.kms.keys import Key
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.request import Reply, Request
from strongroom.twin.kms.store import KeyStore


def text(data: bytes) -> str:
    """Return bytes as JSON carries them: base64 (RFC 4648, section 4)."""
    return base64.b64encode(data).decode()


def seconds(at: datetime) -> float:
    """Return a time as JSON 1.1 carries it: seconds since 1970, with milliseconds."""
    return round(at.timestamp(), 3)


def managed_key(request: Request, parameters: Parameters, store: KeyStore) -> Key:
    """Return the key that KeyId names, which may not be an alias, for managing it: allowed. Raises AwsFault."""
    key = store.resolve_key(request.place, parameters.text("KeyId"))
    authorize(request, key)
    return key


def used_key(request: Request, parameters: Parameters, store: KeyStore, usage: KeyUsage) -> Key:
    """Return the key that KeyId names, for its use: allowed, enabled and made for this. Raises AwsFault."""
    key = store.resolve(request.place, parameters.text("KeyId"))
    authorize(request, key)
    expect_usable(key)
    expect_usage(request, key, usage)
    return key


def expect_usage(request: Request, key: Key, usage: KeyUsage) -> None:
    """Require that a key was made for this use. Raises AwsFault (InvalidKeyUsageException)."""
    if key.usage is not usage:
        raise AwsFault(
            "InvalidKeyUsageException",
            f"{key.arn} key usage is {key.usage} which is not valid for {request.operation}.",
        )


def expect_algorithm(key: Key, algorithm: str) -> None:
    """Require that a key can be used with an algorithm. Raises AwsFault (InvalidKeyUsageException)."""
    if algorithm not in key.algorithms:
        raise AwsFault(
            "InvalidKeyUsageException", f"Algorithm {algorithm} is incompatible with key spec {key.spec.name}."
        )


def end_dry_run(parameters: Parameters) -> None:
    """End a call that was only to be tried (KMS API Reference, DryRun). Raises AwsFault."""
    if parameters.flag("DryRun"):
        raise AwsFault("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


def delivered(request: Request, secret: bytes, *, member: str = "Plaintext") -> Reply:
    """Return a secret in the clear, or for the recipient only: then the member for the clear one is empty."""
    if request.recipient is None:
        return {member: text(secret)}
    return {member: "", "CiphertextForRecipient": text(request.recipient.encrypt(secret))}


def with_material_id(request: Request, key: Key, material_id: str) -> Reply:
    """Return KeyMaterialId, which symmetric keys have and attested answers omit (KMS API Reference, Decrypt)."""
    return {} if request.recipient is not None or key.spec.is_asymmetric else {"KeyMaterialId": material_id}
