# SPDX-License-Identifier: Apache-2.0
"""The words in which the cases are written. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

A, B, C = "111122223333", "444455556666", "777788889999"
"""The account of the key, another account, and a third one."""
KEY = f"arn:aws:kms:us-west-2:{A}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ROOT_A, ROOT_B = (f"arn:aws:iam::{account}:root" for account in (A, B))
_KMS = "https://docs.aws.amazon.com/kms/latest/developerguide/"
_IAM = "https://docs.aws.amazon.com/IAM/latest/UserGuide/"

Json = dict[str, Any]
Context = Mapping[str, str | Sequence[str]]


def kms(page: str) -> str:
    """Return the address of a page of the KMS Developer Guide."""
    return f"{_KMS}{page.partition('#')[0]}.html" + (f"#{page.partition('#')[2]}" if "#" in page else "")


def iam(page: str) -> str:
    """Return the address of a page of the IAM User Guide."""
    return f"{_IAM}{page.partition('#')[0]}.html" + (f"#{page.partition('#')[2]}" if "#" in page else "")


def key_condition(name: str) -> str:
    """Return the address of one condition key in the KMS Developer Guide."""
    return kms(f"conditions-kms#conditions-kms-{name}")


def global_condition(name: str) -> str:
    """Return the address of one global condition key in the IAM User Guide."""
    return iam(f"reference_policies_condition-keys#condition-keys-{name}")


LOGIC = iam("reference_policies_evaluation-logic")
ACROSS = iam("reference_policies_evaluation-logic-cross-account")
PRINCIPAL = iam("reference_policies_elements_principal")
NOT_PRINCIPAL = iam("reference_policies_elements_notprincipal")
OPERATORS = iam("reference_policies_elements_condition_operators")
SETS = iam("reference_policies_multi-value-conditions")
VARIABLES = iam("reference_policies_variables")
BOUNDARIES = iam("access_policies_boundaries")
OVERVIEW, DEFAULT = kms("key-policy-overview"), kms("key-policy-default")
OTHERS = kms("key-policy-modifying-external-accounts")
TROUBLE = kms("policy-evaluation")
PERMISSIONS = kms("kms-api-permissions-reference")
GRANTS, MAKING, RETIRING = kms("grants"), kms("create-grant-overview"), kms("grant-delete")
ATTESTED, NITROTPM = kms("conditions-attestation"), kms("conditions-nitro-tpm")
SCP = "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html"
SCPS = "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html"
RCPS = "https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html"
KMS_RCP, ENDPOINT = kms("resource-control-policies"), kms("kms-vpc-endpoint")


@dataclass(frozen=True)
class Who:
    """A caller, as the JSON has it, and what condition keys say of him."""

    json: Json
    context: Context


def user(name: str = "alice", account: str = A) -> Who:
    """Return an IAM user with long-term keys."""
    arn, unique = f"arn:aws:iam::{account}:user/{name}", f"AIDA{name.upper():X<17}"[:21]
    facts = {"aws:PrincipalArn": arn, "aws:username": name, "aws:userid": unique, "aws:PrincipalType": "User"}
    return Who({"account": account, "arn": arn, "id": unique}, {**facts, **_account(account)})


def role(name: str = "app", account: str = A, *, session: str = "s1", path: str = "") -> Who:
    """Return a session of a role."""
    arn = f"arn:aws:iam::{account}:role/{path}{name}"
    unique = f"AROA{''.join(filter(str.isalnum, name)).upper():X<17}"[:21]
    own = {
        "account": account,
        "arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        "role": arn,
        "id": unique,
    }
    facts = {"aws:PrincipalArn": arn, "aws:userid": f"{unique}:{session}", "aws:PrincipalType": "AssumedRole"}
    return Who(own, {**facts, **_account(account)})


def root(account: str = A) -> Who:
    """Return the root user of an account."""
    arn = f"arn:aws:iam::{account}:root"
    facts = {"aws:PrincipalArn": arn, "aws:userid": account, "aws:PrincipalType": "Account"}
    return Who({"account": account, "arn": arn}, {**facts, **_account(account)})


def federated(name: str = "alice", account: str = A) -> Who:
    """Return a session of GetFederationToken, made by the user of the same name."""
    arn = f"arn:aws:sts::{account}:federated-user/{name}"
    facts = {"aws:PrincipalArn": arn, "aws:userid": f"{account}:{name}", "aws:PrincipalType": "FederatedUser"}
    own = {"account": account, "arn": arn, "user": f"arn:aws:iam::{account}:user/{name}"}
    return Who(own, {**facts, **_account(account)})


def service(name: str) -> Who:
    """Return an AWS service that acts for itself."""
    return Who({"service": name}, {"aws:PrincipalIsAWSService": "true", "aws:PrincipalServiceName": name})


def _account(account: str) -> Context:
    return {"aws:PrincipalAccount": account, "aws:PrincipalIsAWSService": "false", "kms:CallerAccount": account}


def allow(principal: object, action: object = "kms:Decrypt", sid: str = "Allow", **more: object) -> Json:
    """Return an Allow of a policy with principals."""
    named = principal if principal == "*" or isinstance(principal, dict) else {"AWS": principal}
    body = {"Sid": sid, "Effect": "Allow", "Principal": named, "Action": action, "Resource": "*", **more}
    return {name: value for name, value in body.items() if value is not None}


def deny(principal: object, action: object = "kms:Decrypt", sid: str = "Deny", **more: object) -> Json:
    """Return a Deny of a policy with principals."""
    return {**allow(principal, action, sid, **more), "Effect": "Deny"}


def may(action: object = "kms:Decrypt", resource: object = KEY, sid: str = "May", **more: object) -> Json:
    """Return an Allow of a policy without principals."""
    body = {"Sid": sid, "Effect": "Allow", "Action": action, "Resource": resource, **more}
    return {name: value for name, value in body.items() if value is not None}


def may_not(action: object = "kms:Decrypt", resource: object = "*", sid: str = "MayNot", **more: object) -> Json:
    """Return a Deny of a policy without principals."""
    return {**may(action, resource, sid, **more), "Effect": "Deny"}


def delegate(account: str = A, action: object = "kms:*", sid: str = "Delegate") -> Json:
    """Return the statement that lets an account's own policies decide."""
    return allow(f"arn:aws:iam::{account}:root", action, sid)


