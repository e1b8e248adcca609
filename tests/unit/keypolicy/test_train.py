# SPDX-License-Identifier: Apache-2.0
"""A policy that is not exactly ours is no train: what is different is said, statement by statement."""

import json
from datetime import timedelta

import pytest

from strongroom.errors import KeyRefused, NotTrusted
from strongroom.keypolicy.canary import canary_key_policy
from strongroom.keypolicy.decision import Outcome
from strongroom.keypolicy.difference import policy_differences
from strongroom.keypolicy.generate import bootstrap_key_policy, escrow_key_policy
from strongroom.keypolicy.kms_keys import NITROTPM_PCR
from strongroom.keypolicy.lockout import expect_not_locked_out
from strongroom.keypolicy.model import encode_key_policy, parse_key_policy
from strongroom.keypolicy.open_sid import open_sid, ring_of
from strongroom.keypolicy.spec import EscrowKeySpec
from strongroom.keypolicy.train import is_bootstrap, read_train, with_releases

OPEN = "Open1General"


def findings(policy):
    with pytest.raises(NotTrusted) as caught:
        read_train(policy)
    assert caught.value.code == "keypolicy.edited"
    return [(each.code, each.part) for each in caught.value.findings]


def pcr(number):
    return f"{NITROTPM_PCR}{number}"


def drop(sid):
    return lambda body: body.pop(sid)


def condition(sid, operator, key, value):
    return lambda body: body[sid]["Condition"].setdefault(operator, {}).update({key: value})


@pytest.mark.parametrize(
    ("edit", "code", "part"),
    [
        (drop("DenySideDoors"), "keypolicy.statement-missing", "DenySideDoors"),
        (drop("DenyOtherEpochs"), "keypolicy.statement-missing", "DenyOtherEpochs"),
        (drop("DenyUnlessPcr12"), "keypolicy.statement-missing", "DenyUnlessPcr12"),
        (drop("Admin"), "keypolicy.not-generated", "Admin"),
        (drop("Seal"), "keypolicy.not-generated", "Seal"),
        (drop(OPEN), "keypolicy.not-generated", "Open"),
        (lambda body: body["Admin"].update(Action="kms:*"), "keypolicy.statement-changed", "Admin"),
        (lambda body: body["Admin"].update(Principal="*"), "keypolicy.not-generated", ""),
        (lambda body: body[OPEN].update(Principal="*"), "keypolicy.not-generated", ""),
        (lambda body: body[OPEN].update(Action=["kms:Decrypt", "kms:Encrypt"]), "keypolicy.statement-changed", OPEN),
        (lambda body: body[OPEN]["Condition"].pop("StringEquals"), "keypolicy.not-generated", OPEN),
        (condition(OPEN, "StringEqualsIgnoreCase", pcr(12), ["0" * 96, "1" * 96]), "keypolicy.not-generated", OPEN),
        (condition(OPEN, "StringEqualsIgnoreCase", pcr(12), "1" * 94), "keypolicy.not-generated", ""),
        (condition(OPEN, "StringEqualsIgnoreCase", pcr(4), "xyz"), "keypolicy.not-generated", OPEN),
        (condition(OPEN, "StringEqualsIgnoreCase", pcr(4), "ab" * 48), "keypolicy.statement-changed", "DenyUnlessPcr4"),
        (condition(OPEN, "StringEqualsIgnoreCase", pcr(7), "ab" * 48), "keypolicy.statement-missing", "DenyUnlessPcr7"),
        (condition(OPEN, "StringLike", "aws:userid", "*"), "keypolicy.statement-changed", OPEN),
        (
            condition(OPEN, "DateLessThan", "aws:CurrentTime", "2027-01-01T00:00:00.5Z"),
            "keypolicy.not-generated",
            OPEN,
        ),
        (
            condition(OPEN, "StringEquals", "kms:EncryptionContext:strongroom:epoch", "01"),
            "keypolicy.statement-changed",
            OPEN,
        ),
        (
            condition(OPEN, "StringEquals", "kms:EncryptionContext:strongroom:epoch", "1.5"),
            "keypolicy.not-generated",
            OPEN,
        ),
        (
            condition("Seal", "StringEquals", "kms:EncryptionContext:strongroom:purpose", "state"),
            "keypolicy.not-generated",
            "",
        ),
        (lambda body: body.update(Wide=dict(body[OPEN], Sid="Wide")), "keypolicy.statement-added", "Wide"),
        (
            lambda body: body.update(Two=dict(body[OPEN], Sid="Open2General")),
            "keypolicy.statement-added",
            "Open2General",
        ),
    ],
)
def test_an_edit_is_refused_and_found(world, edit, code, part):
    assert (code, part) in findings(world.edited(world.policy(), edit))


def test_the_policies_of_other_keys_are_no_trains(world):
    escrow = EscrowKeySpec(vendor=world.vendor(), escrow_role_arn=world.role(world.vendor_account, "escrow"))
    for policy in (bootstrap_key_policy(world.vendor()), escrow_key_policy(escrow)):
        assert {code for code, _ in findings(policy)} == {"keypolicy.not-generated"}


