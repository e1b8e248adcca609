# SPDX-License-Identifier: Apache-2.0
"""Whatever the policies and the request: an explanation agrees with `evaluate`, and its changes change the answer."""

from datetime import UTC, datetime, timedelta

from hypothesis import find, given
from hypothesis import strategies as st
from tests.property.keypolicy.test_keypolicy_properties import (
    ALL,
    CONTEXT,
    CUSTOMER,
    KEY,
    digests,
    golden,
    policies,
    requests,
    tenant_policy,
    words,
)

from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import Region
from strongroom.keypolicy.context import Call, EnclavePcrs, NitroTpmPcrs, Sender, kms_request
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.explain.changes import ChangeKind
from strongroom.keypolicy.explain.explanation import explain
from strongroom.keypolicy.explain.inquiry import Inquiry, Policies
from strongroom.keypolicy.principals import Caller
from strongroom.keypolicy.request import KmsRequest

GOOD = b"4" * 48
TENANT = tenant_policy(GOOD, b"5" * 48)
NOW = datetime(2026, 11, 22, tzinfo=UTC)
own = st.sampled_from([(), (ALL,)])


def check(inquiry):
    """Look at one explanation, with `evaluate` itself as the judge."""
    found = explain(inquiry)
    said = inquiry.policies
    decided = evaluate(inquiry.request, key_policy=said.key_policy, identity_policies=said.identity)
    assert found.decision == decided
    assert found.reasons
    if decided.outcome is not Outcome.NOT_ALLOWED:
        assert found.reasons[0].statement == decided.statement
    for change in found.changes:
        request = applied(inquiry.request, change)
        after = change.inquiry.policies
        answer = evaluate(request, key_policy=after.key_policy, identity_policies=after.identity)
        assert answer.outcome is Outcome.ALLOWED, change.sentence
        assert change.kind in {ChangeKind.IAM, ChangeKind.STATEMENT} or after == said
    return found


def applied(request, change):
    """Return the request after a change, made from what the change says of facts and caller."""
    if change.caller:
        return change.inquiry.request
    context = {key: values for key, values in request.context.items() if key not in {f.key for f in change.facts}}
    context |= {fact.key: fact.after for fact in change.facts if fact.after}
    return KmsRequest(request.action, request.caller, request.key_arn, context, request.grant)


@given(policies, requests, own)
def test_any_policy_and_request(policy, request, mine):
    check(Inquiry(request, Policies(policy, mine)))


def changed_pcrs(changes):
    return PcrDigests.of({**golden(GOOD), **changes})


pcr_changes = st.dictionaries(st.sampled_from([2, 4, 7, 12, 13]), digests, max_size=2)
documents = st.none() | st.builds(
    lambda kind, changes: kind(changed_pcrs(changes)), st.sampled_from([NitroTpmPcrs, EnclavePcrs]), pcr_changes
)
contexts = st.dictionaries(st.sampled_from(sorted(CONTEXT)), words, max_size=2).map(lambda other: {**CONTEXT, **other})
lacking = st.sets(st.sampled_from(sorted(CONTEXT)), max_size=1)
accounts = st.sampled_from([CUSTOMER, "777788889999"])


def tenant_inquiry(document, context, without, account, mine):
    caller = Caller(account, f"arn:aws:sts::{account}:assumed-role/app/s", f"arn:aws:iam::{account}:role/app")
    pairs = {key: value for key, value in context.items() if key not in without}
    call = Call("kms:Decrypt", caller, KEY, NOW + timedelta(days=1), Sender(Region("eu-central-1")), document, pairs)
    return Inquiry(kms_request(call), Policies(TENANT, mine))


inquiries = st.builds(tenant_inquiry, documents, contexts, lacking, accounts, own)


@given(inquiries)
def test_what_goes_wrong_under_a_generated_policy_can_always_be_put_right(inquiry):
    found = check(inquiry)
    own_account = inquiry.request.caller.account == CUSTOMER
    assert found.allowed or found.changes or not own_account or not inquiry.policies.identity


def test_every_kind_of_change_is_met():
    for kind in (ChangeKind.DOCUMENT, ChangeKind.CONTEXT, ChangeKind.SEVERAL, ChangeKind.CALLER, ChangeKind.IAM):
        find(inquiries, lambda inquiry, kind=kind: kind in {change.kind for change in explain(inquiry).changes})
