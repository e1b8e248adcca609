# SPDX-License-Identifier: Apache-2.0
"""Policies with something taken out or added, for questions of what would be."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from strongroom.keypolicy.decision import DecidedBy
from strongroom.keypolicy.explain.inquiry import Inquiry, Policies
from strongroom.keypolicy.guardrails import Guardrails
from strongroom.keypolicy.model import (
    Effect,
    IdentityPolicy,
    KeyPolicy,
    ResourcePolicy,
    Statement,
    parse_identity_policy,
    parse_resource_policy,
)

_Kept = Callable[[Statement], bool]
_Policy = TypeVar("_Policy", KeyPolicy, IdentityPolicy, ResourcePolicy)


def without_denies(inquiry: Inquiry) -> Inquiry:
    """Return the same request under policies that deny nothing explicitly."""
    return replace(inquiry, policies=_only(inquiry.policies, lambda statement: statement.effect is not Effect.DENY))


def without_key_allows(inquiry: Inquiry) -> Inquiry:
    """Return the same request under a key policy that allows nothing by itself."""
    mine = () if inquiry.policies.key_policy is None else inquiry.policies.key_policy.statements
    allows = [id(each) for each in mine if each.effect is Effect.ALLOW]
    return replace(inquiry, policies=_only(inquiry.policies, lambda statement: id(statement) not in allows))


def without_statement(inquiry: Inquiry, statement: Statement) -> Inquiry:
    """Return the same request under policies without one statement, which is told by being the same object."""
    return replace(inquiry, policies=_only(inquiry.policies, lambda each: each is not statement))


def with_statement(inquiry: Inquiry, old: Statement, new: Statement) -> Inquiry:
    """Return the same request with one statement of the key policy replaced."""
    policy = inquiry.policies.key_policy
    if policy is None:
        return inquiry
    statements = tuple(new if each is old else each for each in policy.statements)
    return replace(inquiry, policies=replace(inquiry.policies, key_policy=replace(policy, statements=statements)))


def with_allow(inquiry: Inquiry, kind: DecidedBy) -> Inquiry | None:
    """Return the same request where one kind of policy allows it, too; None where that says nothing."""
    said, around = inquiry.policies, inquiry.policies.guardrails
    body = {"Effect": "Allow", "Action": inquiry.request.action, "Resource": inquiry.request.key_arn or "*"}
    own = parse_identity_policy(_document(body))
    of_key = parse_resource_policy(_document(body | {"Principal": "*"}))
    match kind:
        case DecidedBy.IDENTITY_POLICY:
            return replace(inquiry, policies=replace(said, identity=(*said.identity, own)))
        case DecidedBy.BOUNDARY if around.boundary is not None:
            found = replace(around, boundary=_joined(around.boundary, own))
        case DecidedBy.SESSION_POLICY:
            found = replace(around, session_policies=(*around.session_policies, own))
        case DecidedBy.SERVICE_CONTROL:
            found = replace(around, service_control=tuple((*level, own) for level in around.service_control))
        case DecidedBy.RESOURCE_CONTROL:
            found = replace(around, resource_control=tuple((*level, of_key) for level in around.resource_control))
        case DecidedBy.ENDPOINT if around.endpoint is not None:
            found = replace(around, endpoint=_joined(around.endpoint, of_key))
        case _:
            return None
    return replace(inquiry, policies=replace(said, guardrails=found))


def _joined(policy: _Policy, more: _Policy) -> _Policy:
    return replace(policy, statements=(*policy.statements, *more.statements))


def _document(statement: dict[str, str]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _only(said: Policies, kept: _Kept) -> Policies:
    around = said.guardrails
    return Policies(
        None if said.key_policy is None else _left(said.key_policy, kept),
        tuple(_left(policy, kept) for policy in said.identity),
        said.grants,
        Guardrails(
            boundary=None if around.boundary is None else _left(around.boundary, kept),
            session_policies=tuple(_left(policy, kept) for policy in around.session_policies),
            service_control=tuple(tuple(_left(policy, kept) for policy in level) for level in around.service_control),
            resource_control=tuple(tuple(_left(policy, kept) for policy in level) for level in around.resource_control),
            endpoint=None if around.endpoint is None else _left(around.endpoint, kept),
        ),
    )


def _left(policy: _Policy, kept: _Kept) -> _Policy:
    return replace(policy, statements=tuple(each for each in policy.statements if kept(each)))
