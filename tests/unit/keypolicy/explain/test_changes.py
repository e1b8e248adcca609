# SPDX-License-Identifier: Apache-2.0
"""The single changes that would allow a request: the right one is named, and nothing that would not do."""

import time

import pytest

from strongroom.ids import AccountId, KeyArn, Region
from strongroom.keypolicy.context import Sender
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.explain.changes import MAX_CHANGES, ChangeKind
from strongroom.keypolicy.explain.explanation import explain
from strongroom.keypolicy.explain.inquiry import Inquiry, Policies
from strongroom.keypolicy.grants import Grant, GrantConstraints, grant_principal
from strongroom.keypolicy.guardrails import Guardrails
from strongroom.keypolicy.model import parse_identity_policy, parse_key_policy, parse_resource_policy
from strongroom.keypolicy.principals import Caller

PCR4 = "kms:RecipientAttestation:NitroTPMPCR4"
IMAGE = "kms:RecipientAttestation:ImageSha384"


def changes(world, policy, own=None, grants=(), guardrails=None, **request):
    """Return the changes by kind, the first of each; all of them are evaluated once more."""
    parsed = parse_key_policy(policy) if isinstance(policy, str) else policy
    mine = (world.iam_all,) if own is None else own
    policies = Policies(parsed, mine, tuple(grants), guardrails or Guardrails())
    found = explain(Inquiry(world.request(**request), policies))
    assert not found.allowed
    assert all(each.inquiry.decide().outcome is Outcome.ALLOWED for each in found.changes)
    return {each.kind: each for each in reversed(found.changes)}


def only(world, operator, key, *values, **changes):
    return world.document(world.statement(Sid="Open", Condition={operator: {key: list(values)}}, **changes))


def test_one_pcr_of_the_document(world):
    found = changes(world, world.policy(), attestation=world.tpm(world.pcrs("v2")))
    change = found[ChangeKind.DOCUMENT]
    (fact,) = change.facts
    assert (fact.key, fact.after) == (PCR4.lower(), (world.digest("v1").hex(),))
    assert fact.before == (world.digest("v2").hex(),)
    assert change.statement == "Open1General"
    assert change.sentence == (
        f"a NitroTPM document with NitroTPMPCR4 {world.digest('v1').hex()[:8]}… instead of "
        f"{world.digest('v2').hex()[:8]}…"
    )


def test_a_whole_document_where_none_was_sent(world):
    found = changes(world, world.policy(), attestation=None)[ChangeKind.DOCUMENT]
    assert [fact.key.removeprefix(PCR4.lower()[:-1]) for fact in found.facts] == ["2", "4", "12", "13"]


def test_a_document_of_the_other_kind_is_replaced_not_mixed(world):
    found = changes(world, world.policy(), attestation=world.enclave(world.pcrs()))[ChangeKind.DOCUMENT]
    context = found.inquiry.request.context
    assert not [key for key in context if key.startswith("kms:recipientattestation:pcr")]
    assert found.sentence.startswith("a NitroTPM document with NitroTPMPCR2 ")


def test_the_image_of_an_enclave_is_its_pcr0(world):
    asked = only(world, "StringEquals", IMAGE, "22" * 48)
    found = changes(world, asked, attestation=world.enclave(world.pcrs(pcr0=b"0" * 48)))[ChangeKind.DOCUMENT]
    context = found.inquiry.request.context
    assert context["kms:recipientattestation:pcr0"] == context[IMAGE.lower()] == ("22" * 48,)


def test_values_in_upper_case_change_the_statement_not_the_document(world):
    upper = world.digest("v1").hex().upper()
    found = changes(world, only(world, "StringEquals", PCR4, upper))
    assert found.keys() == {ChangeKind.STATEMENT}
    assert "ignore case" in found[ChangeKind.STATEMENT].sentence
    denied = world.document(
        world.statement(),
        world.statement(Sid="Gate", Effect="Deny", Condition={"StringNotEquals": {PCR4: upper}}),
    )
    assert [each for each in changes(world, denied) if each is not ChangeKind.STATEMENT] == []


