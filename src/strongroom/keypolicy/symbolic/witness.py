# SPDX-License-Identifier: Apache-2.0
"""From the facts of a solution back to a call: what `context.kms_request` makes of it is a request that can be made.

Facts go where `Call` keeps what KMS shows under them. A call has no room for facts that contradict each other; then the
request differs from the solution, and `evaluate` has the last word on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom.formats.arn import arn_account, arn_region
from strongroom.formats.pcrs import PCR_COUNT, SHA384_BYTES, PcrDigests, PcrIndex
from strongroom.ids import KeyArn, Region
from strongroom.keypolicy.caller_facts import Credentials
from strongroom.keypolicy.condition_key import Source
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.context import Call, EnclavePcrs, NitroTpmPcrs, Sender
from strongroom.keypolicy.global_keys import PRINCIPAL_TAG, REQUEST_TAG, RESOURCE_TAG
from strongroom.keypolicy.grants import Grant, GrantConstraints, grant_principal, grant_service
from strongroom.keypolicy.key_facts import KeyFacts
from strongroom.keypolicy.kms_keys import ENCLAVE_PCR, ENCRYPTION_CONTEXT, NITROTPM_PCR
from strongroom.keypolicy.operations import CREATE_GRANT
from strongroom.keypolicy.operators import read_date
from strongroom.keypolicy.principals import Caller
from strongroom.keypolicy.symbolic.candidates import NOW
from strongroom.keypolicy.symbolic.demands import CONTEXT_KEYS, GRANT_OPERATIONS_KEY

_SERVICE = "other.amazonaws.com"
_ANY_VALUE = "any"
_REQUEST_TAG, _TAG_KEYS = REQUEST_TAG.lower(), "aws:tagkeys"


@dataclass(frozen=True, slots=True)
class Found:
    """What a solution says of a request. `asked` are all condition keys of the question: the others do not matter.

    `parent` is the grant by which a CreateGrant is allowed, where it is one.
    """

    action: str
    caller: Caller
    key_arn: KeyArn
    document: type[NitroTpmPcrs | EnclavePcrs] | None
    facts: Mapping[str, tuple[str, ...]]
    asked: frozenset[str]
    parent: Grant | None

    def text(self, key: str, usual: str = "") -> str:
        """Return the value of a condition key; empty where it is missing, and `usual` where nobody asked."""
        return self.facts[key][0] if key in self.facts else "" if key in self.asked else usual

    def under(self, prefix: str) -> dict[str, str]:
        """Return name and value of the condition keys that begin so."""
        lower = prefix.lower()
        return {key.removeprefix(lower): values[0] for key, values in self.facts.items() if key.startswith(lower)}

    @property
    def now(self) -> datetime:
        """Return the moment of the request."""
        return read_date(self.text("aws:currenttime")) if "aws:currenttime" in self.facts else NOW


def call_of(found: Found) -> Call:
    """Return the call. Raises StrongroomError, ValueError or OverflowError for facts that no call can have."""
    return Call(
        found.action,
        found.caller,
        found.key_arn,
        found.now,
        _sender(found),
        attestation=_attestation(found),
        encryption_context={} if found.action == CREATE_GRANT else _encryption_context(found),
        credentials=_credentials(found),
        key=_key(found),
        parameters=_parameters(found),
        tags={**dict.fromkeys(found.facts.get(_TAG_KEYS, ()), _ANY_VALUE), **found.under(REQUEST_TAG)},
        grant=_grant(found) if found.action == CREATE_GRANT else None,
    )


def _sender(found: Found) -> Sender:
    chain, via = _chain(found), found.text("kms:viaservice")
    if found.text("kms:grantisforawsresource") == "true":
        via = via or _SERVICE
    if found.text("aws:viaawsservice") == "true" and not chain and not via:
        # Some service is in between: under the name that is left to it.
        via, chain = ("", (_SERVICE,)) if "kms:viaservice" in found.asked else (_SERVICE, ())
    return Sender(
        Region(found.text("aws:requestedregion", arn_region(found.key_arn))),
        secure_transport=found.text("aws:securetransport", "true"),
        organization=found.text("aws:principalorgid"),
        source_ip=found.text("aws:sourceip"),
        source_vpce=found.text("aws:sourcevpce"),
        via_service=via,
        source_vpc=found.text("aws:sourcevpc"),
        vpc_source_ip=found.text("aws:vpcsourceip"),
        called_via=chain,
        source_arn=found.text("aws:sourcearn"),
        source_account=found.text("aws:sourceaccount"),
        source_organization=found.text("aws:sourceorgid"),
        source_organization_paths=found.facts.get("aws:sourceorgpaths", ()),
        user_agent=found.text("aws:useragent"),
        referer=found.text("aws:referer"),
    )


def _chain(found: Found) -> tuple[str, ...]:
    first, last = found.text("aws:calledviafirst"), found.text("aws:calledvialast")
    between = (each for each in found.facts.get("aws:calledvia", ()) if each not in {first, last})
    ends = (last,) if last and last != first else ()
    return ((first,) if first else ()) + (*between, *ends)


def _credentials(found: Found) -> Credentials:
    issued, factor, age = map(
        found.text, ("aws:tokenissuetime", "aws:multifactorauthpresent", "aws:multifactorauthage")
    )
    return Credentials(
        issued_at=read_date(issued) if issued else None,
        multi_factor=factor == "true" if factor else None,
        multi_factor_at=found.now - timedelta(seconds=int(age)) if age else None,
        tags=found.under(PRINCIPAL_TAG),
        organization_paths=found.facts.get("aws:principalorgpaths", ()),
        federated_provider=found.text("aws:federatedprovider"),
        source_identity=found.text("aws:sourceidentity"),
        instance_arn=found.text("ec2:sourceinstancearn"),
        instance_vpc=found.text("aws:ec2instancesourcevpc"),
        instance_private_ip=found.text("aws:ec2instancesourceprivateipv4"),
        claims={key: values[0] for key, values in found.facts.items() if key.startswith("cognito-identity.")},
    )


def _key(found: Found) -> KeyFacts | None:
    known = {key for key in found.facts if _source(key) is Source.KEY} - {"aws:resourceaccount"}
    if not known:
        return None
    several = found.text("kms:multiregion") == "true"
    idle = found.text("kms:trailingdayswithoutkeyusage")
    return KeyFacts(
        spec=found.text("kms:keyspec"),
        usage=found.text("kms:keyusage"),
        origin=found.text("kms:keyorigin"),
        multi_region_type=found.text("kms:multiregionkeytype") or ("PRIMARY" if several else ""),
        aliases=found.facts.get("kms:resourcealiases", ()),
        tags=found.under(RESOURCE_TAG),
        organization=found.text("aws:resourceorgid"),
        organization_paths=found.facts.get("aws:resourceorgpaths", ()),
        idle_days=int(idle) if idle else None,
    )


def _source(key: str) -> Source | None:
    row = find_condition_key(key)
    return None if row is None else row.source


def _parameters(found: Found) -> dict[str, str]:
    tags = (_REQUEST_TAG, _TAG_KEYS)
    return {
        key: values[0]
        for key, values in found.facts.items()
        if _source(key) is Source.PARAMETER and not key.startswith(tags)
    }


def _encryption_context(found: Found) -> dict[str, str]:
    values = found.under(ENCRYPTION_CONTEXT)
    if CONTEXT_KEYS not in found.asked:
        return values
    return {name: values.get(name.lower(), _ANY_VALUE) for name in found.facts.get(CONTEXT_KEYS, ())}


def _attestation(found: Found) -> NitroTpmPcrs | EnclavePcrs | None:
    if found.document is None:
        return None
    prefix = NITROTPM_PCR if found.document is NitroTpmPcrs else ENCLAVE_PCR
    values = {PcrIndex(int(index)): bytes.fromhex(value) for index, value in found.under(prefix).items()}
    if not values:
        free = (n for n in range(PCR_COUNT) if f"{prefix}{n}".lower() not in found.asked)
        values = {PcrIndex(n): bytes(SHA384_BYTES) for n in [next(free, None)] if n is not None}
    size = max(map(len, values.values()), default=SHA384_BYTES)
    return found.document(PcrDigests.of(values, size_bytes=size))


def _grant(found: Found) -> Grant:
    service = found.text("kms:granteeserviceprincipal")
    person = found.text("kms:granteeprincipal", "" if service else _somebody(found))
    retiring, retiring_service = found.text("kms:retiringprincipal"), found.text("kms:retiringserviceprincipal")
    retired_by = grant_principal(retiring) if retiring else None
    return Grant(
        "(new)",
        found.key_arn,
        found.caller.account or arn_account(found.key_arn),
        grant_principal(person) if person else grant_service(service or _SERVICE),
        frozenset(found.facts.get(GRANT_OPERATIONS_KEY, ("Decrypt",))),
        retiring=grant_service(retiring_service) if retiring_service else retired_by,
        constraints=_constraints(found),
    )


def _somebody(found: Found) -> str:
    return found.caller.principal_arn or f"arn:aws:iam::{arn_account(found.key_arn)}:root"


def _constraints(found: Found) -> GrantConstraints:
    pairs, kind = _encryption_context(found), found.text("kms:grantconstrainttype")
    source_arn = found.text("kms:grantconstraintsourcearn")
    if found.parent is not None and not pairs and not kind and not source_arn:
        return found.parent.constraints
    if kind == "EncryptionContextSubset":
        return GrantConstraints.of(subset=pairs, source_arn=source_arn)
    return GrantConstraints.of(equals=pairs if pairs or kind else None, source_arn=source_arn)
