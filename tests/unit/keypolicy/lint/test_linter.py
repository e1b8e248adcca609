# SPDX-License-Identifier: Apache-2.0
"""What the lint says of whole policies: of those that we generate, with a statement removed, and beside others."""

import json

import pytest
from tests.lint_examples import codes, lint_of
from tests.unit.keypolicy.conftest import CUSTOMER, KEY, VENDOR, role

from strongroom.errors import FormatError, Severity
from strongroom.formats.pcrs import PcrDigests
from strongroom.keypolicy.generate import bootstrap_key_policy, escrow_key_policy
from strongroom.keypolicy.lint.doors import _door_rule
from strongroom.keypolicy.lint.rules import RULES
from strongroom.keypolicy.lint.whole import in_words
from strongroom.keypolicy.model import encode_key_policy
from strongroom.keypolicy.spec import EscrowKeySpec, SecureBoot

CHANGE = role(VENDOR, "change")
PCR = "kms:RecipientAttestation:NitroTPMPCR"


def serious(findings):
    return {each.rule.code for each in findings if each.rule.severity is not Severity.NOTE}


def generated(world):
    vendor = world.vendor(change_role_arn=CHANGE)
    late = world.release("v2", epoch=2, ring="canary", secure_boot=SecureBoot.GATED)
    yield world.policy(vendor=vendor)
    yield world.policy(vendor=vendor, releases=(world.release(), late), names=("db",))
    yield world.policy(vendor=vendor, role_patterns=(f"arn:aws:iam::{CUSTOMER}:role/app*",))
    yield bootstrap_key_policy(vendor)


def test_what_we_generate_is_silent(world):
    for policy in generated(world):
        for known in ({}, {"key_arn": KEY}):
            assert codes(lint_of(encode_key_policy(policy), **known)) == []


def test_without_a_change_role_there_is_a_note_on_who_changes_the_policy(world):
    assert codes(lint_of(encode_key_policy(world.policy()))) == ["lint.account-changes"]
    assert codes(lint_of(encode_key_policy(bootstrap_key_policy(world.vendor())))) == ["lint.account-changes"]


def escrow(world):
    vendor = world.vendor(change_role_arn=CHANGE)
    return escrow_key_policy(EscrowKeySpec(vendor=vendor, escrow_role_arn=role(VENDOR, "escrow")))


def test_an_escrow_key_that_opens_for_its_role_is_a_note(world):
    assert codes(lint_of(encode_key_policy(escrow(world)))) == ["lint.opens-by-role"]


@pytest.mark.parametrize("sid", ["DenyOthers", "DenySideDoors"])
def test_an_escrow_key_without_its_denies_is_no_note(world, sid):
    found = serious(lint_of(encode_key_policy(world.minus(escrow(world), sid))))
    assert ("lint.unattested" in found) == (sid == "DenyOthers")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Principal": {"AWS": [role(VENDOR, "escrow"), role(VENDOR, "other")]}}, None),
        ({"Principal": {"AWS": f"arn:aws:iam::{VENDOR}:root"}}, "lint.unattested"),
    ],
)
def test_the_role_that_opens_has_to_be_the_one_that_the_deny_spares(world, change, code):
    policy = world.edited(escrow(world), lambda body: body["EscrowOpen"].update(change))
    found = serious(lint_of(encode_key_policy(policy)))
    assert found == ({code, "lint.opens", "lint.no-epoch", "lint.bootstrap-window"} if code else set())


