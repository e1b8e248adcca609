# SPDX-License-Identifier: Apache-2.0
"""The condition context of one KMS request, from facts that somebody verified.

KMS Developer Guide, "Condition keys for NitroTPM" and "... for AWS Nitro Enclaves": attestation keys exist only for
five operations, only with a document, and only of that document's own kind; their values are lower-case hex.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from strongroom.errors import FormatError
from strongroom.formats.pcrs import PcrDigests, PcrIndex
from strongroom.formats.times import aws_time
from strongroom.ids import KeyArn, Region
from strongroom.keypolicy.caller_facts import Credentials, credential_facts, identity_facts
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.global_keys import REQUEST_TAG
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.key_facts import KeyFacts, algorithm_facts, facts_of_key
from strongroom.keypolicy.kms_keys import (
    ENCLAVE_IMAGE,
    ENCLAVE_PCR,
    ENCRYPTION_CONTEXT,
    ENCRYPTION_CONTEXT_KEYS,
    NITROTPM_PCR,
)
from strongroom.keypolicy.operations import CREATE_GRANT, RETIRE_GRANT
from strongroom.keypolicy.principals import Caller, PrincipalKind
from strongroom.keypolicy.request import KmsRequest

Facts: TypeAlias = dict[str, tuple[str, ...]]


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
    """What AWS knows of a request besides its parameters. An empty text is a fact that this request does not have.

    `organization` is the caller's. `called_via` are the services in between that used the caller's credentials, the
    first one first; `source_arn` and `source_account` come from a service that acts for a resource.
    A request through a VPC endpoint has `source_vpce`, and then no `aws:SourceIp`.
    """

    region: Region
    secure_transport: str = "true"
    organization: str = ""
    source_ip: str = ""
    source_vpce: str = ""
    via_service: str = ""
    source_vpc: str = ""
    vpc_source_ip: str = ""
    called_via: tuple[str, ...] = ()
    source_arn: str = ""
    source_account: str = ""
    source_organization: str = ""
    source_organization_paths: tuple[str, ...] = ()
    user_agent: str = ""
    referer: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """The parameters of a request that conditions can see. `now` is aware; `attestation` is verified or None.

    `parameters` maps condition keys such as `kms:SigningAlgorithm` to what the request says; `grant` is the one that a
    CreateGrant makes or a RetireGrant retires; `tags` are those that the request sets.
    """

    action: str
    caller: Caller
    key_arn: KeyArn | None
    now: datetime
    sender: Sender
    attestation: NitroTpmPcrs | EnclavePcrs | None = None
    encryption_context: Mapping[str, str] = field(default_factory=dict)
    credentials: Credentials = field(default_factory=Credentials)
    key: KeyFacts | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    grant: Grant | None = None


def kms_request(call: Call) -> KmsRequest:
    """Return the request that `evaluate` decides. Raises what `request_context` and KmsRequest raise."""
    return KmsRequest(call.action, call.caller, call.key_arn, request_context(call), call.grant)


def request_context(call: Call) -> Facts:
    """Return the condition context: lower-case key to values, without what cannot be present for the action.

    Raises FormatError when two encryption context keys differ only by case: condition keys have no case, so a
    condition on one of them would be ambiguous. RuntimeError when `now` has no time zone.
    """
    if call.now.tzinfo is None:
        raise RuntimeError("expected an aware time, found one without a zone")
    facts: Facts = {**identity_facts(call.caller), **credential_facts(call.caller, call.credentials, call.now)}
    facts.update(_sender_facts(call.sender))
    facts.update(time_facts(call.now))
    facts.update(_attestation_facts(call.attestation))
    facts.update(_encryption_context_facts(call.encryption_context))
    facts.update(facts_of_key(call.key_arn, call.key))
    facts.update(algorithm_facts(call.action, call.key))
    facts.update(_grant_facts(call))
    facts.update(_tag_facts(call.tags))
    facts.update({name.lower(): (value,) for name, value in call.parameters.items()})
    return {name: values for name, values in facts.items() if _present(name, call.action)}


def _present(name: str, action: str) -> bool:
    row = find_condition_key(name)
    return row is not None and action in row.operations


def time_facts(now: datetime) -> Facts:
    """Return what conditions can ask of the time."""
    return {"aws:currenttime": (aws_time(now),), "aws:epochtime": (str(int(now.timestamp())),)}


def _sender_facts(sender: Sender) -> Facts:
    chain = sender.called_via
    facts = {
        "aws:requestedregion": str(sender.region),
        "aws:securetransport": sender.secure_transport,
        "aws:principalorgid": sender.organization,
        "aws:sourceip": "" if sender.source_vpce else sender.source_ip,
        "aws:sourcevpce": sender.source_vpce,
        "aws:sourcevpc": sender.source_vpc,
        "aws:vpcsourceip": sender.vpc_source_ip,
        "aws:useragent": sender.user_agent,
        "aws:referer": sender.referer,
        "aws:sourcearn": sender.source_arn,
        "aws:sourceaccount": sender.source_account,
        "aws:sourceorgid": sender.source_organization,
        "kms:viaservice": sender.via_service,
        "kms:grantisforawsresource": "true" if sender.via_service else "false",
        "aws:viaawsservice": "true" if sender.via_service or chain else "false",
        "aws:calledviafirst": chain[0] if chain else "",
        "aws:calledvialast": chain[-1] if chain else "",
    }
    lists = {"aws:calledvia": chain, "aws:sourceorgpaths": sender.source_organization_paths}
    single = {name: (value,) for name, value in facts.items() if value}
    return {**single, **{name: values for name, values in lists.items() if values}}


def _attestation_facts(attestation: NitroTpmPcrs | EnclavePcrs | None) -> Facts:
    if attestation is None:
        return {}
    if isinstance(attestation, NitroTpmPcrs):
        return _pcr_facts(NITROTPM_PCR.lower(), attestation.pcrs)
    facts = _pcr_facts(ENCLAVE_PCR.lower(), attestation.pcrs)
    image = attestation.pcrs.get(PcrIndex(0))
    return facts if image is None else {**facts, ENCLAVE_IMAGE.lower(): (image.hex(),)}


def _pcr_facts(prefix: str, pcrs: PcrDigests) -> Facts:
    return {f"{prefix}{index}": (digest.hex(),) for index, digest in pcrs.items_}


def _encryption_context_facts(context: Mapping[str, str]) -> Facts:
    facts: Facts = {}
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


def _grant_facts(call: Call) -> Facts:
    """Return what CreateGrant shows of the grant that it makes, and RetireGrant of the one that it retires."""
    grant = call.grant
    if grant is None or call.action not in {CREATE_GRANT, RETIRE_GRANT}:
        return {}
    constraints = grant.constraints
    pairs = (*(constraints.encryption_context_equals or ()), *(constraints.encryption_context_subset or ()))
    facts = _encryption_context_facts(dict(pairs))
    facts["kms:grantoperations"] = tuple(sorted(grant.operations))
    named = {"grantee": grant.grantee, "retiring": grant.retiring}
    for role, principal in named.items():
        if principal is not None:
            service = "service" if principal.kind is PrincipalKind.SERVICE else ""
            facts[f"kms:{role}{service}principal"] = (principal.value,)
    kinds = [name for name in constraints.names if name != "SourceArn"]
    facts.update({"kms:grantconstrainttype": (kinds[0],)} if kinds else {})
    facts.update({"kms:grantconstraintsourcearn": (constraints.source_arn,)} if constraints.source_arn else {})
    return facts


def _tag_facts(tags: Mapping[str, str]) -> Facts:
    facts: Facts = {f"{REQUEST_TAG.lower()}{name.lower()}": (value,) for name, value in tags.items()}
    return {**facts, "aws:tagkeys": tuple(tags)} if tags else facts
