# SPDX-License-Identifier: Apache-2.0
"""A key that guards nothing, to try a policy on (KMS API Reference, Decrypt with DryRun, ScheduleKeyDeletion)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from strongroom.aws.sdk.kms import SdkSealingKms
from strongroom.aws.sdk.session import translated
from strongroom.errors import ServiceFault
from strongroom.ids import EvidenceBytes, KeyArn, WrappedKey

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient
    from mypy_boto3_kms.type_defs import DecryptRequestTypeDef

WAITING_DAYS = 7
"""The shortest waiting period that KMS takes. A key costs nothing while it waits."""


class SdkTrialKms:
    """A `TrialKms` over boto3."""

    def __init__(self, client: KMSClient) -> None:
        self._client = client

    def encrypt(self, data_key: bytes, *, key_arn: KeyArn, context: Mapping[str, str]) -> WrappedKey:
        """Return `data_key` encrypted under the key. Raises KeyRefused, UsageError, ServiceFault, NotAuthentic."""
        return SdkSealingKms(self._client).encrypt(data_key, key_arn=key_arn, context=context)

    def would_decrypt(
        self, wrapped_key: WrappedKey, *, key_arn: KeyArn, context: Mapping[str, str], recipient: EvidenceBytes | None
    ) -> None:
        """Return if KMS would decrypt. Raises KeyRefused, UsageError, ServiceFault."""
        call: DecryptRequestTypeDef = {
            "CiphertextBlob": wrapped_key,
            "KeyId": key_arn,
            "EncryptionContext": dict(context),
            "DryRun": True,
        }
        if recipient is not None:
            call["Recipient"] = {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "AttestationDocument": recipient}
        with translated():
            try:
                self._client.decrypt(**call)
            except self._client.exceptions.DryRunOperationException:
                return
        raise ServiceFault(
            "kms.no-dry-run",
            "expected the end of a dry run (DryRunOperationException), found an answer",
            retryable=False,
        )

    def schedule_deletion(self, key_arn: KeyArn) -> None:
        """Let the key be deleted after 7 days. Raises KeyRefused, UsageError, ServiceFault."""
        with translated():
            self._client.schedule_key_deletion(KeyId=key_arn, PendingWindowInDays=WAITING_DAYS)
