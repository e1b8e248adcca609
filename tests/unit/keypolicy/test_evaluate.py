# SPDX-License-Identifier: Apache-2.0
"""Requests x policies x decisions. Every row names its source and grades it.

documented: AWS's own pages. measured: a third party did it on real AWS. assumed: follows from the pages, not said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest

from strongroom.errors import KeyRefused
from strongroom.ids import AccountId
from strongroom.keypolicy.decision import DecidedBy, Outcome, StatementTrace
from strongroom.keypolicy.evaluate import _first_allow, evaluate
from strongroom.keypolicy.model import Effect, parse_identity_policy, parse_key_policy, pin_principals
from strongroom.keypolicy.principals import Caller, Reach

VENDOR, CUSTOMER = "444455556666", "111122223333"
ROOT, EXTERNAL = f"arn:aws:iam::{VENDOR}:root", f"arn:aws:iam::{CUSTOMER}:root"
OPERATOR = f"arn:aws:iam::{VENDOR}:role/operator"
OPERATOR_SESSION = f"arn:aws:sts::{VENDOR}:assumed-role/operator/s"
APP = f"arn:aws:iam::{CUSTOMER}:role/app"
KEY = f"arn:aws:kms:eu-central-1:{VENDOR}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ALLOW, NO = Outcome.ALLOWED, Outcome.NOT_ALLOWED
DENY = Outcome.EXPLICITLY_DENIED
BY_KEY, BY_OWN, BY_DEFAULT = DecidedBy.KEY_POLICY, DecidedBy.IDENTITY_POLICY, DecidedBy.DEFAULT
MINE = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": KEY}

CONTROL = "documented: kms/latest/developerguide/control-access.html"
IAM = "documented: kms/latest/developerguide/iam-policies.html"
EXTERNALS = "documented: kms/latest/developerguide/key-policy-modifying-external-accounts.html"
LOGIC = "documented: IAM/latest/UserGuide/reference_policies_evaluation-logic.html"
PRINCIPAL = "documented: IAM/latest/UserGuide/reference_policies_elements_principal.html"
NOT_PRINCIPAL = "documented: IAM/latest/UserGuide/reference_policies_elements_notprincipal.html"
ACTIONS = "documented: IAM/latest/UserGuide/reference_policies_elements_action.html"
PERMISSIONS = "documented: kms/latest/developerguide/kms-api-permissions-reference.html"
MEASURED = "measured: cyntrisec/EphemeralML README, 2026-02, real enclaves"
ASSUMED = "assumed: follows from the pages on principals"


def allow(principal, **changes):
    return {"Effect": "Allow", "Principal": principal, "Action": "kms:Decrypt", "Resource": "*", **changes}


def deny(principal, **changes):
    return allow(principal, Effect="Deny", **changes)


def spare(*arns):
    body = deny({})
    del body["Principal"]
    return {**body, "NotPrincipal": {"AWS": list(arns)}}


@dataclass(frozen=True)
class Row:
    source: str
    caller: str
    key: Sequence[Mapping[str, object]]
    own: Sequence[Mapping[str, object]]
    outcome: Outcome
    by: DecidedBy
    action: str = "kms:Decrypt"


ROWS = [
    # Nothing is given unless it is given.
    Row(CONTROL, "operator", [allow({"AWS": EXTERNAL})], [MINE], NO, BY_DEFAULT),
    Row(CONTROL, "operator", [allow({"AWS": OPERATOR}, Action="kms:Encrypt")], [], NO, BY_DEFAULT),
    # One account: directly, or by delegation to the account.
    Row(CONTROL, "operator", [allow({"AWS": OPERATOR})], [], ALLOW, BY_KEY),
    Row(PRINCIPAL, "operator", [allow({"AWS": OPERATOR_SESSION})], [], ALLOW, BY_KEY),
    Row(PRINCIPAL, "operator", [allow({"AWS": OPERATOR_SESSION + "2"})], [MINE], NO, BY_DEFAULT),
    Row(PRINCIPAL, "operator", [allow("*")], [], ALLOW, BY_KEY),
    Row(PRINCIPAL, "operator", [allow({"AWS": "*"})], [], ALLOW, BY_KEY),
    Row(IAM, "operator", [allow({"AWS": ROOT})], [MINE], ALLOW, BY_OWN),
    Row(IAM, "operator", [allow({"AWS": VENDOR})], [MINE], ALLOW, BY_OWN),
    Row(IAM, "operator", [allow({"AWS": ROOT})], [], NO, BY_DEFAULT),
    Row(IAM, "operator", [allow({"AWS": ROOT}, Action="kms:Encrypt")], [MINE], NO, BY_DEFAULT),
    Row(IAM, "operator", [allow({"AWS": ROOT})], [{**MINE, "Resource": KEY + "0"}], NO, BY_DEFAULT),
    Row(IAM, "operator", [allow({"AWS": ROOT})], [{**MINE, "Resource": "arn:aws:kms:*:*:key/*"}], ALLOW, BY_OWN),
    Row(PRINCIPAL, "root", [allow({"AWS": ROOT})], [], ALLOW, BY_KEY),
    Row(PRINCIPAL, "operator", [allow({"Service": "ec2.amazonaws.com"})], [MINE], NO, BY_DEFAULT),
    Row(PRINCIPAL, "operator", [allow({"Federated": "accounts.google.com"})], [MINE], NO, BY_DEFAULT),
    Row(PRINCIPAL, "operator", [allow({"AWS": "AROAOPERATORXXXXXXXXX"})], [], ALLOW, BY_KEY),
    Row(PRINCIPAL, "operator", [allow({"AWS": "AROAANOTHERONEXXXXXXX"})], [MINE], NO, BY_DEFAULT),
    # Two accounts: both sides, and never one alone.
    Row(EXTERNALS, "app", [allow({"AWS": EXTERNAL})], [MINE], ALLOW, BY_KEY),
    Row(EXTERNALS, "app", [allow({"AWS": CUSTOMER})], [MINE], ALLOW, BY_KEY),
    Row(EXTERNALS, "app", [allow({"AWS": APP})], [MINE], ALLOW, BY_KEY),
    Row(EXTERNALS, "app", [allow({"AWS": EXTERNAL})], [], NO, BY_DEFAULT),
    Row(EXTERNALS, "app", [allow({"AWS": APP})], [], NO, BY_DEFAULT),
    Row(EXTERNALS, "app", [allow("*")], [], NO, BY_DEFAULT),
    Row(EXTERNALS, "app", [allow("*")], [MINE], ALLOW, BY_KEY),
    Row(EXTERNALS, "app", [allow({"AWS": ROOT})], [MINE], NO, BY_DEFAULT),
    Row(EXTERNALS, "app", [allow({"AWS": EXTERNAL})], [{**MINE, "Action": "kms:Encrypt"}], NO, BY_DEFAULT),
    Row(ASSUMED, "customer root", [allow({"AWS": EXTERNAL})], [], ALLOW, BY_KEY),
    Row(
        PERMISSIONS,
        "app",
        [allow({"AWS": EXTERNAL}, Action="kms:*")],
        [{**MINE, "Action": "kms:*"}],
        NO,
        BY_DEFAULT,
        action="kms:PutKeyPolicy",
    ),
    # An explicit Deny wins, wherever it stands.
    Row(LOGIC, "operator", [allow({"AWS": OPERATOR}), deny("*")], [MINE], DENY, BY_KEY),
    Row(LOGIC, "operator", [allow({"AWS": OPERATOR}), deny({"AWS": ROOT})], [MINE], DENY, BY_KEY),
    Row(LOGIC, "operator", [allow({"AWS": OPERATOR}), deny({"AWS": EXTERNAL})], [MINE], ALLOW, BY_KEY),
    Row(LOGIC, "operator", [allow({"AWS": OPERATOR})], [{**MINE, "Effect": "Deny"}], DENY, BY_OWN),
    Row(LOGIC, "app", [allow({"AWS": EXTERNAL})], [MINE, {**MINE, "Effect": "Deny"}], DENY, BY_OWN),
    Row(LOGIC, "app", [allow({"AWS": EXTERNAL}), deny({"AWS": APP})], [MINE], DENY, BY_KEY),
    # NotPrincipal spares only who is listed with account, role and session.
    Row(NOT_PRINCIPAL, "operator", [allow("*"), spare(ROOT, OPERATOR, OPERATOR_SESSION)], [], ALLOW, BY_KEY),
    Row(NOT_PRINCIPAL, "operator", [allow("*"), spare(ROOT, OPERATOR)], [], DENY, BY_KEY),
    Row(NOT_PRINCIPAL, "operator", [allow("*"), spare(ROOT, OPERATOR, OPERATOR_SESSION + "2")], [], DENY, BY_KEY),
    Row(NOT_PRINCIPAL, "operator", [allow("*"), spare(OPERATOR, OPERATOR_SESSION)], [], DENY, BY_KEY),
    Row(NOT_PRINCIPAL, "operator", [allow("*"), spare(ROOT, OPERATOR_SESSION)], [], DENY, BY_KEY),
    Row(ASSUMED, "operator", [allow("*"), spare("*")], [], ALLOW, BY_KEY),
    Row(ASSUMED, "root", [allow("*"), spare(ROOT)], [], ALLOW, BY_KEY),
    Row(ASSUMED, "root", [allow("*"), spare(OPERATOR)], [], DENY, BY_KEY),
    # Actions and resources.
    Row(ACTIONS, "operator", [allow("*", Action="KMS:decrypt")], [], ALLOW, BY_KEY),
    Row(ACTIONS, "operator", [allow("*", Action="kms:Dec*")], [], ALLOW, BY_KEY),
    Row(ACTIONS, "operator", [allow("*", Action="kms:Decryp?")], [], ALLOW, BY_KEY),
    Row(ACTIONS, "operator", [allow("*", Action="kms:Decrypt?")], [], NO, BY_DEFAULT),
    Row(ACTIONS, "operator", [allow("*", Action="*")], [], ALLOW, BY_KEY),
    Row(ACTIONS, "operator", [{**allow("*"), "Resource": KEY}], [], ALLOW, BY_KEY),
    Row(ACTIONS, "operator", [{**allow("*"), "Resource": KEY.upper().replace("ARN", "arn", 1)}], [], NO, BY_DEFAULT),
    # What real KMS was seen to do without the right document.
    Row(
        MEASURED,
        "app",
        [allow("*", Condition={"StringEqualsIgnoreCase": {"kms:RecipientAttestation:NitroTPMPCR4": "00"}})],
        [MINE],
        NO,
        BY_DEFAULT,
    ),
]


def callers(world):
    return {
        "operator": world.operator,
        "app": world.app,
        "root": Caller(AccountId(VENDOR), ROOT),
        "customer root": Caller(AccountId(CUSTOMER), EXTERNAL),
    }


def decide(world, row):
    request = world.request(row.action, caller=callers(world)[row.caller])
    own = [parse_identity_policy(world.document(*row.own))] if row.own else []
    return evaluate(request, key_policy=parse_key_policy(world.document(*row.key)), identity_policies=own)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{ROWS.index(row)}-{row.source.partition(':')[0]}")
def test_a_request_is_decided_as_aws_decides_it(world, row):
    decision = decide(world, row)
    assert (decision.outcome, decision.decided_by) == (row.outcome, row.by), decision.reason


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{ROWS.index(row)}-{row.source.partition(':')[0]}")
def test_a_decision_says_what_became_of_every_statement_and_why(world, row):
    decision = decide(world, row)
    on_key, own = ([f"Statement[{index}]" for index in range(len(each))] for each in (row.key, row.own))
    assert [(each.policy, each.statement) for each in decision.trace] == [
        *((BY_KEY, label) for label in on_key),
        *((BY_OWN, label) for label in own),
    ]
    arn = callers(world)[row.caller].arn
    if row.outcome is NO:
        assert decision.statement == ""
        assert decision.reason in {
            f"no statement of the {decision.lacking} allows {row.action} to {arn}",
            f"{row.action} cannot be called on a key of another account",
        }
    else:
        verb = "denies" if row.outcome is DENY else "allows"
        assert decision.reason.startswith(f"statement {decision.statement} of the {row.by} {verb} {row.action}")


def test_not_action_and_not_resource_cover_the_rest(world):
    rest = world.without(allow("*"), "Action") | {"NotAction": "kms:Encrypt"}
    assert world.decide(world.document(rest)).outcome is ALLOW
    assert world.decide(world.document({**rest, "NotAction": "kms:dec*"})).outcome is NO
    other = world.without(allow("*"), "Resource") | {"NotResource": KEY}
    assert world.decide(world.document(other)).outcome is NO


@pytest.mark.parametrize("name", ["PutKeyPolicy", "ScheduleKeyDeletion", "ReplicateKey", "EnableKey", "CreateAlias"])
def test_management_never_works_from_another_account(world, name):
    decision = world.decide(world.document(allow("*", Action="kms:*")), world.request(f"kms:{name}"))
    assert (decision.outcome, decision.decided_by, decision.lacking) == (NO, BY_DEFAULT, BY_KEY)
    assert decision.reason == f"kms:{name} cannot be called on a key of another account"
    assert decision.statement == ""
    assert [each.statement for each in decision.trace] == ["Statement[0]", "Statement[0]"]


def test_generate_random_asks_identity_policies_alone(world):
    request = world.request("kms:GenerateRandom", key_arn=None)
    assert evaluate(request, key_policy=None, identity_policies=[world.iam_all]).decided_by is BY_OWN
    assert evaluate(request, key_policy=None, identity_policies=[]).outcome is NO
    on_key = parse_identity_policy(world.document({**MINE, "Action": "kms:GenerateRandom"}))
    assert evaluate(request, key_policy=None, identity_policies=[on_key]).outcome is NO


def test_generate_random_can_be_gated_in_an_identity_policy(world):
    gate = {"StringEquals": {"kms:RecipientAttestation:NitroTPMPCR4": world.digest("v1").hex()}}
    body = {"Effect": "Allow", "Action": "kms:GenerateRandom", "Resource": "*", "Condition": gate}
    own = [parse_identity_policy(world.document(body))]
    attested = world.request("kms:GenerateRandom", key_arn=None)
    assert evaluate(attested, key_policy=None, identity_policies=own).outcome is ALLOW
    bare = world.request("kms:GenerateRandom", key_arn=None, attestation=None)
    assert evaluate(bare, key_policy=None, identity_policies=own).outcome is NO


def test_a_key_policy_where_no_key_is_used_is_misuse(world):
    policy = parse_key_policy(world.document(allow("*")))
    with pytest.raises(RuntimeError):
        evaluate(world.request("kms:GenerateRandom", key_arn=None), key_policy=policy, identity_policies=[])
    with pytest.raises(RuntimeError):
        evaluate(world.request(), key_policy=None, identity_policies=[])


def test_the_decision_says_which_condition_missed_with_which_value(world):
    wanted = {"StringEquals": {"kms:RecipientAttestation:NitroTPMPCR4": "aa"}, "Null": {"aws:SourceVpce": "false"}}
    decision = world.decide(world.document(allow("*", Sid="Open", Condition=wanted)))
    trace = decision.trace[0]
    assert (trace.statement, trace.applied) == ("Open", False)
    assert [(miss.element, miss.expected, miss.seen) for miss in trace.missed] == [
        ("StringEquals kms:RecipientAttestation:NitroTPMPCR4", ("aa",), (world.digest("v1").hex(),)),
        ("Null aws:SourceVpce", ("false",), ()),
    ]


@pytest.mark.parametrize(
    ("changes", "element", "wanted", "seen"),
    [
        ({"Principal": {"AWS": [ROOT, OPERATOR]}}, "Principal", (ROOT, OPERATOR), f"{CUSTOMER}:assumed-role/app/s"),
        ({"Action": ["kms:Sign", "s3:*"]}, "Action", ("kms:Sign", "s3:*"), "kms:Decrypt"),
        ({"Resource": KEY + "0"}, "Resource", (KEY + "0",), KEY),
    ],
)
def test_the_decision_says_which_element_missed(world, changes, element, wanted, seen):
    (miss,) = world.decide(world.document({**allow("*"), **changes})).trace[0].missed
    assert (miss.element, miss.expected) == (element, wanted)
    assert len(miss.seen) == 1
    assert miss.seen[0].endswith(seen)


def test_the_decision_says_who_lacks_an_allow(world):
    policy = world.document(allow({"AWS": EXTERNAL}))
    assert world.decide(policy, own=[]).lacking is BY_OWN
    assert world.decide(world.document(allow({"AWS": ROOT}))).lacking is BY_KEY
    assert world.decide(policy).lacking is None
    own_key = world.request(caller=world.operator)
    assert world.decide(policy, own_key).lacking is BY_KEY
    assert world.decide(world.document(allow({"AWS": ROOT})), own_key, own=[]).lacking is BY_OWN
    assert (
        evaluate(world.request("kms:GenerateRandom", key_arn=None), key_policy=None, identity_policies=[]).lacking
        is BY_OWN
    )


def test_where_no_key_takes_part_every_statement_is_traced_too(world):
    request = world.request("kms:GenerateRandom", key_arn=None)
    encrypting = parse_identity_policy(world.document({**MINE, "Action": "kms:Encrypt"}))
    for own, applied in (([encrypting], [False]), ([encrypting, world.iam_all], [False, True])):
        decision = evaluate(request, key_policy=None, identity_policies=own)
        assert [(each.policy, each.applied) for each in decision.trace] == [(BY_OWN, each) for each in applied]


def test_the_root_user_is_named_as_the_one_who_needs_no_policy(world):
    request = world.request(caller=Caller(AccountId(CUSTOMER), EXTERNAL))
    decision = world.decide(world.document(allow({"AWS": EXTERNAL}, Sid="Open")), request, own=[])
    assert decision.reason == (
        "statement Open of the key policy allows kms:Decrypt, and so does the root user of the identity policy"
    )


def test_a_denial_raises_with_the_statement_that_denied(world):
    decision = world.decide(world.document(allow("*"), deny("*", Sid="Never")))
    with pytest.raises(KeyRefused) as caught:
        decision.require()
    assert (caught.value.code, caught.value.statement) == ("kms.access-denied", "Never")
    world.decide(world.document(allow("*"))).require()


def test_both_allows_are_named_when_two_were_needed(world):
    decision = world.decide(world.document(allow({"AWS": EXTERNAL}, Sid="Open")))
    assert decision.statement == "Open"
    assert decision.reason == (
        "statement Open of the key policy allows kms:Decrypt, and so does Statement[0] of the identity policy"
    )
    inside = world.decide(world.document(allow({"AWS": ROOT}, Sid="Delegate")), world.request(caller=world.operator))
    assert inside.reason == (
        "statement Statement[0] of the identity policy allows kms:Decrypt, and so does Delegate of the key policy"
    )
    assert decision.trace[0].reach is Reach.ACCOUNT


@pytest.mark.attack("K26")
def test_a_role_made_again_under_the_same_name_is_another_principal(world):
    policy = parse_key_policy(world.document(allow({"AWS": APP})))
    stored = pin_principals(policy, {APP: world.app.unique_id})
    assert world.decide(stored).outcome is ALLOW
    again = Caller(world.customer, world.app.arn, world.app.role_arn, "AROAMADEAGAINXXXXXXXX")
    assert world.decide(stored, world.request(caller=again)).outcome is NO
    assert world.decide(policy, world.request(caller=again)).outcome is ALLOW


def test_a_deny_is_never_taken_for_an_allow():
    trace = StatementTrace(BY_KEY, "Never", Effect.DENY, Reach.DIRECT, ())
    assert _first_allow((trace,), (BY_KEY,), Reach.DIRECT) is None


@pytest.mark.parametrize(
    ("arn", "role_arn"),
    [
        (f"arn:aws:iam::{CUSTOMER}:user/u", ""),
        (OPERATOR_SESSION, APP),
        (OPERATOR_SESSION, ""),
        (f"arn:aws:iam::{VENDOR}:user/u", OPERATOR),
    ],
)
def test_a_caller_whose_parts_do_not_fit_together_is_misuse(arn, role_arn):
    with pytest.raises(RuntimeError):
        Caller(AccountId(VENDOR), arn, role_arn)
