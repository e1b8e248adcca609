# SPDX-License-Identifier: Apache-2.0
"""What the lint does with every policy: it never fails, and what opens without a document never passes it."""

import json
from dataclasses import replace

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from tests.lint_examples import NOW, lint_of
from tests.property.keypolicy.test_keypolicy_properties import (
    ALL,
    CUSTOMER,
    VENDOR,
    callers,
    policies,
    request_of,
    statements,
)

from strongroom.errors import FormatError, Severity
from strongroom.formats.json_places import find_spans
from strongroom.ids import AccountId
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.lint.examples import EXAMPLES
from strongroom.keypolicy.lint.linter import LintQuestion, lint_statements
from strongroom.keypolicy.model import encode_key_policy, parse_key_policy_leniently
from strongroom.keypolicy.symbolic.ask import opening_without_allowed_document

ANYWHERE = ALL.statements[0]
EXAMPLE_TEXTS = [text for each in EXAMPLES.values() for text in (each.fires, each.silent)]


def by_rules(text):
    """Return the codes of the errors that rules find by themselves, without the search over all requests."""
    found = lint_statements(LintQuestion(key_policy=text, now=NOW))
    return {each.rule.code for each in found if each.rule.severity is Severity.ERROR}


@settings(max_examples=200)
@given(policies, callers, st.sampled_from(["kms:Decrypt", "kms:GenerateDataKey"]))
def test_a_policy_that_opens_without_a_document_is_never_without_an_error(policy, caller, action):
    request = request_of(None, caller, action)
    if evaluate(request, key_policy=policy, identity_policies=[ALL]).outcome is Outcome.ALLOWED:
        assert "lint.unattested" in by_rules(encode_key_policy(policy))


def test_there_are_policies_that_open_and_policies_that_do_not():
    request = request_of(None)
    open_to = find(
        policies, lambda p: evaluate(request, key_policy=p, identity_policies=[ALL]).outcome is Outcome.ALLOWED
    )
    assert "lint.unattested" in by_rules(encode_key_policy(open_to))
    assert find(policies, lambda policy: "lint.unattested" in by_rules(encode_key_policy(policy)))
    assert find(policies, lambda policy: "lint.unattested" not in by_rules(encode_key_policy(policy)))


@pytest.mark.slow
@settings(max_examples=100)
@given(st.sampled_from(EXAMPLE_TEXTS), st.data())
def test_a_damaged_policy_is_linted_or_is_none(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 8)))
    damaged = text[:start] + data.draw(st.text(max_size=4)) + text[end:]
    try:
        parse_key_policy_leniently(damaged)
    except FormatError:
        return
    spans = find_spans(damaged)
    assert all(each.fault.path in spans for each in lint_of(damaged))


@pytest.mark.slow
@settings(max_examples=30)
@given(policies)
def test_each_finding_stands_somewhere_and_in_one_line(policy):
    text = encode_key_policy(policy)
    spans = find_spans(text)
    for each in lint_of(text):
        assert each.fault.path in spans
        assert "\n" not in each.fault.message


@given(policies, statements(st.just("Deny")).filter(lambda each: "Condition" not in each))
def test_a_flat_deny_never_makes_a_policy_open(policy, deny):
    text = encode_key_policy(policy)
    body = json.loads(text)
    stricter = json.dumps({**body, "Statement": [*body["Statement"], deny]})
    assert by_rules(stricter) - {"lint.bricks-key"} <= by_rules(text)


@pytest.mark.slow
@settings(max_examples=25)
@given(policies)
def test_in_which_account_a_key_is_makes_no_difference_to_a_policy_that_does_not_ask(policy):
    """So the lint may ask about two accounts, and not about all that a policy names."""
    everywhere = tuple(replace(each, resources=ANYWHERE.resources) for each in policy.statements)
    indifferent = replace(policy, statements=everywhere)
    accounts = (VENDOR, CUSTOMER, AccountId("000000000000"))
    answers = [opening_without_allowed_document(indifferent, key_account=each) for each in accounts]
    assert len({type(each) for each in answers}) == 1