HURRIED = {"Sid": "Hurried", "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
FENCE = HURRIED | {"Sid": "Fence", "Effect": "Deny"}


def hurried(world, *removed):
    def edit(body):
        body["Hurried"] = HURRIED
        for sid in removed:
            del body[sid]

    return serious(lint_of(encode_key_policy(world.edited(world.policy(), edit)), key_arn=KEY))


def test_the_denies_hold_back_a_hurried_allow(world):
    """It does not open a symmetric key; what is left is Decapsulate, and that anyone may encrypt and manage."""
    left = {"lint.anyone", "lint.anyone-changes", "lint.every-action", "lint.seals-any-context"}
    assert hurried(world) == left | {"lint.decapsulate", "lint.opens"}


@pytest.mark.parametrize(
    ("removed", "code"),
    [
        *((f"DenyUnlessPcr{index}", f"lint.pcr{index}-not-gated") for index in (2, 4, 12, 13)),
        *(("DenySideDoors", f"lint.{door}") for door in ("re-encrypt", "create-grant", "replicate", "import-material")),
    ],
)
def test_each_deny_that_is_missing_beside_it_is_found(world, removed, code):
    assert code in hurried(world, removed) - hurried(world)


def test_all_denies_of_pcrs_missing_beside_it_open_the_key(world):
    removed = [f"DenyUnlessPcr{index}" for index in (2, 4, 12, 13)]
    assert "lint.unattested" in hurried(world, *removed) - hurried(world)


def own_policy(**changes):
    statement = {"Sid": "Own", "Effect": "Allow", "Action": "kms:CreateGrant", "Resource": "*", **changes}
    return json.dumps({"Version": "2012-10-17", "Statement": statement})


def test_an_identity_policy_is_read_beside_the_key_policy(world):
    """Its CreateGrant is a hole only where the key policy does not deny it."""
    shut, ajar = world.policy(), world.minus(world.policy(), "DenySideDoors")
    for policy, found in ((shut, []), (ajar, ["lint.create-grant"])):
        findings = lint_of(encode_key_policy(policy), identity_policies=(own_policy(),))
        assert [each.rule.code for each in findings if each.policy == 1] == found


def test_an_identity_policy_may_say_something_about_random_numbers(world):
    findings = lint_of(encode_key_policy(world.policy()), identity_policies=(own_policy(Action="kms:GenerateRandom"),))
    assert [each for each in findings if each.policy == 1] == []


@pytest.mark.parametrize("operator", ["StringEqualsIgnoreCase", "StringLike", "ForAnyValue:StringEquals"])
def test_a_gate_is_a_gate_however_it_is_written(world, operator):
    def edit(body):
        body["Open1General"]["Condition"][operator] = body["Open1General"]["Condition"].pop("StringEqualsIgnoreCase")
        for sid in [sid for sid in body if sid.startswith("Deny")]:
            if sid != "DenySideDoors":
                del body[sid]

    assert serious(lint_of(encode_key_policy(world.edited(world.policy(), edit)))) == set()


@pytest.mark.parametrize(
    "condition",
    [
        {"StringNotEquals": {PCR + "4": "4a" * 48, "aws:PrincipalArn": CHANGE}},
        {"StringNotEquals": {PCR + "4": "4a" * 48}, "Bool": {"aws:SecureTransport": "true"}},
        {"StringNotLike": {PCR + "4": "4a*"}},
        {"ForAnyValue:StringNotEquals": {PCR + "4": "4a" * 48}},
        {"StringNotEqual": {PCR + "4": "4a" * 48}},
        {"StringEquals": {PCR + "4": "4a" * 48}},
    ],
)
@pytest.mark.parametrize("principal", ["*", {"AWS": VENDOR}])
def test_what_only_looks_like_a_fence_is_none(world, condition, principal):
    deny = {
        "Sid": "Fence",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "kms:*",
        "Resource": "*",
        "Condition": condition,
    }
    allow = {**HURRIED, "Principal": principal}
    assert "lint.unattested" in serious(lint_of(world.document(allow, deny)))


def test_a_deny_for_some_or_on_another_key_is_no_fence(world):
    deny = FENCE | {"Condition": {"StringNotEquals": {PCR + "4": "4a" * 48}}}
    assert "lint.unattested" not in serious(lint_of(world.document(HURRIED, deny)))
    for change in (
        {"Principal": {"AWS": VENDOR}},
        {"Resource": KEY.replace("1234", "4321")},
        {"Action": "kms:Decrypt"},
    ):
        assert "lint.unattested" in serious(lint_of(world.document(HURRIED, deny | change), key_arn=KEY))
    assert "lint.unattested" not in serious(lint_of(world.document(HURRIED, deny | {"Resource": KEY}), key_arn=KEY))


def test_measurements_that_are_allowed_may_have_what_else_would_be_strange(world):
    driver = {2: b"2" * 48}
    release = world.release(pcrs=world.pcrs(pcr2=driver[2]), overrides=driver)
    policy = encode_key_policy(world.policy(releases=(release,)))
    assert serious(lint_of(policy)) == {"lint.recorded-constant"}
    gates = PcrDigests.of({index: release.pcrs[index] for index in (2, 4, 12, 13)})
    assert serious(lint_of(policy, allowed=(gates,))) == set()
    other = PcrDigests.of({**gates, 4: b"4" * 48})
    assert {"lint.not-allowed", "lint.opens"} <= serious(lint_of(policy, allowed=(other,)))


def test_a_policy_that_is_none_is_refused_and_not_linted():
    with pytest.raises(FormatError) as refusal:
        lint_of(
            '{"Version":"2012-10-17","Statement":{"Effect":"Allow","NotPrincipal":"*","Action":"*","Resource":"*"}}'
        )
    assert refusal.value.code == "keypolicy.not-principal"


def test_every_severity_is_one_of_three():
    assert {rule.severity for rule in RULES.values()} == set(Severity)


def test_a_role_of_another_account_is_no_escrow(world):
    """Whoever writes its Deny as an escrow key has it opens the key for a customer's role, without a document."""

    def elsewhere(body):
        thief = role(CUSTOMER, "thief")
        body["EscrowOpen"]["Principal"] = {"AWS": thief}
        body["DenyOthers"]["Condition"] = {"ArnNotEquals": {"aws:PrincipalArn": thief}}

    text = encode_key_policy(world.edited(escrow(world), elsewhere))
    for known in ({}, {"key_arn": KEY}):
        assert {"lint.unattested", "lint.opens"} <= serious(lint_of(text, **known))
    nobodys = json.loads(text)
    nobodys["Statement"] = [each for each in nobodys["Statement"] if each["Sid"] != "Admin"]
    assert "lint.unattested" in serious(lint_of(json.dumps(nobodys)))


GATED = {PCR + str(index): "4a" * 48 for index in (2, 4, 12, 13)}


@pytest.mark.parametrize(
    ("narrowing", "found"),
    [
        ({"StringEquals": {"aws:PrincipalAccount": CUSTOMER}}, False),
        ({"StringEquals": {"aws:PrincipalOrgID": "${aws:ResourceOrgID}"}}, False),
        ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{CUSTOMER}:role/*"}}, False),
        ({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-a1b2c3d4e5/r-ab12/*"}}, False),
        ({"StringLike": {"aws:userid": "AROAABCDEFGHIJKLMNOPQ:*"}}, False),
        ({"StringLike": {"aws:PrincipalAccount": "1*"}}, True),
        ({"StringLike": {"aws:PrincipalOrgID": "o-*"}}, True),
        ({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-*/r-ab12/"}}, True),
        ({"StringEquals": {"aws:PrincipalOrgID": "${aws:PrincipalOrgID}"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app"}}, True),
        ({"ArnLike": {"aws:PrincipalArn": "*"}}, True),
        ({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}, True),
        ({"StringNotEquals": {"aws:PrincipalAccount": VENDOR}}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, True),
    ],
)
def test_who_may_be_anyone(world, narrowing, found):
    condition = {"StringEqualsIgnoreCase": GATED, **narrowing}
    allow = HURRIED | {"Action": "kms:Decrypt", "Condition": condition}
    assert ("lint.anyone" in serious(lint_of(world.document(allow)))) == found
    (operator, keys), *_ = narrowing.items()
    if operator == "StringEquals":
        fence = FENCE | {"Condition": {"StringNotEquals": keys}}
        fenced = world.document(HURRIED | {"Action": "kms:Decrypt"}, fence)
        assert ("lint.anyone" in serious(lint_of(fenced))) == found


def test_a_narrowed_allow_to_everybody_still_lets_everybody_change_the_policy(world):
    organization = {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}
    allow = HURRIED | {"Action": "kms:PutKeyPolicy", "Condition": organization}
    assert "lint.anyone-changes" in serious(lint_of(world.document(allow)))
    named = HURRIED | {"Action": "kms:PutKeyPolicy", "Condition": {"ArnEquals": {"aws:PrincipalArn": CHANGE}}}
    assert "lint.anyone-changes" not in serious(lint_of(world.document(named)))
    fence = FENCE | {"Action": "kms:PutKeyPolicy", "Condition": {"ArnNotEquals": {"aws:PrincipalArn": CHANGE}}}
    assert "lint.anyone-changes" not in serious(lint_of(world.document(allow, fence)))


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "DescribeKey"]}}, False),
        ({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "Decrypt"]}}, True),
        ({"ForAnyValue:StringEquals": {"kms:GrantOperations": ["Encrypt"]}}, True),
        ({"ForAllValues:StringEqualsIfExists": {"kms:GrantOperations": ["Encrypt"]}}, True),
        # The caller says what stands there: his tag, or his session's, may be Decrypt.
        ({"ForAllValues:StringEquals": {"kms:GrantOperations": ["Encrypt", "${aws:PrincipalTag/may}"]}}, True),
        ({"ArnEquals": {"kms:GranteePrincipal": CHANGE}}, True),
    ],
)
def test_a_grant_that_gives_no_secret_is_no_side_door(world, condition, found):
    allow = HURRIED | {"Principal": {"AWS": VENDOR}, "Action": "kms:CreateGrant", "Condition": condition}
    assert ("lint.create-grant" in serious(lint_of(world.document(allow)))) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("${aws:ResourceAccount}", False),
        ("${aws:PrincipalTag/home, '${aws:Resource'}", True),
        ("${aws:ResourceAccount}${aws:PrincipalTag/more}", True),
    ],
)
def test_a_variable_names_accounts_only_where_it_is_of_the_key(world, value, found):
    narrowed = HURRIED | {"Action": "kms:DescribeKey", "Condition": {"StringEquals": {"aws:PrincipalAccount": value}}}
    assert ("lint.anyone" in serious(lint_of(world.document(narrowed)))) == found


