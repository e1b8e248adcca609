# SPDX-License-Identifier: Apache-2.0
"""The symbolic answer: one policy for each kind of condition, the policies that are generated, and those of others."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from strongroom.errors import UsageError
from strongroom.formats.pcrs import GATES, PcrDigests
from strongroom.keypolicy.context import EnclavePcrs, NitroTpmPcrs
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.generate import bootstrap_key_policy, escrow_key_policy
from strongroom.keypolicy.grants import Grant, GrantConstraints, grant_principal
from strongroom.keypolicy.guardrails import Guardrails
from strongroom.keypolicy.model import (
    budget,
    parse_identity_policy,
    parse_key_policy,
    parse_key_policy_leniently,
    parse_resource_policy,
)
from strongroom.keypolicy.spec import EscrowKeySpec, SecureBoot
from strongroom.keypolicy.statements import ATTESTED, SIDE_DOORS
from strongroom.keypolicy.symbolic import ask
from strongroom.keypolicy.symbolic.answer import Impossible, Undecided, Witness

PCR = "kms:RecipientAttestation:NitroTPMPCR"
CONTEXT = "kms:EncryptionContext:"
MOST_SECONDS = 3.0
"""For a policy at the limit of 32 KB: ten times what it takes on a quiet core, because test machines are not quiet."""


def opening(world, policy, **facts):
    parsed = parse_key_policy(policy) if isinstance(policy, str) else policy
    return ask.opening_without_allowed_document(parsed, key_account=world.vendor_account, **facts)


def witnessed(answer):
    """Return the call of a witness, after a look at its decision."""
    assert isinstance(answer, Witness), answer
    assert answer.decision.outcome is Outcome.ALLOWED
    return answer.call


def gated(world, *versions):
    return tuple(world.release(version, secure_boot=SecureBoot.GATED) for version in versions or ("v1",))


def tuples(releases):
    return [{index: release.pcrs[index] for index in GATES if release.gate(index)} for release in releases]


def root(account):
    return {"AWS": f"arn:aws:iam::{account}:root"}


# --- policies that are generated --------------------------------------------------------------------------------------


def test_a_tenants_key_opens_for_its_releases_and_for_nothing_else(world):
    releases = (*gated(world, "v1", "v2"), world.release("v3", epoch=2))
    policy = world.policy(releases=releases)
    for allowed in (None, tuples(releases)):
        answer = opening(world, policy, allowed=allowed)
        assert isinstance(answer, Impossible)
        assert {each.allow for each in answer.closed} == {"statement Open1General", "statement Open2General"}
        assert {each.action for each in answer.closed} == {"kms:Decrypt"}


def test_a_release_that_is_not_on_the_list_is_a_witness(world):
    releases = gated(world, "v1", "v2")
    call = witnessed(opening(world, world.policy(releases=releases), allowed=tuples(releases[:1])))
    assert call.attestation.pcrs[4] == releases[1].pcrs[4]
    assert call.caller.account == world.customer


@pytest.mark.attack("K25")
def test_lists_of_several_pcrs_open_for_what_nobody_released(world):
    releases = [world.release(v, secure_boot=SecureBoot.GATED, pcrs=world.pcrs(v, pcr7=world.digest(v))) for v in "ab"]
    lists = {f"{PCR}{n}": [each.pcrs[n].hex() for each in releases] for n in (4, 7)}
    cross = world.document(world.statement(Condition={"StringEqualsIgnoreCase": lists}))
    allowed = [{n: each.pcrs[n] for n in (4, 7)} for each in releases]
    call = witnessed(opening(world, cross, allowed=allowed, operations=["kms:Decrypt"]))
    assert dict(call.attestation.pcrs) not in allowed
    assert isinstance(opening(world, world.policy(releases=tuple(releases)), allowed=tuples(releases)), Impossible)


@pytest.mark.attack("K20")
def test_a_key_that_waits_opens_for_nobody(world):
    policy = bootstrap_key_policy(world.vendor())
    assert isinstance(opening(world, policy), Impossible)
    careless = world.edited(policy, lambda body: body.update(Hurried=world.statement(Sid="Hurried")))
    answer = opening(world, careless, operations=ATTESTED)
    assert isinstance(answer, Impossible)
    assert {each.by for each in answer.closed} == {("DenyOpening",)}
    assert "Hurried allows, DenyOpening denies" in str(answer.closed[0])
    witnessed(opening(world, world.minus(careless, "DenyOpening")))


def test_the_escrow_key_opens_for_its_role_without_a_document(world):
    spec = EscrowKeySpec(vendor=world.vendor(), escrow_role_arn=world.role(world.vendor_account, "escrow"))
    call = witnessed(opening(world, escrow_key_policy(spec)))
    assert (call.caller.role_arn, call.attestation) == (spec.escrow_role_arn, None)


@pytest.mark.attack("K23")
@pytest.mark.parametrize("action", ATTESTED)
@pytest.mark.parametrize("index", [2, 4, 7, 12, 13])
def test_beside_a_careless_allow_each_deny_holds_and_is_missed(world, action, index):
    releases = gated(world)
    wide = world.statement(Sid="Hurried", Action=action, Condition={"Null": {f"{CONTEXT}strongroom:epoch": "false"}})
    if action == "kms:DeriveSharedSecret":
        wide = world.statement(Sid="Hurried", Action=action)
    policy = world.edited(world.policy(releases=releases), lambda body: body.update(Hurried=wide))
    assert isinstance(opening(world, policy, allowed=tuples(releases)), Impossible)
    found = opening(world, world.minus(policy, f"DenyUnlessPcr{index}"), allowed=tuples(releases))
    if action == "kms:DeriveSharedSecret":  # which has no context: DenyOtherEpochs denies it always
        assert isinstance(found, Impossible)
    else:
        assert witnessed(found).attestation.pcrs.get(index) != releases[0].pcrs[index]


@pytest.mark.attack("K2")
@pytest.mark.parametrize("form", ["StringEqualsIfExists", "ForAllValues:StringEquals", "StringNotEquals"])
def test_a_gate_that_is_true_without_a_document_is_a_witness(world, form):
    gate = {form: {f"{PCR}4": world.digest("v1").hex()}}
    assert witnessed(opening(world, world.document(world.statement(Condition=gate)))).attestation is None
    shut = {"StringEquals": {f"{PCR}4": world.digest("v1").hex()}}
    shut_policy = world.document(world.statement(Action=ATTESTED, Condition=shut))
    assert isinstance(opening(world, shut_policy), Impossible)


# --- policies of others -----------------------------------------------------------------------------------------------


def test_the_default_key_policy_opens_for_administrators(world):
    default = world.document(world.statement(Principal=root(world.vendor_account)))
    assert witnessed(opening(world, default)).caller.account == world.vendor_account


def test_the_policy_of_the_article_opens_for_administrators(world):
    """AWS's blog post on EC2 instance attestation: the instance's role under PCRs, the account under `kms:*`."""
    gates = {f"{PCR}{index}": world.digest(str(index)).hex() for index in (4, 7)}
    instance = world.statement(
        Principal={"AWS": world.role(world.vendor_account, "app")},
        Action="kms:Decrypt",
        Condition={"StringEqualsIgnoreCase": gates},
    )
    policy = world.document(world.statement(Principal=root(world.vendor_account)), instance)
    assert witnessed(opening(world, policy)).attestation is None
    assert isinstance(opening(world, world.document(instance)), Impossible)


def test_a_sample_that_denies_decrypt_alone_leaves_the_other_operations(world):
    """The shape of AWS's samples: `kms:*` for the account, and a Deny of Decrypt without the right PCR4."""
    deny = world.statement(
        Effect="Deny", Action="kms:Decrypt", Condition={"StringNotEqualsIgnoreCase": {f"{PCR}4": "aa" * 48}}
    )
    policy = world.document(world.statement(Principal=root(world.vendor_account)), deny)
    assert witnessed(opening(world, policy)).action == "kms:GenerateDataKey"
    assert isinstance(opening(world, policy, operations=["kms:Decrypt"]), Impossible)


