# SPDX-License-Identifier: Apache-2.0
"""One probe for every case: a key with the case's policy, its principals with theirs, and its call as a dry run.

To the key policy one statement is added, which leaves managing the key to the account; to that of a case with grants
another, which lets the runner make them. Neither covers an action that such a case asks about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from conformance.aws.answers import ANSWERED, error_of
from conformance.aws.budget import Budget
from conformance.aws.policy.calls import CALLS, grant_parameters, key_of, parameters
from conformance.aws.policy.cases import (
    Json,
    Name,
    grants,
    own_principal,
    principals_named,
    statements,
    translated,
    with_key,
)
from conformance.aws.probe import Ask, Probe, Seen
from conformance.aws.statements import Statement, allow
from conformance.aws.workbench import Actor, Workbench

DRY_RUN = "DryRunOperationException"
_PASSED = {ANSWERED, DRY_RUN, "KMSInvalidSignatureException", "KMSInvalidMacException"}
"""What a call ends in when its caller may make it. Signature and MAC that are sent are wrong on purpose."""
_DENIED = {"AccessDeniedException", "AccessDenied"}
_SAYS_NOTHING_ALLOWS = re.compile(r"because no [a-z -]+ allows")


def case_probe(case: Json) -> Probe:
    """Return the probe of a case that has no obstacle."""
    pairs = 1 if "DataKeyPair" in case["request"]["action"] else 0
    budget = Budget(keys=1, principals=len(names_of(case)), requests=12 + 6 * len(names_of(case)), data_key_pairs=pairs)
    return Probe(f"policy:{case['id']}", lambda bench: _start(bench, case), budget)


def expected(case: Json) -> Seen:
    """Return what the probe of a case has to see."""
    return {"decision": case["expect"]["decision"]}


def names_of(case: Json) -> list[Name]:
    """Return the users and roles that a case needs, each once, without sessions."""
    arns = {case["request"]["caller"]["arn"], *principals_named(case)}
    found = filter(None, map(own_principal, arns))
    return sorted({Name(each.kind, each.name) for each in found})


def _start(bench: Workbench, case: Json) -> Ask:
    caller = own_principal(case["request"]["caller"]["arn"])
    if caller is None:
        raise RuntimeError(f"{case['id']} has an obstacle")
    actors = {each: bench.principal(each.kind, each.name, session=caller.session) for each in names_of(case)}
    clients = bench.target.clients
    place = {"account": clients.account, "region": clients.region, "partition": clients.partition}
    local: Json = translated(case, **place, prefix=bench.prefix)
    key = _key(bench, local) if case["key_policy"] is not None else bench.key()
    made = [bench.kms.create_grant(**grant_parameters(each, key))["GrantId"] for each in _to_make(local)]
    actor = actors[Name(caller.kind, caller.name)]
    own = [each for policy in with_key(local["identity_policies"], key) for each in statements(policy)]
    if own:
        actor.allow(*own)
    return lambda: {"decision": _decision(actor, local, key, made)}


def _key(bench: Workbench, case: Json) -> str:
    spec, usage = key_of(case)
    given: list[Statement] = [*statements(case["key_policy"])]
    if any(_to_make(case)):
        given.append(allow(bench.account_root, "kms:CreateGrant", Sid="StrongroomGranting"))
    return bench.key(*given, spec=spec, usage=usage)


def _to_make(case: Json) -> Iterator[Json]:
    """Yield the grants that exist before the call."""
    return iter(grants(case) if case["request"]["action"] != "kms:CreateGrant" else case.get("grants", ()))


def _decision(actor: Actor, case: Json, key: str, made: list[str]) -> str:
    """Return what AWS decided in the words of the table: whether a Deny was the reason, if AWS says so."""
    action = case["request"]["action"]
    call = getattr(actor.kms, CALLS[action].operation)
    code, sentence = error_of(call, **parameters(case, key, made))
    if code in _PASSED:
        return "allow"
    if code not in _DENIED:
        return f"{code}: {sentence}"
    if "explicit deny" in sentence:
        return "deny"
    if _SAYS_NOTHING_ALLOWS.search(sentence):
        return "implicit-deny"
    wanted = case["expect"]["decision"]
    return wanted if wanted != "allow" else "denied"
