# SPDX-License-Identifier: Apache-2.0
"""One attested Decrypt of any ciphertext, with errors of ours (KMS API Reference, Decrypt)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from strongroom.aws.sdk.attested_kms import attest_calls
from strongroom.aws.sdk.session import translated
from strongroom.errors import ServiceFault
from strongroom.ports import EvidenceSource

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

MAX_CIPHERTEXT_BYTES = 6144
"""KMS API model: CiphertextType."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecryptCall:
    """What is to be decrypted. Empty members are left out of the call, and KMS decides."""

    ciphertext: bytes
    key_id: str = ""
    """A key ARN, an alias ARN, a bare id or an alias. Only of a key ARN is the answer compared with it."""
    context: Mapping[str, str] = field(default_factory=dict)
    algorithm: str = ""
    grant_tokens: tuple[str, ...] = ()

    def parameters(self) -> dict[str, Any]:
        """Return the parameters as boto3 takes them."""
        given = {
            "CiphertextBlob": self.ciphertext,
            "KeyId": self.key_id,
            "EncryptionContext": dict(self.context),
            "EncryptionAlgorithm": self.algorithm,
            "GrantTokens": list(self.grant_tokens),
        }
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class DecryptReply:
    """The secret, and what KMS says it was encrypted with. Printing it shows no secret."""

    key_id: str
    algorithm: str
    plaintext: bytes = field(repr=False)


class SdkAttestedDecrypt:
    """Decrypt over a boto3 client, which it makes attest its calls by `evidence_source`."""

    def __init__(self, client: KMSClient, evidence_source: EvidenceSource) -> None:
        attest_calls(client, evidence_source)
        self._client = client

    def decrypt(self, call: DecryptCall) -> DecryptReply:
        """Return the secret.

        Raises KeyRefused, NotAuthentic for a reply that KMS does not give, UsageError, ServiceFault, and what the
        evidence source raises.
        """
        with translated():
            reply = self._client.decrypt(**call.parameters())
        return DecryptReply(reply.get("KeyId", ""), reply.get("EncryptionAlgorithm", ""), reply["Plaintext"])

    def try_out(self, call: DecryptCall) -> None:
        """Ask KMS whether it would decrypt, and get no secret (DryRun). Raises as `decrypt` when it would not."""
        with translated():
            try:
                self._client.decrypt(**call.parameters(), DryRun=True)
            except self._client.exceptions.DryRunOperationException:
                return
        raise ServiceFault(
            "kms.no-dry-run",
            "expected the end of a dry run (DryRunOperationException), found a secret",
            retryable=False,
        )