def test_a_role_opens_no_key_of_which_images_may_open_it(world):
    """Who replaces the policy of a tenant's key by that of an escrow key does not get away with a note."""
    text = encode_key_policy(escrow(world))
    answer = serious(lint_of(text, allowed=(world.release().pcrs,)))
    assert {"lint.unattested", "lint.opens"} <= answer


def test_a_deny_of_one_old_value_is_fine_beside_gates(world):
    old = FENCE | {"Action": "kms:Decrypt", "Condition": {"StringEquals": {PCR + "4": "0d" * 48}}}
    assert serious(lint_of(world.document(old))) == {"lint.deny-needs-document"}
    policy = json.loads(encode_key_policy(world.policy()))
    assert serious(lint_of(json.dumps({**policy, "Statement": [*policy["Statement"], old]}))) == set()


def test_a_field_that_is_compared_with_itself_is_not_compared(world):
    itself = {"StringEquals": {"kms:EncryptionContext:tenant": "${kms:EncryptionContext:tenant}"}}
    of_caller = {"StringEquals": {"kms:EncryptionContext:tenant": "${aws:PrincipalAccount}"}}
    for condition, found in ((itself, True), (of_caller, False)):
        allow = HURRIED | {"Principal": {"AWS": VENDOR}, "Action": "kms:Encrypt", "Condition": condition}
        assert ("lint.seals-any-context" in serious(lint_of(world.document(allow)))) == found


