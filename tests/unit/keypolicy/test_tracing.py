# SPDX-License-Identifier: Apache-2.0
"""What a decision says of a grant that did not apply: the element, what it asks for, what the request had."""

import pytest

from strongroom.ids import AccountId, KeyArn, Region
from strongroom.keypolicy.context import Sender
from strongroom.keypolicy.decision import DecidedBy, Miss, Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.grants import GrantConstraints, grant_principal
from strongroom.keypolicy.guardrails import Guardrails
from strongroom.keypolicy.model import (
    parse_identity_policy,
    parse_key_policy,
    parse_key_policy_leniently,
    parse_resource_policy,
)
from strongroom.keypolicy.principals import Caller, Reach

DB = "arn:aws:rds:eu-central-1:444455556666:db:orders"


def missed(world, offered, action="kms:Decrypt", **changes):
    """Return what the grant missed, under a key policy that says nothing."""
    policy = parse_key_policy(world.document(world.statement(Action="s3:*")))
    request = world.request(action, **{"encryption_context": {"App": "x", "b": "y"}, **changes})
    decision = evaluate(request, key_policy=policy, identity_policies=[world.iam_all], grants=[offered])
    assert decision.outcome is Outcome.NOT_ALLOWED
    return decision.by_kind[DecidedBy.GRANT].traces[0].missed


def test_another_key_another_grantee_another_operation(world):
    other = KeyArn(f"{world.key}0")
    assert missed(world, world.granted(key_arn=other)) == (Miss("KeyId", (other,), (world.key,)),)
    thief = world.thief.role_arn
    assert missed(world, world.granted(grantee=thief)) == (Miss("GranteePrincipal", (thief,), (world.app.arn,)),)
    assert missed(world, world.granted(("Sign", "Encrypt"))) == (Miss("Operations", ("Encrypt", "Sign"), ("Decrypt",)),)


def test_constraints_say_the_whole_context_that_was_brought(world):
    subset = world.granted(constraints=GrantConstraints.of(subset={"App": "z"}))
    assert missed(world, subset) == (Miss("EncryptionContextSubset", ("app=z",), ("app=x", "b=y")),)
    equals = world.granted(constraints=GrantConstraints.of(equals={"app": "x"}))
    assert missed(world, equals) == (Miss("EncryptionContextEquals", ("app=x",), ("app=x", "b=y")),)
    for_db = world.granted(constraints=GrantConstraints.of(source_arn=DB))
    assert missed(world, for_db) == (Miss("SourceArn", (DB,), ()),)
    elsewhere = Sender(Region("eu-central-1"), source_arn=f"{DB}2")
    assert missed(world, for_db, sender=elsewhere) == (Miss("SourceArn", (DB,), (f"{DB}2",)),)


def test_a_child_grant_that_is_too_wide_is_shown_with_its_operations(world):
    parent = world.granted(("CreateGrant", "Decrypt"))
    child = world.granted(("Sign", "Encrypt"))
    bare = {"encryption_context": {}, "attestation": None}
    assert missed(world, parent, "kms:CreateGrant", grant=child, **bare) == (
        Miss("CreateGrant", ("CreateGrant", "Decrypt"), ("Encrypt", "Sign")),
    )
    assert missed(world, parent, "kms:CreateGrant", **bare) == (Miss("CreateGrant", ("CreateGrant", "Decrypt"), ()),)


@pytest.mark.parametrize("retiring", [None, "arn:aws:iam::444455556666:role/adminRole"])
def test_who_may_not_retire_a_grant_is_told_who_may(world, retiring):
    grant = world.granted(retiring=retiring and grant_principal(retiring))
    decision = decide_retirement(world, grant, world.thief)
    (trace,) = decision.by_kind[DecidedBy.GRANT].traces
    assert (trace.reach, decision.lacking) == (Reach.NONE, DecidedBy.GRANT)
    assert trace.missed == (Miss("RetiringPrincipal", (retiring,) if retiring else (), (world.thief.arn,)),)
    other = world.granted(key_arn=KeyArn(f"{world.key}0"))
    (trace,) = decide_retirement(world, other, world.app).by_kind[DecidedBy.GRANT].traces
    assert trace.missed == (Miss("KeyId", (f"{world.key}0",), (world.key,)),)


def test_the_root_user_of_the_account_that_made_a_grant_retires_it_by_himself(world):
    account = AccountId(world.customer)
    decision = decide_retirement(world, world.granted(), Caller(account, f"arn:aws:iam::{account}:root"))
    assert (decision.outcome, decision.decided_by) == (Outcome.ALLOWED, DecidedBy.GRANT)
    assert decision.trace[0].reach is Reach.DIRECT
    assert decision.trace[0].missed == ()


def decide_retirement(world, grant, caller):
    request = world.request("kms:RetireGrant", caller=caller, grant=grant, encryption_context={}, attestation=None)
    policy = parse_key_policy(world.document(world.statement()))
    return evaluate(request, key_policy=policy, identity_policies=[world.iam_all])


def test_the_kind_that_lacks_an_allow_is_the_first_that_would_have_to_give_one(world):
    """A boundary is named only where it is the last thing in the way."""
    nothing = parse_identity_policy(world.document(world.without(world.statement(Action="s3:*"), "Principal")))
    rails = Guardrails(boundary=nothing)

    def lacking(key, own, caller):
        request = world.request("kms:Sign", caller=caller, encryption_context={}, attestation=None)
        policy = parse_key_policy(world.document(world.statement(**key)))
        return evaluate(request, key_policy=policy, identity_policies=own, guardrails=rails).lacking

    role = {"Principal": {"AWS": world.operator.role_arn}}
    account = {"Principal": {"AWS": world.vendor_account}}
    assert lacking(role, [], world.operator) is DecidedBy.BOUNDARY
    assert lacking({"Action": "s3:*"}, [], world.operator) is DecidedBy.KEY_POLICY
    assert lacking(account, [], world.operator) is DecidedBy.IDENTITY_POLICY
    assert lacking(account, [world.iam_all], world.operator) is DecidedBy.BOUNDARY


def test_the_endpoints_policy_has_no_level_but_one(world):
    silent = Guardrails(endpoint=parse_resource_policy(world.document(world.statement(Action="s3:*"))))
    policy = parse_key_policy(world.document(world.statement()))
    decision = evaluate(world.request(), key_policy=policy, identity_policies=[world.iam_all], guardrails=silent)
    assert [each.level for each in decision.trace if each.policy is DecidedBy.ENDPOINT] == [0]


def test_a_condition_that_was_not_understood_is_kept_as_it_was_written(world):
    block = {"StringSounds": {"Kms:Unheard": ["x", "y"]}}
    (condition,) = parse_key_policy_leniently(world.document(world.statement(Condition=block))).statements[0].conditions
    assert (condition.operator, condition.key, condition.values) == ("StringSounds", "Kms:Unheard", ("x", "y"))
    assert condition.lookup == "kms:unheard"
