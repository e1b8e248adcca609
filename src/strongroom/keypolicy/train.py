# SPDX-License-Identifier: Apache-2.0
"""Trains: the versions that one key admits at a time, read back from the policy on the key.

The policy is the truth, and nothing is kept beside it: `read_train` is the inverse of `generate.tenant_key_policy`. It
takes a policy only if generating it again gives the same meaning, so whatever is changed afterwards is changed in a
policy that is wholly understood. What a policy does not say is not invented: a release's `version` is the beginning of
its PCR4, and of the digests only the gates are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from strongroom.errors import Finding, NotTrusted, StrongroomError
from strongroom.formats.arn import parse_account_root
from strongroom.formats.pcrs import PcrDigests, PcrIndex
from strongroom.formats.times import parse_aws_time
from strongroom.ids import TenantId
from strongroom.keypolicy.difference import policy_differences
from strongroom.keypolicy.generate import bootstrap_key_policy, tenant_key_policy
from strongroom.keypolicy.kms_keys import NITROTPM_PCR
from strongroom.keypolicy.meaning import meaning
from strongroom.keypolicy.model import KeyPolicy, Statement
from strongroom.keypolicy.open_sid import ring_of
from strongroom.keypolicy.principals import Principal, PrincipalKind, Principals, Sense
from strongroom.keypolicy.spec import (
    CONSTANTS,
    PCR2,
    PCR4,
    PCR7,
    PCR12,
    PCR13,
    AdmittedRelease,
    SecureBoot,
    TenantKeySpec,
    VendorSpec,
)
from strongroom.keypolicy.statements import EPOCH, NAME, PRODUCT, PURPOSE, TENANT

VERSION_DIGITS = 12
"""How much of PCR4 stands for a version whose name nobody knows: 48 bits, and commands refuse an ambiguous one."""
_REMEDY = (
    "Somebody wrote this policy by hand, or with another version. Find out who and why; then put a generated policy on "
    "the key, which `strongroom key policy` writes."
)
_UNNAMED = Finding("keypolicy.not-generated", "it has an Id, or a value that stands twice in a list")


def read_train(policy: KeyPolicy) -> TenantKeySpec:
    """Return the spec from which exactly this policy is generated, its releases in the order of the policy.

    Raises NotTrusted, whose findings say what is missing, added or changed, for every other policy.
    """
    try:
        spec = _recovered(policy)
        expected = tenant_key_policy(spec)
    except NotTrusted:
        raise
    except StrongroomError as error:  # the spec refuses what would gate too little
        raise _edited([Finding("keypolicy.not-generated", error.message)]) from error
    if meaning(expected) != meaning(policy):
        raise _edited(policy_differences(expected, policy) or (_UNNAMED,))
    return spec


def is_bootstrap(policy: KeyPolicy, vendor: VendorSpec) -> bool:
    """Tell whether this is exactly the policy a key of this vendor is created with."""
    return meaning(policy) == meaning(bootstrap_key_policy(vendor))


def with_sealer_named(policy: KeyPolicy, sealer_role_arn: str) -> KeyPolicy:
    """Return a policy with this sealer where KMS shows a unique id: that of a role that is there no more.

    KMS stores roles by their unique ids, and shows the id itself once no role has it (ATTACKS K26; IAM User Guide, "AWS
    JSON policy elements: Principal"). Such a policy is no train, and has to become one again.
    """
    named = Principals(Sense.LISTED, (Principal(PrincipalKind.ENTITY, sealer_role_arn),))
    return replace(
        policy,
        statements=tuple(replace(each, principals=named) if _is_orphaned(each) else each for each in policy.statements),
    )


def _is_orphaned(statement: Statement) -> bool:
    members = statement.principals.members if statement.principals else ()
    return statement.sid == "Seal" and [each.kind for each in members] == [PrincipalKind.UNIQUE_ID]


def version_of(pcrs: PcrDigests) -> str:
    """Return what a version is called that is known by its measurements alone."""
    return pcrs[PCR4].hex()[:VERSION_DIGITS]


def same_gate(one: AdmittedRelease, other: AdmittedRelease) -> bool:
    """Tell whether two entries of a train admit the same machines under the same epoch. Ring and end do not count."""
    return _gate_of(one) == _gate_of(other)


def with_releases(spec: TenantKeySpec, added: Sequence[AdmittedRelease]) -> TenantKeySpec:
    """Return the train with these releases. One that is there already gets the new end, or none, and the new ring."""
    kept = [each for each in spec.releases if not any(same_gate(each, new) for new in added)]
    return replace(spec, releases=(*kept, *added))


def _gate_of(release: AdmittedRelease) -> tuple[object, ...]:
    return (release.epoch, *(release.gate(index) for index in (PCR2, PCR4, PCR7, PCR12, PCR13)))


def _edited(findings: Sequence[Finding]) -> NotTrusted:
    return NotTrusted(
        "keypolicy.edited",
        "expected a policy exactly as it is generated, found another",
        findings=findings,
        remedy=_REMEDY,
    )


def _unread(label: str, message: str) -> NotTrusted:
    return _edited([Finding("keypolicy.not-generated", f"statement {label}: {message}", part=label)])


def _recovered(policy: KeyPolicy) -> TenantKeySpec:
    by_sid = {each.sid: each for each in policy.statements}
    seal = _named(by_sid, "Seal")
    opens = [(ring, each) for each in policy.statements if (ring := ring_of(each.sid)) is not None]
    if not opens:
        raise _unread("Open", "expected at least one, found none: the key opens for nobody")
    first = opens[0][1]
    return TenantKeySpec(
        vendor=_vendor(by_sid, seal),
        tenant=TenantId(_one(seal, "StringEquals", TENANT)),
        accounts=tuple(parse_account_root(arn).account for arn in _principals(first)),
        releases=tuple(release for ring, each in opens for release in _releases(ring, each)),
        names=_values(first, "StringEquals", NAME),
        role_patterns=_values(first, "ArnLike", "aws:PrincipalArn"),
    )


def _vendor(by_sid: dict[str, Statement], seal: Statement) -> VendorSpec:
    admin = _named(by_sid, "Admin")
    root = parse_account_root(_only(admin, _principals(admin), "principal"))
    changers = by_sid.get("DenyOtherChangers")
    return VendorSpec(
        product=_one(seal, "StringEquals", PRODUCT),
        account=root.account,
        sealer_role_arn=_only(seal, _principals(seal), "principal"),
        purposes=_values(seal, "StringEquals", PURPOSE),
        partition=root.partition,
        change_role_arn=_one(changers, "ArnNotEquals", "aws:PrincipalArn") if changers else "",
    )


def _releases(ring: str, statement: Statement) -> list[AdmittedRelease]:
    """Return the releases of one Open statement: it has one value of each PCR but PCR4."""
    gates = {}
    for index in (PCR2, PCR7, PCR12, PCR13):
        if index != PCR7 or _pcr(statement, PCR7):
            gates[index] = _digest(statement, _only(statement, _pcr(statement, index), f"PCR{index}"))
    epoch = _one(statement, "StringEquals", EPOCH)
    if not (epoch.isascii() and epoch.isdigit()):
        raise _unread(statement.sid, "expected an epoch")
    secure_boot = SecureBoot.GATED if PCR7 in gates else SecureBoot.NOT_GATED
    expires = _until(statement)
    overrides = {index: gates[index] for index in CONSTANTS if gates[index] != CONSTANTS[index]}
    all_pcrs = [PcrDigests.of({**gates, PCR4: _digest(statement, text)}) for text in _pcr(statement, PCR4)]
    return [
        AdmittedRelease(
            version=version_of(pcrs),
            ring=ring,
            pcrs=pcrs,
            epoch=int(epoch),
            secure_boot=secure_boot,
            expires=expires,
            overrides=overrides,
        )
        for pcrs in all_pcrs
    ]


def _until(statement: Statement) -> datetime | None:
    texts = _values(statement, "DateLessThan", "aws:CurrentTime")
    if not texts:
        return None
    try:
        return parse_aws_time(_only(statement, texts, "expiry"))
    except ValueError as error:
        raise _unread(statement.sid, "expected an expiry such as 2027-01-31T12:00:00Z") from error


def _digest(statement: Statement, text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise _unread(statement.sid, "expected PCRs in hex") from error


def _pcr(statement: Statement, index: PcrIndex) -> tuple[str, ...]:
    return _values(statement, "StringEqualsIgnoreCase", f"{NITROTPM_PCR}{index}")


def _named(by_sid: dict[str, Statement], sid: str) -> Statement:
    if sid not in by_sid:
        raise _unread(sid, "expected it, found none")
    return by_sid[sid]


def _principals(statement: Statement) -> tuple[str, ...]:
    return tuple(each.value for each in statement.principals.members) if statement.principals else ()


def _values(statement: Statement, operator: str, key: str) -> tuple[str, ...]:
    found = (each.values for each in statement.conditions if (each.operator, each.lookup) == (operator, key.lower()))
    return next(found, ())


def _one(statement: Statement, operator: str, key: str) -> str:
    return _only(statement, _values(statement, operator, key), f"{operator} {key}")


def _only(statement: Statement, texts: Sequence[str], what: str) -> str:
    if len(texts) != 1:
        raise _unread(statement.sid, f"expected one {what}, found {len(texts)}")
    return texts[0]