def test_where_two_accounts_may_change_the_policy_neither_is_known_to_be_at_home(world):
    def shared(body):
        body["Admin"]["Principal"] = {"AWS": [f"arn:aws:iam::{each}:root" for each in (VENDOR, CUSTOMER)]}

    text = encode_key_policy(world.edited(escrow(world), shared))
    assert "lint.unattested" in serious(lint_of(text))
    assert "lint.unattested" not in serious(lint_of(text, key_arn=KEY))


def test_names_of_fields_alone_may_be_a_list_that_nothing_has_to_be_on(world):
    """AWS's own pattern for "no other fields": it limits what there is, and asks for nothing."""
    names = {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["strongroom:tenant"]}}

    def limited(body):
        body["Open1General"]["Condition"].update(names)

    assert serious(lint_of(encode_key_policy(world.edited(world.policy(), limited)))) == set()


def test_what_cannot_be_decided_stands_at_its_condition_and_names_its_statement(world):
    unheard = {"StringEqual": {PCR + "4": "4a" * 48}}
    text = world.document(HURRIED | {"Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Condition": unheard})
    (found,) = (each for each in lint_of(text) if each.rule.code == "lint.undecided")
    assert found.pointer == f"/Statement/0/Condition/StringEqual/{PCR}4"
    assert found.fault.statement == "Hurried"
    assert found.fault.message.startswith(
        "Hurried: it cannot be decided whether it allows kms:Decrypt, kms:GenerateDataKey on"
    )