# --- conditions -------------------------------------------------------------------------------------------------------

CLOSED = [
    ("Null", f"{CONTEXT}a", "true", "StringLike", f"{CONTEXT}a", "*"),
    ("StringLike", f"{CONTEXT}a", "*x*", "StringNotLike", f"{CONTEXT}a", "*x*"),
    ("StringEqualsIgnoreCase", f"{CONTEXT}a", "Ab", "StringNotEqualsIgnoreCase", f"{CONTEXT}a", "aB"),
    ("ArnLike", "aws:PrincipalArn", "*", "ArnNotLike", "aws:PrincipalArn", "arn:*:*:*:*:*"),
    ("ArnLike", "aws:PrincipalArn", "arn:*:iam::*:root", "StringNotEquals", "aws:PrincipalType", "Account"),
    ("StringEquals", "kms:CallerAccount", "444455556666", "StringNotEquals", "aws:PrincipalAccount", "444455556666"),
    ("StringLike", "aws:username", "*", "StringNotEquals", "aws:PrincipalType", "User"),
    ("DateLessThan", "aws:CurrentTime", "2026-01-01", "DateGreaterThanEquals", "aws:EpochTime", "1767225600"),
    ("NumericLessThan", "aws:MultiFactorAuthAge", "60", "NumericGreaterThanEquals", "aws:MultiFactorAuthAge", "60"),
    ("IpAddress", "aws:SourceIp", "10.0.0.0/8", "NotIpAddress", "aws:SourceIp", "10.0.0.0/8"),
    ("Bool", "aws:SecureTransport", "true", "Bool", "aws:SecureTransport", "false"),
]
"""A condition, and one that holds whenever the first does not, if the key is there."""


