# SPDX-License-Identifier: Apache-2.0
"""Grants. Each is used with its token, because it takes minutes until a grant is known everywhere without."""

from __future__ import annotations

from typing import Any

from conformance.aws.answers import outcome
from conformance.aws.probe import Ask, Seen, probe
from conformance.aws.probes.attested import PCR4
from conformance.aws.statements import deny, may
from conformance.aws.workbench import Actor, Workbench


def _grant(bench: Workbench, key: str, actor: Actor, *operations: str, **more: Any) -> dict[str, Any]:
    """Grant operations on a key to somebody, as soon as KMS knows him; return the answer."""
    granted: dict[str, Any] = bench.patiently(
        bench.kms.create_grant,
        refused=("InvalidArnException",),
        KeyId=key,
        GranteePrincipal=actor.arn,
        Operations=list(operations),
        **more,
    )
    return granted


def _encrypt(actor: Actor, key: str, grant: dict[str, Any]) -> str:
    token = [grant["GrantToken"]]
    return outcome(actor.kms.encrypt, KeyId=key, Plaintext=b"probe", DryRun=True, GrantTokens=token)


@probe("grant-allows", keys=2, principals=1)
def grant_allows(bench: Workbench) -> Ask:
    """Somebody who has a grant and nothing else, and a Deny against it."""
    role, key = bench.role(), bench.key()
    denying = bench.key(bench.delegated("kms:*"), deny("*", "kms:Encrypt"))
    grants = {each: _grant(bench, each, role, "Encrypt") for each in (key, denying)}
    token = [grants[key]["GrantToken"]]
    return lambda: {
        "granted": _encrypt(role, key, grants[key]),
        "not_granted": outcome(
            role.kms.generate_data_key, KeyId=key, KeySpec="AES_256", DryRun=True, GrantTokens=token
        ),
        "denied": _encrypt(role, denying, grants[denying]),
    }


@probe("grant-without-document", keys=2, principals=1)
def grant_without_document(bench: Workbench) -> Ask:
    """Keys that open for a PCR only: by an Allow, and by a Deny of everything else."""
    role, pcr = bench.role(), {PCR4: "ab" * 48}
    only = bench.delegated("kms:GenerateDataKey", Condition={"StringEquals": pcr})
    others = deny("*", "kms:GenerateDataKey", Condition={"StringNotEquals": pcr})
    making = bench.delegated("kms:CreateGrant", sid="Granting")
    keys = {"gated_by_allow": bench.key(making, only), "gated_by_deny": bench.key(making, only, others)}
    grants = {each: _grant(bench, key, role, "GenerateDataKey") for each, key in keys.items()}

    def data_key(name: str) -> str:
        call = {"KeyId": keys[name], "KeySpec": "AES_256", "DryRun": True}
        return outcome(role.kms.generate_data_key, **call, GrantTokens=[grants[name]["GrantToken"]])

    return lambda: {name: data_key(name) for name in keys}


@probe("grant-name", keys=1, principals=1)
def grant_name(bench: Workbench) -> Ask:
    """The same grant twice under one name."""
    role, key = bench.role(), bench.key()
    first, second = (_grant(bench, key, role, "Encrypt", Name="probe") for _ in range(2))
    return lambda: {
        "grant": "the same" if first["GrantId"] == second["GrantId"] else "another",
        "token": "the same" if first["GrantToken"] == second["GrantToken"] else "another",
    }


@probe("grant-operations", keys=1)
def grant_operations(bench: Workbench) -> Ask:
    """Granting what the key cannot do."""
    key = bench.key()
    call = {"GranteePrincipal": bench.account_root, "Operations": ["Sign"], "DryRun": True}
    return lambda: {"error": outcome(bench.kms.create_grant, KeyId=key, **call)}


@probe("grantee-missing", keys=1)
def grantee_missing(bench: Workbench) -> Ask:
    """Granting to nobody."""
    key = bench.key()
    missing = bench.account_root.removesuffix("root") + f"role/{bench.prefix}missing"

    def granting(grantee: str) -> str:
        return outcome(bench.kms.create_grant, KeyId=key, GranteePrincipal=grantee, Operations=["Encrypt"], DryRun=True)

    return lambda: {"missing": granting(missing), "no_principal": granting(key)}


@probe("grantee-made-anew", keys=1, principals=1)
def grantee_made_anew(bench: Workbench) -> Ask:
    """A grantee who is removed and made again under his name."""
    role, key = bench.role(), bench.key()
    grant = _grant(bench, key, role, "Encrypt")
    token = {"GrantTokens": [grant["GrantToken"]], "DryRun": True}
    before = bench.eventually(role.kms.encrypt, KeyId=key, Plaintext=b"probe", **token)
    role.make_anew()
    return lambda: {"before": before, "anew": _encrypt(role, key, grant)}


@probe("grant-retiring", keys=1, principals=4)
def grant_retiring(bench: Workbench) -> Ask:
    """Retiring by who is named for it, by grantees with and without that right, and by somebody of the account."""
    key, retiring, own, other = bench.key(), bench.role("retiring"), bench.role("own"), bench.role("other")
    member = bench.role("member")
    first = _grant(bench, key, other, "Encrypt", RetiringPrincipal=retiring.arn)
    second = _grant(bench, key, own, "Encrypt", "RetireGrant")
    member.allow(may("kms:RetireGrant", key))

    def retire(actor: Actor, grant: dict[str, Any]) -> str:
        return outcome(actor.kms.retire_grant, GrantToken=grant["GrantToken"], DryRun=True)

    def ask() -> Seen:
        return {
            "retiring_principal": retire(retiring, first),
            "grantee_who_may": retire(own, second),
            "grantee_who_may_not": retire(other, first),
            "member_of_the_account": retire(member, first),
        }

    return ask


@probe("grant-token", keys=1)
def grant_token(bench: Workbench) -> Ask:
    """A token of no grant, in a call that needs none."""
    key = bench.key()
    call = {"Plaintext": b"probe", "GrantTokens": ["bm9ib2R5IGdhdmUgdGhpcw"]}
    return lambda: {"error": outcome(bench.kms.encrypt, KeyId=key, **call)}
