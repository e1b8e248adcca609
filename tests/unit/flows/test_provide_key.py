# SPDX-License-Identifier: Apache-2.0
"""A key is created once: what an earlier run left is found, looked at, and finished or refused."""

import json
from dataclasses import replace

import pytest

from strongroom.errors import KeyRefused, NotTrusted, UsageError
from strongroom.flows.provide_key import Found, KeyOrder, provide_key
from strongroom.formats.pcrs import SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrDigests
from strongroom.keypolicy.generate import bootstrap_key_policy, escrow_key_policy, tenant_key_policy
from strongroom.keypolicy.model import encode_key_policy, parse_key_policy
from strongroom.keypolicy.spec import AdmittedRelease, EscrowKeySpec, SecureBoot, TenantKeySpec, VendorSpec
from strongroom.ports import KeyFacts

ACCOUNT = "111122223333"
START = f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/"
VENDOR = VendorSpec(product="acme", account=ACCOUNT, sealer_role_arn=f"arn:aws:iam::{ACCOUNT}:role/sealer")
PCRS = PcrDigests.of({2: SEPARATOR_ONLY_SHA384, 4: b"4" * 48, 12: ZERO_SHA384, 13: ZERO_SHA384})
RELEASE = AdmittedRelease(version="v1", ring="general", pcrs=PCRS, epoch=1, secure_boot=SecureBoot.NOT_GATED)
SPEC = TenantKeySpec(vendor=VENDOR, tenant="globex", accounts=("222222222222",), releases=(RELEASE,))
SHUT, OPEN = bootstrap_key_policy(VENDOR), tenant_key_policy(SPEC)
ESCROW = escrow_key_policy(EscrowKeySpec(vendor=VENDOR, escrow_role_arn=f"arn:aws:iam::{ACCOUNT}:role/escrow"))
TAGS = {"strongroom:product": "acme", "strongroom:tenant": "globex"}
ORDER = KeyOrder(vendor=VENDOR, tenant="globex", tags=TAGS, description="acme: globex", policy=OPEN)
GRANT = {
    "GrantId": "0" * 64,
    "GranteePrincipal": "arn:aws:iam::777788889999:role/thief",
    "IssuingAccount": f"arn:aws:iam::{ACCOUNT}:root",
    "Operations": ["Decrypt"],
}


class Kms:
    """Keys in memory, all of them with the tags that are looked for."""

    def __init__(self, *policies, grants=(), **changes):
        self.policies = {f"{START}{number}": encode_key_policy(each) for number, each in enumerate(policies)}
        self.grants, self.changes = grants, changes
        self.created = 0
        self.searched = 0
        self.going = set()
        self.closed = None

    def create_key(self, *, policy, description, tags):
        assert (description, tags) == ("acme: globex", TAGS)
        self.created += 1
        arn = f"{START}new"
        self.policies[arn] = policy
        return self.describe_key(arn)

    def describe_key(self, key_arn):
        state = "PendingDeletion" if key_arn in self.going else "Enabled"
        return replace(
            KeyFacts(key_arn, enabled=True, state=state, origin="AWS_KMS", multi_region=False), **self.changes
        )

    def key_policy(self, key_arn):
        return self.policies[key_arn]

    def put_key_policy(self, key_arn, policy):
        self.policies[key_arn] = policy

    def key_grants(self, key_arn):
        return json.dumps({"Grants": [each | {"KeyId": key_arn} for each in self.grants]})

    def expect_tags(self, key_arn, tags):
        assert (key_arn, tags) == (f"{START}new", TAGS)
        if self.closed:
            raise self.closed

    def find_keys(self, tags):
        assert tags == TAGS
        self.searched += 1
        return tuple(self.policies)


def provide(kms, **changes):
    return provide_key(kms, kms, replace(ORDER, **changes), pause=lambda _: None)


def refusal(kms, kind=NotTrusted, **changes):
    before = dict(kms.policies)
    with pytest.raises(kind) as caught:
        provide(kms, **changes)
    assert (kms.policies, kms.created) == (before, 0)
    return caught.value.code


def test_the_first_run_creates_and_finishes_a_key():
    kms = Kms()
    found = provide(kms)
    assert (found.arn, found.found, found.policy) == (f"{START}new", Found.NOTHING, OPEN)


def test_a_key_without_a_policy_to_put_stays_shut():
    kms = Kms()
    assert provide(kms, policy=None).policy == SHUT
    # The next run goes on with the same key.
    again = provide(kms)
    assert (again.found, again.policy, kms.created) == (Found.UNFINISHED, OPEN, 1)


@pytest.mark.parametrize("policy", [OPEN, None, tenant_key_policy(replace(SPEC, accounts=("333333333333",)))])
def test_a_key_that_opens_already_is_left_as_it_is(policy):
    kms = Kms(OPEN)
    found = provide(kms, policy=policy)
    assert (found.found, found.policy, kms.created) == (Found.FINISHED, OPEN, 0)


def test_the_key_that_the_project_names_is_not_searched_for():
    kms = Kms(SHUT, SHUT)
    found = provide(kms, known=f"{START}1")
    assert (found.arn, kms.searched) == (f"{START}1", 0)
    assert parse_key_policy(kms.policies[f"{START}0"]) == SHUT


def test_several_keys_are_told_and_one_that_goes_does_not_count():
    kms = Kms(SHUT, SHUT)
    assert refusal(kms, UsageError) == "key.several"
    kms.going = {f"{START}1"}
    assert provide(kms).arn == f"{START}0"


def test_a_key_that_the_next_run_would_not_find_is_said():
    kms = Kms()
    kms.closed = KeyRefused("kms.access-denied", "no tags for you")
    with pytest.raises(KeyRefused) as caught:
        provide(kms)
    assert f"{START}new was created" in caught.value.__notes__[0]
    assert parse_key_policy(kms.policies[f"{START}new"]) == SHUT


@pytest.mark.attack("K20")
@pytest.mark.parametrize("policy", [SHUT, OPEN])
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"grants": [GRANT]}, "key.grants"),
        ({"origin": "EXTERNAL"}, "key.origin"),
        ({"multi_region": True}, "key.multi-region"),
        ({"state": "Disabled"}, "key.state"),
    ],
)
def test_a_key_that_somebody_prepared_is_refused_whether_it_is_finished_or_not(policy, changes, code):
    assert refusal(Kms(policy, **changes)) == code
    assert refusal(Kms(policy, **changes), policy=None) == code


def test_a_policy_that_is_not_ours_is_refused():
    assert refusal(Kms(replace(OPEN, statements=OPEN.statements[:-1]))) == "keypolicy.edited"
    assert refusal(Kms(ESCROW)) == "keypolicy.edited"


def test_the_key_of_another_tenant_is_refused():
    assert refusal(Kms(tenant_key_policy(replace(SPEC, tenant="initech")))) == "key.other-tenant"


def test_an_escrow_key_has_exactly_the_policy_that_was_ordered():
    found = provide(Kms(ESCROW), tenant=None, policy=ESCROW)
    assert (found.found, found.policy) == (Found.FINISHED, ESCROW)
    weak = replace(ESCROW, statements=ESCROW.statements[:-1])
    assert refusal(Kms(weak), tenant=None, policy=ESCROW) == "key.not-as-ordered"
