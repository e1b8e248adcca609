# SPDX-License-Identifier: Apache-2.0
"""Every case of the KMS policy table is explained: the same decision and statement, and changes that do change it."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from tests.conformance.kms_policy_table import every_case, inquiry_of

from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.explain.changes import ChangeKind
from strongroom.keypolicy.explain.explanation import explain
from strongroom.keypolicy.model import encode_key_policy

REQUEST_ONLY = frozenset({ChangeKind.DOCUMENT, ChangeKind.CONTEXT, ChangeKind.TIME, ChangeKind.FACT})
LEAST_EXPLAINED = 0.75
"""Of the denied cases, those for which a change is found. What no change helps is denied for its very action."""


@pytest.mark.parametrize("case", every_case(), ids=lambda case: case["id"])
def test_a_case_is_explained_as_it_is_decided(case):
    inquiry = inquiry_of(case)
    decision = inquiry.decide()
    found = explain(inquiry)
    assert found.decision == decision
    assert found.allowed is (case["expect"]["decision"] == "allow")
    assert found.reasons, "an answer without a reason"
    first = found.reasons[0]
    if decision.outcome is Outcome.NOT_ALLOWED:
        assert first.policy == case["expect"]["lacking"]
    else:
        assert (first.policy, first.statement) == (case["expect"]["by"], case["expect"]["statement"])


@pytest.mark.parametrize("case", every_case(), ids=lambda case: case["id"])
def test_each_change_is_the_one_it_says_and_allows_the_request(case):
    inquiry = inquiry_of(case)
    for change in explain(inquiry).changes:
        after = change.inquiry
        assert after.decide().outcome is Outcome.ALLOWED, change.sentence
        if change.kind in REQUEST_ONLY:
            assert after.policies == inquiry.policies
            assert after.request == replace(inquiry.request, context=_applied(inquiry, change))
        elif change.kind is ChangeKind.CALLER:
            assert after.policies == inquiry.policies
            assert after.request.caller.arn == change.caller
        elif change.kind is ChangeKind.IAM:
            assert after.request == inquiry.request
            assert after.policies == replace(inquiry.policies, identity=after.policies.identity)
            assert after.policies.identity[:-1] == inquiry.policies.identity
        elif change.kind is ChangeKind.LIMIT:
            assert after.request == inquiry.request
            assert replace(after.policies, guardrails=inquiry.policies.guardrails) == inquiry.policies
        elif change.kind is ChangeKind.STATEMENT:
            assert after.request == inquiry.request
            assert _statements_changed(inquiry, after) == 1


def _applied(inquiry, change):
    """Return the context after what a change says of facts, without looking at the inquiry that it carries."""
    context = dict(inquiry.request.context)
    for fact in change.facts:
        assert context.pop(fact.key, ()) == fact.before
        context |= {fact.key: fact.after} if fact.after else {}
    return context


def _statements_changed(before, after):
    count = Counter(_written(before.policies))
    count.subtract(_written(after.policies))
    return max(sum(n for n in count.values() if n > 0), sum(-n for n in count.values() if n < 0))


def _written(policies):
    around = policies.guardrails
    every = [policies.key_policy, *policies.identity, around.boundary, *around.session_policies, around.endpoint]
    every += [each for level in (*around.service_control, *around.resource_control) for each in level]
    for policy in filter(None, every):
        for statement in policy.statements:
            yield json.dumps(json.loads(encode_key_policy(replace(policy, statements=(statement,))))["Statement"])


def test_for_most_denied_cases_something_is_found():
    denied = [case for case in every_case() if case["expect"]["decision"] != "allow"]
    helped = [case for case in denied if explain(inquiry_of(case)).changes]
    assert len(helped) >= LEAST_EXPLAINED * len(denied)