def test_the_encryption_context(world):
    found = changes(world, world.policy(), encryption_context=world.context | {"strongroom:tenant": "acme"})
    change = found[ChangeKind.CONTEXT]
    assert change.sentence == "the encryption context with strongroom:tenant globex instead of acme"
    missing = {key: value for key, value in world.context.items() if key != "strongroom:epoch"}
    added = changes(world, world.policy(), encryption_context=missing)[ChangeKind.CONTEXT]
    assert "strongroom:epoch" in added.inquiry.request.context["kms:encryptioncontextkeys"]


def test_the_time_is_one_time_in_both_keys(world):
    found = changes(world, only(world, "DateLessThan", "aws:CurrentTime", "2026-01-01T00:00:00Z"))[ChangeKind.TIME]
    context = found.inquiry.request.context
    assert (context["aws:currenttime"], context["aws:epochtime"]) == (("2025-12-31T23:59:59Z",), ("1767225599",))
    assert found.sentence.startswith("a call at another time: aws:CurrentTime 2025-12-31T23:59:59Z")
    by_number = changes(world, only(world, "NumericLessThan", "aws:EpochTime", "1767225600"))[ChangeKind.TIME]
    assert by_number.inquiry.request.context["aws:currenttime"] == ("2025-12-31T23:59:59Z",)
    by_date = changes(world, only(world, "DateLessThan", "aws:EpochTime", "2026-01-01T00:00:00Z"))[ChangeKind.TIME]
    assert by_date.inquiry.request.context["aws:epochtime"] == ("1767225599",)


@pytest.mark.parametrize(
    ("operator", "key", "value", "after"),
    [
        ("StringEquals", "aws:SourceVpce", "vpce-1", ("vpce-1",)),
        ("StringLike", "aws:PrincipalOrgID", "o-*?", ("o-xx",)),
        ("Bool", "aws:SecureTransport", "false", ("false",)),
        ("IpAddress", "aws:SourceIp", "10.0.0.0/8", ("10.0.0.0",)),
        ("NumericLessThan", "aws:MultiFactorAuthAge", "300", ("299",)),
        ("Null", "aws:RequestedRegion", "true", ()),
    ],
)
def test_another_condition_key(world, operator, key, value, after):
    change = changes(world, only(world, operator, key, value))[ChangeKind.FACT]
    assert [(fact.key, fact.after) for fact in change.facts] == [(key.lower(), after)]


def test_a_condition_with_a_variable_proposes_no_value(world):
    assert ChangeKind.FACT not in changes(world, only(world, "StringEquals", "aws:SourceIdentity", "${aws:username}"))


def test_the_callers_iam_policies_and_policies_that_limit(world):
    root = world.document(world.statement(Principal={"AWS": f"arn:aws:iam::{world.customer}:root"}))
    change = changes(world, root, own=())[ChangeKind.IAM]
    assert change.sentence == f"an IAM policy of the caller that allows kms:Decrypt on {world.key}"
    nothing = parse_identity_policy(world.document(world.without(world.statement(Action="s3:*"), "Principal")))
    of_resource = parse_resource_policy(world.document(world.statement(Action="s3:*")))
    for around in (
        Guardrails(boundary=nothing),
        Guardrails(session_policies=(nothing,)),
        Guardrails(service_control=((nothing,), (nothing,))),
        Guardrails(resource_control=((of_resource,),)),
        Guardrails(endpoint=of_resource),
    ):
        assert changes(world, world.document(world.statement()), guardrails=around).keys() == {ChangeKind.LIMIT}


def test_another_caller(world):
    named = world.document(world.statement(Principal={"AWS": [world.role(world.vendor_account, "operator")]}))
    change = changes(world, named)[ChangeKind.CALLER]
    assert change.caller == f"arn:aws:sts::{world.vendor_account}:assumed-role/operator/a-session"
    assert "under the same IAM policies" in change.sentence
    pattern = only(world, "ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{world.customer}:role/boot-*")
    caller = changes(world, pattern)[ChangeKind.CALLER].inquiry.request
    assert caller.caller.role_arn == f"arn:aws:iam::{world.customer}:role/boot-x"
    assert caller.context["aws:principalarn"] == (caller.caller.role_arn,)


