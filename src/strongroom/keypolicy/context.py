# SPDX-License-Identifier: Apache-2.0
"""The condition context of one KMS request, from facts that somebody verified.

KMS Developer Guide, "Condition keys for NitroTPM" and "... for AWS Nitro Enclaves": attestation keys exist only for
five operations, only with a document, and only of that document's own kind; their values are lower-case hex.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from strongroom.errors import FormatError
from strongroom.formats.pcrs import PcrDigests, PcrIndex
from strongroom.ids import KeyArn, Region
from strongroom.keypolicy.condition_keys import (
    ENCLAVE_IMAGE,
    ENCLAVE_PCR,
    ENCRYPTION_CONTEXT,
    ENCRYPTION_CONTEXT_KEYS,
    NITROTPM_PCR,
    find_condition_key,
)
from strongroom.keypolicy.principals import Caller
from strongroom.keypolicy.request import KmsRequest


@dataclass(frozen=True, slots=True)
class NitroTpmPcrs:
    """PCRs of a NitroTPM document whose signature and chain were verified."""

    pcrs: PcrDigests


@dataclass(frozen=True, slots=True)
class EnclavePcrs:
    """PCRs of a Nitro Enclaves document whose signature and chain were verified."""

    pcrs: PcrDigests


@dataclass(frozen=True, slots=True)
class Sender:
    """What AWS knows of a request besides its parameters. An empty text is a fact that this request does not have."""

    region: Region
    secure_transport: str = "true"
    organization: str = ""
    source_ip: str = ""
    source_vpce: str = ""
    via_service: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """The parameters of a request that conditions can see. `now` is aware; `attestation` is verified or None."""

    action: str
    caller: Caller
    key_arn: KeyArn | None
    now: datetime
    sender: Sender
    attestation: NitroTpmPcrs | EnclavePcrs | None = None
    encryption_context: Mapping[str, str] = field(default_factory=dict)


def kms_request(call: Call) -> KmsRequest:
    """Return the request that `evaluate` decides. Raises what `request_context` and KmsRequest raise."""
    return KmsRequest(call.action, call.caller, call.key_arn, request_context(call))


def request_context(call: Call) -> dict[str, tuple[str, ...]]:
    """Return the condition context: lower-case key to values, without what cannot be present for the action.

    Raises FormatError when two encryption context keys differ only by case: condition keys have no case, so a
    condition on one of them would be ambiguous. RuntimeError when `now` has no time zone.
    """
    if call.now.tzinfo is None:
        raise RuntimeError("expected an aware time, found one without a zone")
    facts = {**_caller_facts(call), **_sender_facts(call.sender)}
    facts.update(_attestation_facts(call.attestation))
    facts.update(_encryption_context_facts(call.encryption_context))
    return {name: values for name, values in facts.items() if _present(name, call.action)}


def _present(name: str, action: str) -> bool:
    row = find_condition_key(name)
    return row is not None and action in row.operations


def _caller_facts(call: Call) -> dict[str, tuple[str, ...]]:
    now = call.now.astimezone(UTC)
    facts: dict[str, tuple[str, ...]] = {
        "kms:calleraccount": (str(call.caller.account),),
        "kms:grantisforawsresource": ("false",),
        "aws:principalaccount": (str(call.caller.account),),
        "aws:principalarn": (call.caller.principal_arn,),
        "aws:currenttime": (now.strftime("%Y-%m-%dT%H:%M:%SZ"),),
        "aws:epochtime": (str(int(now.timestamp())),),
    }
    if call.key_arn is not None:
        facts["aws:resourceaccount"] = (call.key_arn.split(":")[4],)
    return facts


def _sender_facts(sender: Sender) -> dict[str, tuple[str, ...]]:
    facts = {
        "aws:requestedregion": str(sender.region),
        "aws:securetransport": sender.secure_transport,
        "aws:principalorgid": sender.organization,
        "aws:sourceip": sender.source_ip,
        "aws:sourcevpce": sender.source_vpce,
        "kms:viaservice": sender.via_service,
        "aws:viaawsservice": "true" if sender.via_service else "false",
    }
    return {name: (value,) for name, value in facts.items() if value}


def _attestation_facts(attestation: NitroTpmPcrs | EnclavePcrs | None) -> dict[str, tuple[str, ...]]:
    if attestation is None:
        return {}
    if isinstance(attestation, NitroTpmPcrs):
        return _pcr_facts(NITROTPM_PCR.lower(), attestation.pcrs)
    facts = _pcr_facts(ENCLAVE_PCR.lower(), attestation.pcrs)
    image = attestation.pcrs.get(PcrIndex(0))
    return facts if image is None else {**facts, ENCLAVE_IMAGE.lower(): (image.hex(),)}


def _pcr_facts(prefix: str, pcrs: PcrDigests) -> dict[str, tuple[str, ...]]:
    return {f"{prefix}{index}": (digest.hex(),) for index, digest in pcrs.items_}


def _encryption_context_facts(context: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    facts: dict[str, tuple[str, ...]] = {}
    for name, value in context.items():
        key = (ENCRYPTION_CONTEXT + name).lower()
        if key in facts or not name:
            raise FormatError(
                "keypolicy.encryption-context",
                f"expected context keys that differ by more than case, found {name!r}",
                spec="KMS Developer Guide, kms:EncryptionContext:context-key",
            )
        facts[key] = (value,)
    if context:
        facts[ENCRYPTION_CONTEXT_KEYS.lower()] = tuple(context)
    return facts
