# SPDX-License-Identifier: Apache-2.0
"""How KMS describes a key: KeyMetadata, and the members that GetPublicKey shares with it (KMS API Reference)."""

from __future__ import annotations

from strongroom.twin.kms.key_specs import SYMMETRIC, KeyUsage
from strongroom.twin.kms.keys import ORIGIN, Key, KeyState
from strongroom.twin.kms.replies import seconds
from strongroom.twin.kms.request import Reply

_ALGORITHM_MEMBERS = {
    KeyUsage.ENCRYPT_DECRYPT: "EncryptionAlgorithms",
    KeyUsage.SIGN_VERIFY: "SigningAlgorithms",
    KeyUsage.KEY_AGREEMENT: "KeyAgreementAlgorithms",
    KeyUsage.GENERATE_VERIFY_MAC: "MacAlgorithms",
}


def key_metadata(key: Key) -> Reply:
    """Return KeyMetadata."""
    metadata: Reply = {
        "AWSAccountId": key.account_id,
        "KeyId": key.key_id,
        "Arn": key.arn,
        "CreationDate": seconds(key.created),
        "Enabled": key.state is KeyState.ENABLED,
        "Description": key.description,
        "KeyUsage": key.usage.value,
        "KeyState": key.state.value,
        "Origin": ORIGIN,
        "KeyManager": "CUSTOMER",
        "MultiRegion": False,
        **spec_members(key),
        **algorithm_members(key),
    }
    if key.spec.name == SYMMETRIC:
        metadata["CurrentKeyMaterialId"] = key.material.material_id
    if key.deletion is not None:
        metadata["DeletionDate"] = seconds(key.deletion)
    return metadata


def spec_members(key: Key) -> Reply:
    """Return the key spec under both of its names; the older one is deprecated and always there."""
    return {"CustomerMasterKeySpec": key.spec.name, "KeySpec": key.spec.name}


def algorithm_members(key: Key) -> Reply:
    """Return what the key can be used with, under the name that goes with its usage."""
    return {_ALGORITHM_MEMBERS[key.usage]: list(key.algorithms)}