def test_a_caller_of_an_account_in_place_of_a_service_has_all_his_facts(world):
    asked = {"StringEquals": {"kms:CallerAccount": world.customer}}
    root = {"AWS": f"arn:aws:iam::{world.customer}:root"}
    policy = world.document(world.statement(Principal=root, Condition=asked))
    change = changes(world, policy, caller=Caller.of_service("cloudtrail.amazonaws.com"))[ChangeKind.CALLER]
    assert change.caller == f"arn:aws:sts::{world.customer}:assumed-role/somebody/a-session"
    assert change.inquiry.request.context["kms:calleraccount"] == (world.customer,)


def test_what_a_grant_asks_for(world):
    bound = GrantConstraints.of(equals={"only": "this"})
    offered = Grant(
        "g",
        KeyArn(world.key),
        AccountId(world.customer),
        grant_principal(world.app.role_arn),
        frozenset({"Decrypt"}),
        constraints=bound,
    )
    change = changes(world, world.document(world.statement(Action="s3:*")), grants=[offered])[ChangeKind.CONTEXT]
    context = change.inquiry.request.context
    assert [key for key in context if "encryptioncontext:" in key] == ["kms:encryptioncontext:only"]
    assert context["kms:encryptioncontextkeys"] == ("only",)
    subset = GrantConstraints.of(subset={"more": "x"})
    wider = Grant(
        "g", offered.key_arn, offered.issuing_account, offered.grantee, offered.operations, constraints=subset
    )
    change = changes(world, world.document(world.statement(Action="s3:*")), grants=[wider])[ChangeKind.CONTEXT]
    assert set(change.inquiry.request.context["kms:encryptioncontextkeys"]) == {*world.context, "more"}


def test_a_statement_that_denies_comes_last(world):
    shut = world.document(world.statement(Sid="Open"), world.statement(Sid="Shut", Effect="Deny"))
    change = changes(world, shut)[ChangeKind.STATEMENT]
    assert change.sentence == (
        "policies without statement Shut of the key policy, and then whatever it is there to stop"
    )
    ranked = explain(
        Inquiry(world.request(sender=Sender(Region("eu-central-1"))), Policies(_two_ways(world), (world.iam_all,)))
    )
    assert [each.kind for each in ranked.changes] == [ChangeKind.FACT, ChangeKind.STATEMENT]


def _two_ways(world):
    gate = world.statement(Sid="Gate", Effect="Deny", Condition={"StringNotEquals": {"aws:SourceVpce": "vpce-1"}})
    return parse_key_policy(world.document(world.statement(Sid="Open"), gate))


def test_several_together_only_where_no_single_one_would_do(world):
    found = changes(world, world.policy(), attestation=None, encryption_context={})
    assert found.keys() == {ChangeKind.SEVERAL}
    keys = {fact.key for fact in found[ChangeKind.SEVERAL].facts}
    assert {PCR4.lower(), "kms:encryptioncontext:strongroom:tenant"} <= keys


def test_there_may_be_nothing_to_change(world):
    assert changes(world, world.document(world.statement()), action="kms:PutKeyPolicy").keys() <= {ChangeKind.CALLER}
    silent = world.document(world.statement(Action="s3:*"))
    assert changes(world, silent) == {}


def test_a_policy_of_many_releases_gives_a_few_changes(world):
    policy = world.policy(releases=tuple(world.release(f"v{n}", ring=f"r{n}") for n in range(25)))
    found = explain(Inquiry(world.request(attestation=None), Policies(policy, (world.iam_all,))))
    assert len(found.changes) == MAX_CHANGES


def test_a_policy_of_many_statements_and_many_grants_is_explained_in_time(world):
    vpce = [{"StringEquals": {"aws:SourceVpce": f"vpce-{n}", "aws:SourceVpc": f"vpc-{n}"}} for n in range(180)]
    policy = parse_key_policy(world.document(*(world.statement(Condition=each) for each in vpce)))
    grants = [
        Grant(
            f"g{n}",
            KeyArn(world.key),
            AccountId(world.customer),
            grant_principal(world.role(world.customer, f"r{n}")),
            frozenset({"Decrypt"}),
        )
        for n in range(1_000)
    ]
    begun = time.process_time()
    found = explain(Inquiry(world.request(), Policies(policy, (world.iam_all,), tuple(grants))))
    assert len(found.changes) == MAX_CHANGES
    assert time.process_time() - begun < 10  # seconds; it takes one
