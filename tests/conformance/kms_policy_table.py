# SPDX-License-Identifier: Apache-2.0
"""Reads the KMS policy table and asks our evaluator: what another project's adapter would do for its own."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.decision import Decision, Outcome
from strongroom.keypolicy.explain.inquiry import Inquiry, Policies
from strongroom.keypolicy.grants import Grant, GrantConstraints, grant_principal, grant_service
from strongroom.keypolicy.guardrails import Guardrails
from strongroom.keypolicy.model import parse_identity_policy, parse_key_policy, parse_resource_policy
from strongroom.keypolicy.principals import Caller
from strongroom.keypolicy.request import KmsRequest

FOLDER = Path(__file__).parents[2] / "conformance/kms-policy"
WORDS = {Outcome.ALLOWED: "allow", Outcome.EXPLICITLY_DENIED: "deny", Outcome.NOT_ALLOWED: "implicit-deny"}
Json = dict[str, Any]


@cache
def groups() -> dict[str, tuple[Json, ...]]:
    """Return the cases of each group. Fails when there are none: an empty table passes everything."""
    files = sorted(FOLDER.glob("*.json"))
    assert files, f"no table in {FOLDER}"
    read = [json.loads(path.read_text()) for path in files]
    return {each["group"]: tuple(each["cases"]) for each in read}


def every_case() -> list[Json]:
    return [case for cases in groups().values() for case in cases]


def decide(case: Json) -> Decision:
    return inquiry_of(case).decide()


def inquiry_of(case: Json) -> Inquiry:
    """Return the request of a case with all its policies."""
    request = case["request"]
    key_policy = None if case["key_policy"] is None else parse_key_policy(json.dumps(case["key_policy"]))
    asked = KmsRequest(
        request["action"],
        caller_of(request["caller"]),
        None if request["key"] is None else KeyArn(request["key"]),
        {name.lower(): _values(value) for name, value in request["context"].items()},
        grant_of(request["grant"]) if "grant" in request else None,
    )
    policies = Policies(
        key_policy,
        tuple(parse_identity_policy(json.dumps(each)) for each in case["identity_policies"]),
        tuple(grant_of(each) for each in case.get("grants", ())),
        guardrails_of(case),
    )
    return Inquiry(asked, policies)


def _values(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def answer(case: Json) -> Json:
    """Return our decision as the table writes one."""
    decision = decide(case)
    word = WORDS[decision.outcome]
    if decision.outcome is Outcome.NOT_ALLOWED:
        return {"decision": word, "lacking": str(decision.lacking)}
    return {"decision": word, "by": str(decision.decided_by), "statement": decision.statement}


def caller_of(body: Json) -> Caller:
    if "service" in body:
        return Caller.of_service(body["service"])
    account = AccountId(body["account"])
    return Caller(account, body["arn"], body.get("role", ""), body.get("id", ""), body.get("user", ""))


def grant_of(body: Json) -> Grant:
    constraints = body.get("Constraints", {})
    return Grant(
        body["GrantId"],
        KeyArn(body["KeyId"]),
        AccountId(body["IssuingAccount"].split(":")[4]),
        _principal(body, "Grantee"),
        frozenset(body["Operations"]),
        _principal(body, "Retiring") if any(name.startswith("Retiring") for name in body) else None,
        GrantConstraints.of(
            equals=constraints.get("EncryptionContextEquals"),
            subset=constraints.get("EncryptionContextSubset"),
            source_arn=constraints.get("SourceArn", ""),
        ),
    )


def _principal(body: Json, role: str) -> Any:
    if f"{role}ServicePrincipal" in body:
        return grant_service(body[f"{role}ServicePrincipal"])
    return grant_principal(body[f"{role}Principal"])


def guardrails_of(case: Json) -> Guardrails:
    def identity(body: Json) -> Any:
        return parse_identity_policy(json.dumps(body))

    def resource(body: Json) -> Any:
        return parse_resource_policy(json.dumps(body))

    return Guardrails(
        boundary=identity(case["boundary"]) if "boundary" in case else None,
        session_policies=tuple(map(identity, case.get("session_policies", ()))),
        service_control=tuple(tuple(map(identity, level)) for level in case.get("service_control_policies", ())),
        resource_control=tuple(tuple(map(resource, level)) for level in case.get("resource_control_policies", ())),
        endpoint=resource(case["endpoint_policy"]) if "endpoint_policy" in case else None,
    )
