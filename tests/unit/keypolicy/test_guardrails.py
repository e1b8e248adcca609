# SPDX-License-Identifier: Apache-2.0
"""What a decision says of each kind of policy, and what only takes away. The rules themselves are in the table of
conformance/kms-policy."""

import json

import pytest

from strongroom.errors import FormatError
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.decision import DecidedBy, Outcome, Word
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.grants import Grant, grant_principal
from strongroom.keypolicy.guardrails import Guardrails
from strongroom.keypolicy.model import (
    parse_identity_policy,
    parse_identity_policy_leniently,
    parse_key_policy,
    parse_key_policy_leniently,
    parse_resource_policy,
)
from strongroom.keypolicy.principals import Caller, Reach


@pytest.fixture
def full(world):
    """One decision in which every kind of policy has a say."""
    everything = world.without(world.statement(Sid="All"), "Principal")
    scp = parse_identity_policy(world.document(everything))
    rails = Guardrails(
        boundary=parse_identity_policy(world.document({**everything, "Sid": "Boundary"})),
        session_policies=(parse_identity_policy(world.document({**everything, "Action": "kms:Sign"})),),
        service_control=((scp,), (scp,)),
        resource_control=((parse_resource_policy(world.document(world.statement(Sid="Rcp"))),),),
        endpoint=parse_resource_policy(world.document(world.statement(Sid="Endpoint"))),
    )
    grant = Grant(
        "g",
        KeyArn(world.key),
        AccountId(world.vendor_account),
        grant_principal(world.app.role_arn),
        frozenset({"Encrypt"}),
    )
    policy = parse_key_policy(world.document(world.statement(Sid="Open")))
    return evaluate(
        world.request(), key_policy=policy, identity_policies=[world.iam_all], grants=[grant], guardrails=rails
    )


def test_a_decision_says_what_each_kind_of_policy_said(full):
    assert (full.outcome, full.lacking) == (Outcome.NOT_ALLOWED, DecidedBy.SESSION_POLICY)
    assert [(kind, verdict.word, verdict.statement) for kind, verdict in full.by_kind.items()] == [
        (DecidedBy.RESOURCE_CONTROL, Word.ALLOWS, "Rcp"),
        (DecidedBy.SERVICE_CONTROL, Word.ALLOWS, "All"),
        (DecidedBy.ENDPOINT, Word.ALLOWS, "Endpoint"),
        (DecidedBy.KEY_POLICY, Word.ALLOWS, "Open"),
        (DecidedBy.GRANT, Word.SILENT, ""),
        (DecidedBy.IDENTITY_POLICY, Word.ALLOWS, "Statement[0]"),
        (DecidedBy.BOUNDARY, Word.ALLOWS, "Boundary"),
        (DecidedBy.SESSION_POLICY, Word.SILENT, ""),
    ]
    (granted,) = full.by_kind[DecidedBy.GRANT].traces
    assert (granted.missed[0].element, granted.missed[0].expected, granted.missed[0].seen) == (
        "Operations",
        ("Encrypt",),
        ("Decrypt",),
    )


def test_a_kind_that_denies_is_said_to_deny_and_its_reach_is_told(world):
    policy = world.document(
        world.statement(Sid="Account", Principal={"AWS": world.customer}),
        world.statement(Sid="Role", Principal={"AWS": world.app.role_arn}, Action="kms:Decrypt"),
    )
    verdict = world.decide(policy).by_kind[DecidedBy.KEY_POLICY]
    assert (verdict.word, verdict.statement, verdict.reach) == (Word.ALLOWS, "Role", Reach.BEHIND)
    shut = world.document(*json.loads(policy)["Statement"], world.statement(Sid="Never", Effect="Deny"))
    assert world.decide(shut).by_kind[DecidedBy.KEY_POLICY].word is Word.DENIES


def test_one_silent_level_makes_the_organization_silent(world):
    everything = world.without(world.statement(), "Principal")
    levels = tuple(
        (parse_identity_policy(world.document({**everything, "Action": action})),) for action in ("*", "s3:*")
    )
    policy = parse_key_policy(world.document(world.statement()))
    decision = evaluate(
        world.request(),
        key_policy=policy,
        identity_policies=[world.iam_all],
        guardrails=Guardrails(service_control=levels),
    )
    assert decision.lacking is DecidedBy.SERVICE_CONTROL
    assert decision.by_kind[DecidedBy.SERVICE_CONTROL].word is Word.SILENT
    assert [each.level for each in decision.trace if each.policy is DecidedBy.SERVICE_CONTROL] == [0, 1]


@pytest.mark.parametrize("kind", ["service_control", "resource_control"])
def test_a_level_without_a_policy_is_misuse(kind):
    with pytest.raises(RuntimeError, match="level"):
        Guardrails(**{kind: ((),)})


def test_every_kind_is_called_as_aws_calls_it():
    assert [kind.aws_name for kind in DecidedBy] == [
        "resource control policy",
        "service control policy",
        "VPC endpoint policy",
        "resource-based policy",
        "resource-based policy",
        "identity-based policy",
        "permissions boundary",
        "session policy",
        "default",
    ]


