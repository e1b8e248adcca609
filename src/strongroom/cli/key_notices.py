# SPDX-License-Identifier: Apache-2.0
"""What the reader of a simulated decision has to know: what was taken for granted, as nobody gave it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from strongroom.errors import Finding, Severity
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.conditions import Condition
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.explain.facts import Topic, topic_of
from strongroom.keypolicy.explain.inquiry import Inquiry
from strongroom.keypolicy.guardrails import NO_GUARDRAILS
from strongroom.keypolicy.model import Statement

_LIMITS = Finding(
    "key.limits-unknown",
    "no boundary, session policy, SCP, RCP or endpoint policy was given: one that exists may still deny it",
    severity=Severity.NOTE,
)


def notices_of(inquiry: Inquiry, *, rights_assumed: bool) -> Iterator[Finding]:
    """Yield what was taken for granted in an inquiry."""
    request, allowed = inquiry.request, inquiry.decide().outcome is Outcome.ALLOWED
    if rights_assumed and not (request.caller.is_service or request.caller.is_root_user):
        yield _rights(inquiry)
    if request.key_arn is None:
        said = f"{request.action} uses no key: the key policy and grants have no say"
        yield Finding("key.no-key-used", said, severity=Severity.NOTE)
    if allowed and inquiry.policies.guardrails == NO_GUARDRAILS:
        yield _LIMITS
    yield from _unread(inquiry)
    yield from _unknown_facts(inquiry, allowed=allowed)


def _rights(inquiry: Inquiry) -> Finding:
    bare = replace(inquiry, policies=replace(inquiry.policies, identity=()))
    matters = bare.decide().outcome is not inquiry.decide().outcome
    hangs = "AND THE ANSWER HANGS ON IT" if matters else "which does not matter here"
    return Finding(
        "key.rights-assumed",
        f"the caller's IAM policies are taken to allow everything, {hangs}: --identity-policy FILE gives them, "
        "--no-identity-policy says that there is none",
        severity=Severity.WARNING if matters else Severity.NOTE,
    )


def _unread(inquiry: Inquiry) -> Iterator[Finding]:
    of_key = () if inquiry.policies.key_policy is None else inquiry.policies.key_policy.statements
    statements = (*of_key, *(each for policy in inquiry.policies.identity for each in policy.statements))
    found = [each.label for each in statements if any(condition.unread for condition in each.conditions)]
    if found:
        said = f"{', '.join(found)}: a condition is not known here; it keeps an Allow from applying, lets a Deny apply"
        yield Finding("key.condition-unread", said, severity=Severity.WARNING)


def _unknown_facts(inquiry: Inquiry, *, allowed: bool) -> Iterator[Finding]:
    """Yield the condition keys that statements about this request name, and that nobody gave a value for."""
    names = sorted({each.key for each in _conditions(inquiry) if _is_unknown(each, inquiry)})
    if names:
        said = (
            f"the policies ask for {', '.join(names)}, which the request was taken not to have: --set gives a value, "
            "and KMS may know one"
        )
        yield Finding("key.facts-unknown", said, severity=Severity.WARNING if allowed else Severity.NOTE)


def _conditions(inquiry: Inquiry) -> Iterator[Condition]:
    for heard in inquiry.heard(inquiry.decide()):
        if heard.concerns and isinstance(heard.source, Statement):
            yield from heard.source.conditions


def _is_unknown(condition: Condition, inquiry: Inquiry) -> bool:
    row = find_condition_key(condition.key)
    possible = row is not None and inquiry.request.action in row.operations
    return possible and topic_of(condition) is Topic.FACT and condition.lookup not in inquiry.request.context
