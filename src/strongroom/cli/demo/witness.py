# SPDX-License-Identifier: Apache-2.0
"""Watches the agent's ports, so that the demo can say who refused, and at which of the six steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from strongroom.agent.trusted import AgentTrust
from strongroom.aws.lean.https import HttpsEndpoint, MetadataEndpoint
from strongroom.aws.lean.imds import LeanImds
from strongroom.aws.lean.kms import LeanKms
from strongroom.errors import KeyRefused, StrongroomError
from strongroom.ids import CmsBytes, EvidenceBytes, KeyArn, SpkiDer, WrappedKey
from strongroom.ports import AttestedKms
from strongroom.twin.kms.decisions import DecisionRecord
from strongroom.twin.machine import Instance
from strongroom.twin.server import Twin

STEP_HEADER, STEP_KMS, STEP_UNWRAP, STEP_CONTENT = 1, 4, 5, 6


@dataclass(slots=True)
class Witness:
    """An `EvidenceSource` and an `AttestedKms` that count. `late_documents` come out `lateness` old."""

    instance: Instance
    kms: AttestedKms
    late_documents: int = 0
    lateness: timedelta = timedelta(0)
    keys_asked_for: int = 0
    refusals: list[str] = field(default_factory=list)

    def attest(
        self, *, public_key: SpkiDer | None = None, nonce: bytes | None = None, user_data: bytes | None = None
    ) -> EvidenceBytes:
        """Pass on to the NitroTPM; make the document late if this one is to be."""
        if public_key is not None and self.late_documents:
            self.late_documents -= 1
            self.instance.document_age = self.lateness
        try:
            return self.instance.attest(public_key=public_key, nonce=nonce, user_data=user_data)
        finally:
            self.instance.document_age = timedelta(0)

    def decrypt(
        self, wrapped_key: WrappedKey, *, key_arn: KeyArn, context: Mapping[str, str], recipient: EvidenceBytes
    ) -> CmsBytes:
        """Pass on to KMS, and note a refusal."""
        self.keys_asked_for += 1
        try:
            return self.kms.decrypt(wrapped_key, key_arn=key_arn, context=context, recipient=recipient)
        except KeyRefused as refusal:
            self.refusals.append(refusal.code)
            raise

    def step_of(self, error: StrongroomError) -> int:
        """Return the step of opening at which this error ended it."""
        if not self.keys_asked_for:
            return STEP_HEADER
        if isinstance(error, KeyRefused):
            return STEP_KMS
        return STEP_UNWRAP if error.code.startswith("key-transport.") else STEP_CONTENT


def metadata_of(instance: Instance) -> LeanImds:
    """Return the agent's client of the instance's metadata service."""
    return LeanImds(MetadataEndpoint(instance.imds_endpoint))


def kms_of(twin: Twin, instance: Instance, trust: AgentTrust) -> LeanKms:
    """Return the agent's own KMS client: TLS under the roots of the trust file, the role's credentials from IMDSv2."""
    endpoint = HttpsEndpoint(trust.tls.kms[instance.region], roots=trust.tls.roots)
    credentials = metadata_of(instance).role_credentials
    return LeanKms(endpoint, region=instance.region, credentials=credentials, clock=twin.clock)


def refuser(record: DecisionRecord) -> str:
    """Say who in KMS refused, from the twin's decision log."""
    if record.statement:
        return f"KMS: statement {record.statement}"
    if record.outcome == "error":
        return f"KMS: {record.error_code}"
    return f"KMS: {record.reason.partition(' to ')[0]}"
