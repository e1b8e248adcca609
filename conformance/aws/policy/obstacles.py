# SPDX-License-Identifier: Apache-2.0
"""Which cases of the policy table cannot be asked in one account, and why. The first reason that holds is told."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable

from conformance.aws.policy.calls import CALLS, GIVEN_BY_PARAMETERS, ONLY_VALUES
from conformance.aws.policy.cases import (
    ACCOUNT,
    KEY,
    REGION,
    Json,
    condition_keys,
    grants,
    listed,
    own_principal,
    principals_named,
    shown,
    statements,
)
from conformance.aws.statements import MANAGE

_AROUND = {
    "boundary": "it has a permissions boundary",
    "session_policies": "it has session policies",
    "service_control_policies": "it needs an organization",
    "resource_control_policies": "it needs an organization",
    "endpoint_policy": "it needs a VPC endpoint",
}
_ACCOUNT = re.compile(r"[0-9]{12}|arn:aws:iam::([0-9]{12}):root")
_OF_KMS = re.compile(r"arn:aws:kms:([^:\"]*):")
_SIGNING, _ENCRYPTING = {"Sign", "Verify"}, {"Encrypt", "Decrypt", "GenerateDataKey"}
_ALWAYS_SO = {
    *("aws:securetransport", "aws:viaawsservice", "aws:requestedregion", "aws:resourceaccount", "aws:principalarn"),
    *("aws:principaltype", "aws:principalaccount", "aws:principalisawsservice", "kms:calleraccount"),
}
"""Condition keys whose value in an account is that of the table, once names are translated."""
_ABSENT = (
    *("kms:recipientattestation:*", "kms:encryptioncontext:*", "kms:encryptioncontextkeys", "kms:viaservice"),
    *("aws:principaltag/*", "aws:sourcearn", "aws:sourceaccount", "aws:calledvia*", "aws:principalservicename"),
    *("aws:federatedprovider", "aws:sourceidentity", "kms:requestalias", "ec2:sourceinstancearn", "aws:requesttag/*"),
    *("aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip", "aws:referer", "aws:tagkeys"),
)
"""Condition keys that a plain call from outside AWS does not have."""

_WITHHELD: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("kms:recipientattestation:*",),
        "it needs a document with the PCRs of the table; `recipient-pcrs` has a real one",
    ),
    (("aws:currenttime", "aws:epochtime", "aws:tokenissuetime"), "it is about a fixed time"),
    (("aws:sourceip", "aws:sourcevpc*", "aws:vpcsourceip"), "it is about the network of the caller"),
    (("aws:username", "aws:userid"), "it compares a name or an id that is another one in an account"),
    (("aws:principaltag/*", "aws:sourceidentity", "aws:multifactorauth*"), "it is about marks of a session"),
    (("kms:viaservice", "aws:calledvia*", "aws:sourcearn", "aws:sourceaccount"), "an AWS service makes the call"),
    (("*",), "it asks for another condition key that a run cannot give the value of the table"),
)
"""Why condition keys cannot have the value that a case gives them. The first pattern that fits tells."""


def obstacle(case: Json, region: str = REGION) -> str:
    """Return why a case cannot be asked in a Region, and nothing when it can."""
    if region != REGION and _takes_regions_apart(case, region):
        return "it names Regions, and means others than the caller's by a name that fits the one that is asked"
    return next(filter(None, (rule(case) for rule in _RULES)), "")


def _takes_regions_apart(case: Json, region: str) -> bool:
    text = json.dumps(case)
    patterns = set(_OF_KMS.findall(text)) - {REGION}  # which is translated
    return region in text or any(fnmatch.fnmatchcase(region, p) != fnmatch.fnmatchcase(REGION, p) for p in patterns)


def _around(case: Json) -> str:
    return next((why for name, why in _AROUND.items() if name in case), "")


def _caller(case: Json) -> str:
    caller = case["request"]["caller"]
    if "service" in caller:
        return "an AWS service makes the call"
    if caller["account"] != ACCOUNT:
        return "it needs a second account"
    named = own_principal(caller["arn"])
    if named is None:
        return "its caller is neither a user nor the session of a role"
    if named.name.startswith("AWSServiceRole"):
        return "its caller is a service-linked role"
    known = own_principal(caller["role"]) if "role" in caller else named
    return "" if known else "its caller's role has a path"


def _action(case: Json) -> str:
    return "" if case["request"]["action"] in CALLS else "its operation has no dry run and is not a reading one"


def _principals(case: Json) -> str:
    for principal in principals_named(case):
        account = _ACCOUNT.fullmatch(principal)
        owner = account[1] or principal if account else ""
        if principal == "*" or owner == ACCOUNT or own_principal(principal):
            continue
        return "it names a unique id, which AWS chooses" if principal.startswith("A") else "it needs a second account"
    kinds = {name for each in statements(case["key_policy"]) for name in _kinds(each)} - {"AWS", "Service"}
    return "its key policy names a kind of principal that KMS may not take" if kinds else ""


def _kinds(statement: Json) -> set[str]:
    members = statement.get("Principal") or statement.get("NotPrincipal") or {}
    return set() if members == "*" else set(members)


def _key_arn(case: Json) -> str:
    if KEY.rpartition("/")[2][:8] in json.dumps(case).replace(KEY, ""):
        return "it has a part of the key's id, which KMS chooses"
    if any(grant["KeyId"] != KEY for grant in grants(case)):
        return "it has a grant on another key"
    if KEY in json.dumps(case["key_policy"]):
        return "its key policy has the ARN of the key, which nobody knows when the key is made"
    return ""


def _grants(case: Json) -> str:
    if case["request"]["action"] == "kms:CreateGrant" and "grants" in case:
        return "its key has grants, and whoever makes those may do what the case asks"
    for grant in grants(case):
        if _SIGNING & set(grant["Operations"]) and _ENCRYPTING & set(grant["Operations"]):
            return "its grant has operations that no key has together"
        if "GranteeServicePrincipal" in grant or "RetiringServicePrincipal" in grant:
            return "its grant is to an AWS service"
        if grant["IssuingAccount"].split(":")[4] != ACCOUNT:
            return "it needs a second account"
        if "SourceArn" in grant.get("Constraints", {}):
            return "its grant is to an AWS service"
    return ""


def _conditions(case: Json) -> str:
    context = {name.lower(): value for name, value in shown(case).items()}
    for key in sorted(condition_keys(case)):
        given = key in context and any(fnmatch.fnmatchcase(key, known) for known in GIVEN_BY_PARAMETERS)
        absent = key not in context and any(fnmatch.fnmatchcase(key, known) for known in _ABSENT)
        if given and ONLY_VALUES.get(key, context[key]) != context[key]:
            given = False
        if key not in _ALWAYS_SO and not absent and not given:
            return next(why for names, why in _WITHHELD if any(fnmatch.fnmatchcase(key, name) for name in names))
    return ""


def _clearing_away(case: Json) -> str:
    for statement in statements(case["key_policy"]):
        if statement["Effect"] == "Deny" and any(_covers(statement, action) for action in MANAGE):
            return "its key could not be deleted afterwards"
    return ""


def _covers(statement: Json, action: str) -> bool:
    names = [name.lower() for name in listed(statement.get("Action", statement.get("NotAction", [])))]
    matches = any(fnmatch.fnmatchcase(action.lower(), name) for name in names)
    return matches if "Action" in statement else not matches


_RULES: tuple[Callable[[Json], str], ...] = (
    _around,
    _caller,
    _action,
    _principals,
    _key_arn,
    _grants,
    _conditions,
    _clearing_away,
)