def test_a_rule_about_an_action_that_kms_does_not_have_cannot_be_written():
    with pytest.raises(RuntimeError, match="kms:Open"):
        _door_rule("lint.x", ("kms:Open",), attack="K3", title="X", why="x")


def test_a_request_in_words_says_who_asks_and_with_which_document(world):
    asked = f"kms:Decrypt by {world.app.arn}"
    assert in_words(world.call(attestation=None)).startswith(f"{asked} without an attestation document under")
    shown = in_words(world.call(encryption_context={}))
    assert shown.startswith(f"{asked} with a NitroTPM document that shows PCR2=")
    assert in_words(world.call(attestation=world.enclave({}), encryption_context={})).endswith(" of a Nitro Enclave")


def test_nobody_knows_whom_a_federated_principal_lets_in(world):
    provider = HURRIED | {"Principal": {"Federated": "cognito-identity.amazonaws.com"}, "Action": "kms:Decrypt"}
    assert "lint.undecided" in serious(lint_of(world.document(provider)))
    shut = FENCE | {"Action": "kms:Decrypt"}
    assert "lint.undecided" not in serious(lint_of(world.document(provider, shut)))


@pytest.mark.parametrize("bound", ["9" * 18 + "." + "9" * 18, "-" + "9" * 18 + "." + "9" * 18])
def test_the_largest_numbers_that_are_read_are_decided_on(world, bound):
    for operator in ("NumericLessThan", "NumericGreaterThanEquals"):
        old = {"Condition": {operator: {"aws:MultiFactorAuthAge": bound}}}
        allow = HURRIED | {"Principal": {"AWS": role(VENDOR, "any")}, "Action": "kms:Decrypt"} | old
        assert "lint.unattested" in serious(lint_of(world.document(allow)))


def test_a_deny_by_what_aws_does_not_say_shuts_nothing(world):
    """ForAnyValue is false for a missing key, IfExists true. Of both together AWS does not say which one wins."""
    for prefix, sure in (("", True), ("ForAllValues:", True), ("ForAnyValue:", False)):
        operator = f"{prefix}StringNotEqualsIgnoreCaseIfExists"
        fence = FENCE | {"Action": "kms:Decrypt", "Condition": {operator: {f"{PCR}4": "0d" * 48}}}
        allow = HURRIED | {"Principal": {"AWS": role(VENDOR, "any")}, "Action": "kms:Decrypt"}
        found = serious(lint_of(world.document(allow, fence)))
        assert found & {"lint.unattested", "lint.undecided"} == (
            set() if sure else {"lint.unattested", "lint.undecided"}
        )
