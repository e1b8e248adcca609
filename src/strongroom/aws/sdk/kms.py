# SPDX-License-Identifier: Apache-2.0
"""KMS for the vendor: wrap data keys, open escrow keys, and administer keys. All with the full key ARN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from strongroom.aws.sdk.key_reader import SdkKeyReader
from strongroom.aws.sdk.session import translated
from strongroom.errors import NotAuthentic
from strongroom.ids import KeyArn, WrappedKey
from strongroom.ports import KeyFacts

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.type_defs import KeyMetadataTypeDef, TagTypeDef


class SdkSealingKms:
    """A `SealingKms`: it may wrap, and has no method that opens."""

    def __init__(self, client: KMSClient) -> None:
        self._client = client

    def encrypt(self, data_key: bytes, *, key_arn: KeyArn, context: Mapping[str, str]) -> WrappedKey:
        """Return `data_key` encrypted under the key. Raises KeyRefused, UsageError, ServiceFault, NotAuthentic."""
        with translated():
            reply = self._client.encrypt(KeyId=key_arn, Plaintext=data_key, EncryptionContext=dict(context))
        expect_key(reply["KeyId"], key_arn)
        return WrappedKey(reply["CiphertextBlob"])


class SdkEscrowKms:
    """An `EscrowKms`: opens without attestation what an escrow key's policy lets it."""

    def __init__(self, client: KMSClient) -> None:
        self._client = client

    def decrypt_unattested(self, wrapped_key: WrappedKey, *, key_arn: KeyArn, context: Mapping[str, str]) -> bytes:
        """Return the plaintext data key. Raises KeyRefused, UsageError, ServiceFault, NotAuthentic."""
        with translated():
            reply = self._client.decrypt(CiphertextBlob=wrapped_key, KeyId=key_arn, EncryptionContext=dict(context))
        expect_key(reply["KeyId"], key_arn)
        return reply["Plaintext"]


class SdkKeyAdmin(SdkKeyReader):
    """A `KeyAdmin` over boto3: it reads what a reader does."""

    def create_key(self, *, policy: str, description: str, tags: Mapping[str, str]) -> KeyFacts:
        """Create a symmetric key under this policy. Raises KeyRefused, UsageError, ServiceFault."""
        pairs: list[TagTypeDef] = [{"TagKey": name, "TagValue": value} for name, value in tags.items()]
        with translated():
            reply = self._client.create_key(Policy=policy, Description=description, Tags=pairs)
        return _facts(reply["KeyMetadata"])

    def describe_key(self, key_arn: KeyArn) -> KeyFacts:
        """Return what KMS says about a key. Raises KeyRefused, UsageError, ServiceFault."""
        with translated():
            reply = self._client.describe_key(KeyId=key_arn)
        return _facts(reply["KeyMetadata"])

    def put_key_policy(self, key_arn: KeyArn, policy: str) -> None:
        """Replace the policy; one that locks the caller out is refused. Raises KeyRefused, UsageError, ServiceFault."""
        with translated():
            self._client.put_key_policy(KeyId=key_arn, PolicyName="default", Policy=policy)


def _facts(metadata: KeyMetadataTypeDef) -> KeyFacts:
    return KeyFacts(
        arn=KeyArn(metadata.get("Arn", "")),
        enabled=metadata.get("Enabled", False),
        state=metadata.get("KeyState", ""),
        origin=metadata.get("Origin", ""),
        multi_region=metadata.get("MultiRegion", False),
    )


def expect_key(found: str, key_arn: KeyArn) -> None:
    """Refuse an answer from another key than the one that was named (ATTACKS K7). Raises NotAuthentic."""
    if found != key_arn:
        raise NotAuthentic("kms.other-key", f"expected an answer from the key {key_arn}, found one from {found!r}")