UNREAD = [
    ({"StringEquals": {"kms:Unheard": "x"}}, "keypolicy.condition-key"),
    ({"StringSounds": {"aws:userid": "x"}}, "keypolicy.operator"),
    ({"NumericEquals": {"aws:userid": "5"}}, "keypolicy.condition-type"),
    ({"StringEquals": {"aws:TagKeys": "x"}}, "keypolicy.condition-type"),
    ({"DateLessThan": {"aws:CurrentTime": "tomorrow"}}, "keypolicy.condition-value"),
    ({"StringNotEquals": {"aws:userid": "${aws:unheard}"}}, "keypolicy.variable"),
    ({"StringNotEqualsIfExists": {"kms:Unheard": "x"}}, "keypolicy.condition-key"),
    ({"Null": {"kms:Unheard": "true"}}, "keypolicy.condition-key"),
]


@pytest.mark.parametrize(("block", "code"), UNREAD)
def test_a_condition_that_is_not_understood_opens_nothing(world, block, code):
    unread = world.document(world.statement(Condition=block))
    policy = parse_key_policy_leniently(unread)
    assert [each.unread for each in policy.statements[0].conditions] == [code]
    assert world.decide(policy).outcome is Outcome.NOT_ALLOWED
    shut = world.document(world.statement(), world.statement(Effect="Deny", Condition=block))
    assert world.decide(parse_key_policy_leniently(shut)).outcome is Outcome.EXPLICITLY_DENIED


@pytest.mark.parametrize(("block", "code"), UNREAD)
def test_so_does_one_in_an_identity_policy(world, block, code):
    own = world.without(world.statement(Condition=block), "Principal")
    policy = parse_identity_policy_leniently(world.document(own))
    assert policy.statements[0].conditions[0].unread == code
    opened = parse_key_policy(world.document(world.statement()))
    assert world.decide(opened, own=[policy]).outcome is Outcome.NOT_ALLOWED
    denying = parse_identity_policy_leniently(world.document({**own, "Effect": "Deny"}))
    assert world.decide(opened, own=[world.iam_all, denying]).outcome is Outcome.EXPLICITLY_DENIED


def test_what_is_understood_is_read_leniently_as_it_is_strictly(world):
    block = {"StringEquals": {"kms:Unheard": "x", "aws:PrincipalAccount": world.customer}}
    (unheard, known) = (
        parse_key_policy_leniently(world.document(world.statement(Condition=block))).statements[0].conditions
    )
    assert (bool(unheard.unread), bool(known.unread)) == (True, False)
    text = world.document(world.statement(Condition={"StringEquals": {"aws:PrincipalAccount": "1"}}))
    assert parse_key_policy_leniently(text) == parse_key_policy(text)
    with pytest.raises(FormatError, match="Condition"):
        parse_key_policy_leniently(world.document(world.statement(Condition={"StringEquals": {"kms:Unheard": []}})))


def retire(world, *, key, account):
    """Ask for the retirement of a grant on `key`, by the account that is its retiring principal."""
    principal = grant_principal(world.vendor_account)
    made = Grant("g", KeyArn(key), AccountId(account), principal, frozenset({"Sign"}), principal)
    caller = Caller(AccountId(world.vendor_account), f"arn:aws:iam::{world.vendor_account}:root")
    request = world.request("kms:RetireGrant", caller=caller, grant=made, encryption_context={}, attestation=None)
    return evaluate(request, key_policy=parse_key_policy(world.document(world.statement())), identity_policies=[])


def test_a_grant_is_retired_on_its_own_key_only(world):
    assert retire(world, key=world.key, account=world.vendor_account).outcome is Outcome.ALLOWED
    other = retire(world, key=f"{world.key}0", account=world.vendor_account)
    assert (other.outcome, other.lacking) == (Outcome.NOT_ALLOWED, DecidedBy.GRANT)
    assert other.trace[0].missed[0].element == "KeyId"


def test_without_the_grant_nobody_is_known_who_may_retire_it(world):
    policy = parse_key_policy(world.document(world.statement()))
    request = world.request("kms:RetireGrant", caller=world.operator, encryption_context={}, attestation=None)
    decision = evaluate(request, key_policy=policy, identity_policies=[world.iam_all])
    assert (decision.outcome, decision.lacking) == (Outcome.NOT_ALLOWED, DecidedBy.GRANT)


@pytest.mark.parametrize(("listed", "outcome"), [(2, Outcome.ALLOWED), (1, Outcome.EXPLICITLY_DENIED)])
def test_not_principal_spares_a_federated_user_with_his_account(world, listed, outcome):
    account = AccountId(world.vendor_account)
    caller = Caller(account, f"arn:aws:sts::{account}:federated-user/bob")
    spared = {"AWS": [caller.arn, account][:listed]}
    deny = world.without(world.statement(Effect="Deny", NotPrincipal=spared), "Principal")
    policy = world.document(world.statement(), deny)
    assert world.decide(policy, world.request(caller=caller)).outcome is outcome


def test_a_grant_that_retires_by_nobody_shows_no_retiring_principal(world):
    made = Grant(
        "g", KeyArn(world.key), AccountId(world.customer), grant_principal(world.app.role_arn), frozenset({"Sign"})
    )
    context = world.request("kms:CreateGrant", grant=made, encryption_context={}, attestation=None).context
    assert "kms:retiringprincipal" not in context
    assert context["kms:granteeprincipal"] == (world.app.role_arn,)