def pair(world, first, second):
    def denied(operator, key, value):
        return world.statement(Effect="Deny", Action=ask.OPENING, Condition={operator: {key: value}})

    return denied(*first), denied(*second)


@pytest.mark.parametrize("row", CLOSED, ids=lambda row: f"{row[0]} {row[1]}")
def test_two_denies_that_leave_nothing_out_close_everything_and_one_alone_does_not(world, row):
    first, second = pair(world, row[:3], row[3:])
    missing = world.statement(Effect="Deny", Action=ask.OPENING, Condition={"Null": {row[1]: "true"}})
    wide = world.statement()
    answer = opening(world, world.document(wide, first, second, missing))
    assert isinstance(answer, Impossible), answer
    witnessed(opening(world, world.document(wide, first)))
    witnessed(opening(world, world.document(wide, second)))


def test_names_of_the_context_go_together_with_its_values(world):
    named = {"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "Tenant"}}
    allow = world.statement(Action="kms:Decrypt", Condition=named)
    deny = world.statement(Effect="Deny", Condition={"Null": {f"{CONTEXT}tenant": "false"}})
    assert isinstance(opening(world, world.document(allow, deny)), Impossible)
    assert witnessed(opening(world, world.document(allow))).encryption_context.keys() == {"Tenant"}


def test_a_service_in_between_goes_together_with_its_name(world):
    allow = world.statement(Action="kms:Decrypt", Condition={"Bool": {"aws:ViaAWSService": "true"}})
    denies = [
        world.statement(Effect="Deny", Condition={"Null": {key: "false"}})
        for key in ("kms:ViaService", "aws:CalledVia")
    ]
    # Of a service in between that fills neither, AWS does not say that there is none.
    assert isinstance(opening(world, world.document(allow, *denies)), Undecided)
    assert witnessed(opening(world, world.document(allow, denies[0]))).sender.called_via
    assert witnessed(opening(world, world.document(allow, denies[1]))).sender.via_service


def test_of_services_in_between_one_is_looked_for_that_says_its_name(world):
    allow = world.statement(Action="kms:Decrypt", Condition={"Bool": {"aws:ViaAWSService": "true"}})
    deny = world.statement(Effect="Deny", Condition={"Null": {"kms:ViaService": "false"}})
    another = world.statement(Effect="Deny", Condition={"ForAnyValue:StringEquals": {"aws:CalledVia": "a"}})
    assert witnessed(opening(world, world.document(allow, deny, another))).sender.called_via


def test_the_number_between_two_bounds_is_found(world):
    between = {
        "NumericGreaterThan": {"aws:MultiFactorAuthAge": "59"},
        "NumericLessThan": {"aws:MultiFactorAuthAge": 61},
    }
    call = witnessed(opening(world, world.document(world.statement(Condition=between))))
    assert call.now - call.credentials.multi_factor_at == timedelta(seconds=60)
    nothing = {
        "NumericGreaterThan": {"aws:MultiFactorAuthAge": "61"},
        "NumericLessThan": {"aws:MultiFactorAuthAge": 61},
    }
    assert isinstance(opening(world, world.document(world.statement(Condition=nothing))), Impossible)


@pytest.mark.parametrize("bound", ["9" * 18, "9" * 15])
def test_a_number_that_no_request_has_is_undecided(world, bound):
    above = {"NumericGreaterThan": {"aws:MultiFactorAuthAge": bound}}
    answer = opening(world, world.document(world.statement(Condition=above)))
    assert isinstance(answer, Undecided)
    assert "do not go together" in str(answer.doubts[0])


def test_patterns_are_intersected(world):
    def like(*values):
        denies = [
            world.statement(Effect="Deny", Condition={"StringNotLike": {f"{CONTEXT}a": value}}) for value in values
        ]
        return opening(world, world.document(world.statement(Action="kms:Decrypt"), *denies))

    value = witnessed(like("ab*", "*ba", "????")).encryption_context["a"]
    assert value == "abba"
    assert isinstance(like("ab*", "*ba", "??"), Impossible)


def test_a_session_policy_of_a_federated_user_is_assumed_where_nobody_knows(world):
    policy = world.document(
        world.statement(
            Principal=root(world.vendor_account), Condition={"StringEquals": {"aws:PrincipalType": "FederatedUser"}}
        )
    )
    assert witnessed(opening(world, policy)).caller.is_federated_user
    assert isinstance(opening(world, policy, identity_policies=[world.iam_all]), Impossible)


# --- what stands beside the key policy --------------------------------------------------------------------------------


def planted(world, **changes):
    facts = {"issuing_account": world.vendor_account, "operations": frozenset({"Decrypt"}), **changes}
    return Grant("planted", world.key, grantee=grant_principal(world.role(world.customer, "thief")), **facts)


@pytest.mark.attack("K4")
def test_a_planted_grant_opens_unless_a_deny_stands(world):
    admin = world.document(world.statement(Principal=root(world.vendor_account), Action="kms:PutKeyPolicy"))
    call = witnessed(opening(world, admin, grants=[planted(world)]))
    assert call.caller.role_arn == world.role(world.customer, "thief")
    assert isinstance(opening(world, admin), Impossible)
    assert isinstance(opening(world, world.policy(), grants=[planted(world)]), Impossible)


def test_a_grant_with_a_context_opens_with_that_context(world):
    admin = world.document(world.statement(Principal=root(world.vendor_account), Action="kms:PutKeyPolicy"))
    grant = planted(world, constraints=GrantConstraints.of(equals={"Tenant": "globex"}))
    assert witnessed(opening(world, admin, grants=[grant])).encryption_context == {"tenant": "globex"}


def test_what_takes_away_is_counted(world):
    wide, nothing = world.document(world.statement()), world.document(world.without(world.statement(), "Principal"))
    shut = world.statement(Effect="Deny")
    endpoint = Guardrails(endpoint=parse_resource_policy(world.document(world.statement(), shut)))
    assert isinstance(opening(world, wide, guardrails=endpoint), Impossible)
    deny_all = world.document(world.without(shut, "Principal"))
    scp = Guardrails(service_control=((parse_identity_policy(deny_all),),))
    assert witnessed(opening(world, wide, guardrails=scp)).caller.is_service_linked  # whom no SCP touches
    assert isinstance(
        opening(
            world,
            world.document(world.statement(Principal=root(world.vendor_account))),
            identity_policies=[parse_identity_policy(nothing.replace("kms:*", "s3:*"))],
            operations=["kms:Decrypt"],
            guardrails=Guardrails(
                service_control=((parse_identity_policy(deny_all),),), resource_control=((endpoint.endpoint,),)
            ),
        ),
        Impossible,
    )


# --- side doors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ask.SIDE_DOORS)
def test_a_side_door_is_open_without_its_deny(world, action):
    policy = world.edited(world.policy(), lambda body: body.update(Hurried=world.statement(Sid="Hurried")))
    shut = ask.side_door(action, policy, key_account=world.vendor_account)
    assert isinstance(shut, Impossible)
    assert {each.by for each in shut.closed} == {("DenySideDoors",)}
    unlocked = world.minus(policy, "DenySideDoors")
    assert witnessed(ask.side_door(action, unlocked, key_account=world.vendor_account)).action == action
    assert action in SIDE_DOORS


def test_a_grant_that_only_encrypts_is_no_side_door(world):
    def only(*operations):
        condition = {"ForAllValues:StringEquals": {"kms:GrantOperations": operations}}
        policy = parse_key_policy(world.document(world.statement(Action="kms:CreateGrant", Condition=condition)))
        return ask.side_door("kms:CreateGrant", policy, key_account=world.vendor_account)

    assert isinstance(only("Encrypt", "DescribeKey"), Impossible)
    assert witnessed(only("Encrypt", "Decrypt")).grant.operations == {"Decrypt"}


def test_a_grant_may_be_for_a_session(world):
    people = {"ArnLike": {"kms:GranteePrincipal": ["arn:*:iam::*:*", "arn:*:sts::*:federated-user/*"]}}
    services = {"Null": {"kms:GranteePrincipal": "true"}}
    denies = [world.statement(Effect="Deny", Condition=each) for each in (people, services)]
    policy = parse_key_policy(world.document(world.statement(), *denies))
    found = witnessed(ask.side_door("kms:CreateGrant", policy, key_account=world.vendor_account))
    assert ":assumed-role/" in found.grant.grantee.value


def test_who_may_change_the_policy_is_a_fact_of_its_own(world):
    policy = world.policy(vendor=world.vendor(change_role_arn=world.role(world.vendor_account, "keeper")))
    found = witnessed(ask.side_door(ask.POLICY_CHANGE, policy, key_account=world.vendor_account))
    assert found.caller.role_arn == world.role(world.vendor_account, "keeper")


def test_other_actions_are_no_side_doors(world):
    with pytest.raises(UsageError) as caught:
        ask.side_door("kms:Encrypt", world.policy(), key_account=world.vendor_account)
    assert caught.value.code == "keypolicy.request-action"


# --- what cannot be decided -------------------------------------------------------------------------------------------


def test_a_condition_that_nobody_understands_protects_nothing_and_allows_nothing(world):
    unknown = {"StringEquals": {"aws:BrandNew": "x"}}
    deny = world.document(
        world.statement(Action="kms:Decrypt"), world.statement(Sid="New", Effect="Deny", Condition=unknown)
    )
    answer = opening(world, parse_key_policy_leniently(deny))
    assert isinstance(answer, Undecided)
    (doubt,) = answer.doubts
    assert (doubt.statement, doubt.condition) == ("statement New", "StringEquals aws:BrandNew")
    assert "keypolicy.condition-key" in str(answer.doubts[0])
    allow = world.document(world.statement(Sid="New", Action="kms:Decrypt", Condition=unknown))
    assert isinstance(opening(world, parse_key_policy_leniently(allow)), Undecided)


def test_what_is_not_understood_does_not_hide_a_hole_beside_it(world):
    unknown = world.statement(Effect="Deny", Action="kms:Decrypt", Condition={"StringEquals": {"aws:BrandNew": "x"}})
    policy = parse_key_policy_leniently(world.document(world.statement(), unknown))
    assert witnessed(opening(world, policy)).action == "kms:GenerateDataKey"


def test_a_policy_variable_is_undecided_where_it_decides(world):
    own = {"StringEquals": {"aws:PrincipalTag/team": "${aws:username}"}}
    policy = world.document(world.statement(Action="kms:Decrypt", Condition=own))
    answer = opening(world, policy)
    assert isinstance(answer, Undecided)
    assert "policy variable" in str(answer.doubts[0])


def test_too_many_cases_are_undecided_and_quickly_so(world):
    stars = [f"*{a}*{b}*{c}*" for a in "abcdefg" for b in "hijklmn" for c in "opqrstu"]
    deny = world.statement(Effect="Deny", Action="kms:Decrypt", Condition={"StringLike": {f"{CONTEXT}a": stars}})
    needed = world.statement(Effect="Deny", Condition={"Null": {f"{CONTEXT}a": "true"}})
    started = time.monotonic()
    answer = opening(world, world.document(world.statement(Action="kms:Decrypt"), deny, needed))
    assert isinstance(answer, Undecided)
    assert "too many cases" in str(answer.doubts[0])
    assert time.monotonic() - started < 10 * MOST_SECONDS


def test_a_question_about_nothing_is_refused(world):
    with pytest.raises(RuntimeError):
        opening(world, world.policy(), allowed=[{}])
    with pytest.raises(RuntimeError):
        opening(world, world.policy(), key_arn=world.key.replace(world.vendor_account, world.customer))


# --- speed ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("apart", [False, True], ids=["one set", "sets of their own"])
def test_a_policy_at_its_limit_is_decided_quickly(world, apart):
    ends = datetime(2027, 1, 1, tzinfo=UTC)
    count, step = (25, timedelta(days=1)) if apart else (145, timedelta(0))
    releases = tuple(world.release(f"v{n}", expires=ends + n * step) for n in range(count))
    policy = world.policy(releases=releases)
    assert budget(policy).used_bytes > 30_000
    started = time.monotonic()
    assert isinstance(opening(world, policy, allowed=tuples(releases)), Impossible)
    assert time.monotonic() - started < MOST_SECONDS


def test_documents_of_enclaves_are_not_allowed_ones(world):
    enclave = {"StringEquals": {"kms:RecipientAttestation:ImageSha384": world.digest("e").hex()}}
    policy = world.document(world.statement(Action="kms:Decrypt", Condition=enclave))
    found = witnessed(opening(world, policy)).attestation
    assert isinstance(found, EnclavePcrs)
    assert found.pcrs == PcrDigests.of({0: world.digest("e")})


def test_a_document_with_another_pcr_is_no_allowed_one(world):
    policy = world.document(world.statement(Action="kms:Decrypt", Condition={"Null": {f"{PCR}4": "false"}}))
    assert isinstance(opening(world, policy), Impossible)
    found = witnessed(opening(world, policy, allowed=[{4: world.digest("v1")}])).attestation
    assert isinstance(found, NitroTpmPcrs)
    assert found.pcrs[4] != world.digest("v1")
