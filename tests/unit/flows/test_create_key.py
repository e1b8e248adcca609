# SPDX-License-Identifier: Apache-2.0
"""A key is created shut, looked at, and opened last; what KMS then holds is what was asked for (ATTACKS K20)."""

import json
from dataclasses import replace

import pytest

from strongroom.errors import NotTrusted
from strongroom.flows.create_key import create_key, create_shut_key, finish_key
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.generate import bootstrap_key_policy, escrow_key_policy
from strongroom.keypolicy.model import parse_key_policy
from strongroom.keypolicy.spec import EscrowKeySpec, VendorSpec
from strongroom.ports import KeyFacts

ACCOUNT = AccountId("111122223333")
ARN = KeyArn(f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab")
VENDOR = VendorSpec(product="example", account=ACCOUNT, sealer_role_arn=f"arn:aws:iam::{ACCOUNT}:role/sealer")
POLICY = escrow_key_policy(EscrowKeySpec(vendor=VENDOR, escrow_role_arn=f"arn:aws:iam::{ACCOUNT}:role/escrow"))
GRANT = {
    "KeyId": ARN,
    "GrantId": "0" * 64,
    "GranteePrincipal": "arn:aws:iam::777788889999:role/thief",
    "IssuingAccount": f"arn:aws:iam::{ACCOUNT}:root",
    "Operations": ["Decrypt"],
}
PLAIN = KeyFacts(ARN, enabled=True, state="Enabled", origin="AWS_KMS", multi_region=False)


class Admin:
    """One key in memory. `facts` is what KMS says of it; `first` and `kept` turn policies into those that it holds.

    `grants_at` are the times of asking, from 0, at which there is a grant.
    """

    def __init__(self, *, facts=PLAIN, kept=lambda policy: policy, first=lambda policy: policy, grants_at=()):
        self.facts, self.kept, self.first, self.grants_at = facts, kept, first, grants_at
        self.policies = []
        self.asked = 0

    def create_key(self, *, policy, description, tags):
        assert (description, tags) == ("the escrow key", {})
        self.policies.append(policy)
        return self.facts

    def describe_key(self, key_arn):
        assert key_arn == ARN
        return self.facts

    def key_grants(self, key_arn):
        assert key_arn == ARN
        self.asked += 1
        return json.dumps({"Grants": [GRANT] if self.asked - 1 in self.grants_at else []})

    def put_key_policy(self, key_arn, policy):
        assert key_arn == ARN
        self.policies.append(policy)

    def key_policy(self, key_arn):
        assert key_arn == ARN
        return self.kept(self.policies[-1]) if len(self.policies) > 1 else self.first(self.policies[-1])


def create(admin):
    return create_key(admin, vendor=VENDOR, policy=POLICY, description="the escrow key", pause=lambda _: None)


def refusal(admin):
    with pytest.raises(NotTrusted) as caught:
        create(admin)
    return caught.value.code


def reordered(policy):
    body = json.loads(policy)
    for statement in body["Statement"]:
        if isinstance(statement["Action"], list):
            statement["Action"].reverse()
    return json.dumps({"Statement": body["Statement"][::-1], "Version": body["Version"]}, indent=1)


def weakened(policy):
    body = json.loads(policy)
    body["Statement"][-1]["Action"] = body["Statement"][-1]["Action"][1:]
    return json.dumps(body)


def shortened(policy):
    body = json.loads(policy)
    return json.dumps(body | {"Statement": body["Statement"][:-1]})


@pytest.mark.attack("K20")
def test_a_key_begins_under_the_bootstrap_policy_and_ends_under_the_one_asked_for():
    admin = Admin()
    assert create(admin) == ARN
    assert [parse_key_policy(policy) for policy in admin.policies] == [bootstrap_key_policy(VENDOR), POLICY]


def test_kms_may_write_the_same_policy_in_another_order():
    assert create(Admin(kept=reordered)) == ARN


@pytest.mark.attack("K20")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"origin": "EXTERNAL"}, "key.origin"),
        ({"state": "Disabled"}, "key.state"),
        ({"multi_region": True}, "key.multi-region"),
    ],
)
def test_a_key_of_another_kind_never_gets_a_policy_that_opens(changes, code):
    admin = Admin(facts=replace(PLAIN, **changes))
    with pytest.raises(NotTrusted) as caught:
        create_shut_key(admin, vendor=VENDOR, description="the escrow key")
    assert caught.value.code == code
    # Nor does one that became such a key since.
    with pytest.raises(NotTrusted) as caught:
        finish_key(admin, ARN, vendor=VENDOR, policy=POLICY, pause=lambda _: None)
    assert (caught.value.code, len(admin.policies)) == (code, 1)


@pytest.mark.attack("K20")
def test_a_policy_that_was_replaced_in_the_window_is_not_finished():
    admin = Admin()
    create_shut_key(admin, vendor=VENDOR, description="the escrow key")
    admin.policies.append(weakened(admin.policies[0]))
    with pytest.raises(NotTrusted) as caught:
        finish_key(admin, ARN, vendor=VENDOR, policy=POLICY, pause=lambda _: None)
    assert (caught.value.code, len(admin.policies)) == ("key.changed-meanwhile", 2)


@pytest.mark.attack("K20")
def test_a_key_that_is_not_shut_from_its_first_moment_is_refused():
    admin = Admin(first=weakened)
    with pytest.raises(NotTrusted) as caught:
        create_shut_key(admin, vendor=VENDOR, description="the escrow key")
    assert caught.value.code == "key.policy"


@pytest.mark.parametrize("kept", [weakened, shortened])
def test_a_policy_that_somebody_else_put_is_noticed(kept):
    assert refusal(Admin(kept=kept)) == "key.policy"


@pytest.mark.attack("K20")
@pytest.mark.parametrize(("grants_at", "policies"), [((0,), 1), ((1,), 1), ((2,), 2)])
def test_a_planted_grant_is_found_before_the_key_opens_and_after(grants_at, policies):
    admin = Admin(grants_at=grants_at)
    assert refusal(admin) == "key.grants"
    assert len(admin.policies) == policies