def test_a_value_that_stands_twice_and_an_id_are_edits_too(world):
    body = json.loads(encode_key_policy(world.policy()))
    body["Statement"][-1]["Action"] *= 2
    named = json.loads(encode_key_policy(world.policy())) | {"Id": "x"}
    for each in (body, named):
        assert findings(parse_key_policy(json.dumps(each))) == [("keypolicy.not-generated", "")]


def test_a_difference_says_what_an_element_has_and_what_it_lacks(world):
    edited = world.edited(
        world.policy(), lambda body: body["DenySideDoors"].update(Action=["kms:CreateGrant", "kms:*"])
    )
    (found,) = policy_differences(world.policy(), edited)
    assert found.message.startswith(
        "statement DenySideDoors, Action: it lacks kms:ImportKeyMaterial, kms:ReEncryptFrom"
    )
    assert found.message.endswith("it has kms:*")
    assert policy_differences(world.policy(), world.policy()) == ()


def test_a_statement_without_a_name_is_called_by_its_place(world):
    body = json.loads(encode_key_policy(world.policy()))
    body["Statement"].append(world.statement())
    (found,) = policy_differences(world.policy(), parse_key_policy(json.dumps(body)))
    assert found.part == f"Statement[{len(body['Statement']) - 1}]"


def test_admitting_a_release_again_moves_its_end_and_nothing_else(world):
    spec = world.spec(releases=(world.release("v1"), world.release("v2", epoch=2)))
    ends = world.now + timedelta(days=1)
    again = with_releases(spec, [world.release("v1", expires=ends), world.release("v2")])
    assert [(each.epoch, each.expires) for each in again.releases] == [(2, None), (1, ends), (1, None)]


def test_only_the_bootstrap_policy_of_this_vendor_is_one(world):
    other = world.vendor(change_role_arn=world.role(world.vendor_account, "release"))
    assert is_bootstrap(bootstrap_key_policy(world.vendor()), world.vendor())
    assert not is_bootstrap(bootstrap_key_policy(other), world.vendor())
    assert not is_bootstrap(world.policy(), world.vendor())


@pytest.mark.parametrize(
    ("number", "ring", "sid"),
    [
        (1, "general", "Open1General"),
        (2, "blue-green", "Open2BlueXgreen"),
        (1, "1x", "Open1r1x"),
        (11, "x", "Open11X"),
        (3, "x-1-", "Open3XX1X"),
        (4, "rx", "Open4Rx"),
    ],
)
def test_a_ring_has_one_name_in_a_policy(number, ring, sid):
    assert (open_sid(number, ring), ring_of(sid)) == (sid, ring)


@pytest.mark.parametrize(
    "sid", ["Open", "OpenGeneral", "Open1", "Open0General", "Open1general", "Open1General!", "xOpen1A", ""]
)
def test_other_names_are_of_no_ring(sid):
    assert ring_of(sid) is None


VENDOR = "444455556666"


@pytest.mark.parametrize(
    ("account", "caller", "code"),
    [
        (VENDOR, f"arn:aws:sts::{VENDOR}:assumed-role/release/me", None),
        (VENDOR, f"arn:aws:sts::{VENDOR}:assumed-role/other/release", "key.lock-out"),
        (VENDOR, f"arn:aws:iam::{VENDOR}:user/release", "key.lock-out"),
        (VENDOR, f"arn:aws:iam::{VENDOR}:root", "key.lock-out"),
        ("111122223333", "arn:aws:sts::111122223333:assumed-role/release/me", "key.other-account"),
    ],
)
def test_whoever_could_not_put_the_next_policy_puts_none(world, account, caller, code):
    vendor = world.vendor(change_role_arn=f"arn:aws:iam::{VENDOR}:role/teams/release")
    if code is None:
        expect_not_locked_out(vendor, account=account, caller_arn=caller)
        return
    with pytest.raises(KeyRefused) as caught:
        expect_not_locked_out(vendor, account=account, caller_arn=caller)
    assert caught.value.code == code


def test_without_a_change_role_everybody_of_the_account_may(world):
    expect_not_locked_out(world.vendor(), account=VENDOR, caller_arn=f"arn:aws:iam::{VENDOR}:user/me")


def test_a_canary_has_the_gates_of_the_key_and_the_vendor_in_the_place_of_tenant_and_sealer(world):
    spec = world.spec(role_patterns=(f"arn:aws:iam::{world.customer}:role/app-*",))
    canary, policy = canary_key_policy(spec), world.policy()
    assert {each.part for each in policy_differences(policy, canary)} == {OPEN, "Seal"}
    request = world.request(caller=world.operator)
    assert world.decide(canary, request).outcome is Outcome.ALLOWED
    assert world.decide(canary, world.request(caller=world.operator, attestation=None)).outcome is not Outcome.ALLOWED
    assert world.decide(canary, world.request()).outcome is not Outcome.ALLOWED