def when(operator: str, key: str, values: object, **others: object) -> Json:
    """Return a Condition block of one operator on one key; `others` are further operators."""
    return {operator: {key: values}, **others}


def grant(grantee: str, operations: Sequence[str], *, grant_id: str = "grant-1", **more: object) -> Json:
    """Return a grant in the words of ListGrants."""
    kind = "GranteeServicePrincipal" if grantee.endswith(".amazonaws.com") else "GranteePrincipal"
    made = {"GrantId": grant_id, "KeyId": KEY, "IssuingAccount": ROOT_A, kind: grantee, "Operations": list(operations)}
    return {**made, **more}


@dataclass(frozen=True)
class Expected:
    """What AWS decides: `allow`, `deny` (a Deny that applies), `implicit-deny` (nothing allows)."""

    decision: str
    by: str
    statement: str = ""

    def json(self) -> Json:
        """Return it as the table has it. Of an implicit deny, `lacking` is the kind of policy that allows nothing."""
        if self.decision == "implicit-deny":
            return {"decision": self.decision, "lacking": self.by}
        return {"decision": self.decision, "by": self.by, "statement": self.statement}


def allowed(by: str = "key policy", statement: str = "Allow") -> Expected:
    """Return that a statement allows."""
    return Expected("allow", by, statement)


def denied(by: str = "key policy", statement: str = "Deny") -> Expected:
    """Return that a statement denies."""
    return Expected("deny", by, statement)


def silent(lacking: str = "key policy") -> Expected:
    """Return that nothing allows."""
    return Expected("implicit-deny", lacking)


@dataclass(frozen=True)
class Case:
    """One row. `around` are the other kinds of policies, as the JSON has them."""

    id: str
    title: str
    who: Who
    expected: Expected
    source: str
    key: Sequence[Json] | None = None
    own: Sequence[Json] = ()
    action: str = "kms:Decrypt"
    context: Context = field(default_factory=dict)
    grants: Sequence[Json] = ()
    around: Json = field(default_factory=dict)
    new_grant: Json | None = None
    grade: str = "documented"

    def json(self) -> Json:
        """Return the row as it is written."""
        facts = {"aws:SecureTransport": "true", "aws:ViaAWSService": "false", "aws:RequestedRegion": "us-west-2"}
        facts |= {"aws:CurrentTime": "2026-11-24T12:00:00Z", "aws:EpochTime": "1795521600"}
        if self.key is not None:
            facts["aws:ResourceAccount"] = A
        request: Json = {"action": self.action, "key": KEY if self.key is not None else None, "caller": self.who.json}
        if self.new_grant is not None:
            request["grant"] = self.new_grant
        known = {**facts, **self.who.context, **self.context}
        if self.key is None:
            known.pop("kms:CallerAccount", None)
        request["context"] = {name: value for name, value in known.items() if value != ""}
        body: Json = {"id": self.id, "title": self.title, "grade": self.grade, "source": self.source}
        body["request"] = request
        body["key_policy"] = None if self.key is None else document(self.key)
        body["identity_policies"] = [document(self.own)] if self.own else []
        if self.grants:
            body["grants"] = list(self.grants)
        return {**body, **self.around, "expect": self.expected.json()}


def document(statements: Sequence[Json]) -> Json:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}
