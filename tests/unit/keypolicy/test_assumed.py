# SPDX-License-Identifier: Apache-2.0
"""What AWS does not say of evaluation and no case of conformance/kms-policy shows (docs/formats/key-policy.md)."""

import json

from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.context import request_context
from strongroom.keypolicy.decision import DecidedBy, Outcome
from strongroom.keypolicy.evaluate import evaluate
from strongroom.keypolicy.grants import Grant, GrantConstraints, grant_principal
from strongroom.keypolicy.guardrails import Guardrails
from strongroom.keypolicy.model import parse_identity_policy, parse_key_policy, parse_resource_policy

ORDER = [
    DecidedBy.RESOURCE_CONTROL,
    DecidedBy.SERVICE_CONTROL,
    DecidedBy.ENDPOINT,
    DecidedBy.KEY_POLICY,
    DecidedBy.IDENTITY_POLICY,
    DecidedBy.BOUNDARY,
    DecidedBy.SESSION_POLICY,
]


def decide(world, denying, **changes):
    """Decide where each kind of policy in `denying` denies everything and every other allows it."""

    def text(kind, *drop):
        deny = [world.statement(Effect="Deny")] if kind in denying else []
        return world.document(*(world.without(each, *drop) for each in (world.statement(), *deny)))

    def identity(kind):
        return parse_identity_policy(text(kind, "Principal"))

    rails = {
        "boundary": identity(DecidedBy.BOUNDARY),
        "session_policies": (identity(DecidedBy.SESSION_POLICY),),
        "service_control": ((identity(DecidedBy.SERVICE_CONTROL),),),
        "resource_control": ((parse_resource_policy(text(DecidedBy.RESOURCE_CONTROL)),),),
        "endpoint": parse_resource_policy(text(DecidedBy.ENDPOINT)),
    }
    return evaluate(
        world.request(),
        key_policy=parse_key_policy(text(DecidedBy.KEY_POLICY)),
        identity_policies=[identity(DecidedBy.IDENTITY_POLICY)],
        guardrails=Guardrails(**{**rails, **changes}),
    )


def test_of_several_denies_the_first_in_the_order_is_reported(world):
    for place in range(len(ORDER)):
        decision = decide(world, ORDER[place:])
        assert (decision.outcome, decision.decided_by) == (Outcome.EXPLICITLY_DENIED, ORDER[place])


def test_the_account_principal_of_an_endpoints_policy_covers_everybody_in_the_account(world):
    for account, outcome in ((world.customer, Outcome.ALLOWED), (world.stranger, Outcome.NOT_ALLOWED)):
        principal = {"AWS": f"arn:aws:iam::{account}:root"}
        endpoint = parse_resource_policy(world.document(world.statement(Principal=principal)))
        assert decide(world, [], endpoint=endpoint).outcome is outcome


def test_a_grant_with_both_constraints_shows_equals(world):
    both = GrantConstraints.of(equals={"app": "x"}, subset={"app": "x"})
    grantee = grant_principal(world.app.role_arn)
    operations = frozenset({"Decrypt"})
    grant = Grant("g", KeyArn(world.key), AccountId(world.vendor_account), grantee, operations, constraints=both)
    facts = request_context(world.call("kms:CreateGrant", grant=grant, encryption_context={}))
    assert facts["kms:grantconstrainttype"] == ("EncryptionContextEquals",)


def test_a_star_alone_is_a_pattern_for_any_arn(world):
    condition = {"ArnLike": {"aws:PrincipalArn": "*"}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [world.statement(Condition=condition)]})
    assert world.decide(policy).outcome is Outcome.ALLOWED
