# SPDX-License-Identifier: Apache-2.0
"""A key opens for nobody before it is finished, and what was finished is what was asked for (ATTACKS K20)."""

import json
from dataclasses import replace

import pytest

from strongroom.errors import NotTrusted
from strongroom.flows.create_key import create_key
from strongroom.keypolicy.generate import bootstrap_key_policy, escrow_key_policy
from strongroom.keypolicy.meaning import meaning
from strongroom.keypolicy.model import encode_key_policy, parse_key_policy
from strongroom.keypolicy.spec import EscrowKeySpec, VendorSpec
from strongroom.ports import KeyFacts

ACCOUNT = "111111111111"
VENDOR = VendorSpec(product="oracle", account=ACCOUNT, sealer_role_arn=f"arn:aws:iam::{ACCOUNT}:role/sealer")
FINAL = escrow_key_policy(EscrowKeySpec(vendor=VENDOR, escrow_role_arn=f"arn:aws:iam::{ACCOUNT}:role/escrow"))
GOOD = KeyFacts(
    arn=f"arn:aws:kms:eu-central-1:{ACCOUNT}:key/1", enabled=True, state="Enabled", origin="AWS_KMS", multi_region=False
)


class Admin:
    """A `KeyAdmin` that remembers each policy in order. `rewrite` is what KMS, or somebody else, makes of the last."""

    def __init__(self, facts=GOOD, rewrite=lambda text: text):
        self.facts, self.rewrite, self.policies = facts, rewrite, []

    def create_key(self, *, policy, description):
        self.policies.append(policy)
        return self.facts

    def describe_key(self, key_arn):
        return self.facts

    def key_policy(self, key_arn):
        return self.rewrite(self.policies[-1])

    def put_key_policy(self, key_arn, policy):
        self.policies.append(policy)


def create(admin):
    return create_key(admin, vendor=VENDOR, policy=FINAL, description="test")


def refused(code, admin):
    with pytest.raises(NotTrusted) as caught:
        create(admin)
    assert caught.value.code == code


@pytest.mark.attack("K20")
def test_the_key_is_born_shut_and_finished_in_one_call():
    admin = Admin()
    assert create(admin) == GOOD.arn
    assert admin.policies == [encode_key_policy(bootstrap_key_policy(VENDOR)), encode_key_policy(FINAL)]


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("key.origin", {"origin": "EXTERNAL"}),
        ("key.multi-region", {"multi_region": True}),
        ("key.state", {"state": "PendingImport"}),
    ],
)
def test_a_key_that_is_not_plain_never_gets_its_policy(code, change):
    admin = Admin(replace(GOOD, **change))
    refused(code, admin)
    assert len(admin.policies) == 1


@pytest.mark.attack("K20")
def test_a_policy_that_somebody_changed_meanwhile_is_noticed():
    def without_the_last_deny(text):
        body = json.loads(text)
        body["Statement"].pop()
        return json.dumps(body)

    refused("key.policy", Admin(rewrite=without_the_last_deny))


def test_a_policy_that_kms_wrote_in_another_order_is_the_same():
    def reordered(text):
        body = json.loads(text)
        body["Statement"].reverse()
        for statement in body["Statement"]:
            if isinstance(statement["Action"], list):
                statement["Action"].reverse()
        return json.dumps(body, indent=4)

    assert create(Admin(rewrite=reordered)) == GOOD.arn


def test_meaning_tells_apart_what_differs():
    other = json.loads(encode_key_policy(FINAL))
    other["Statement"][0]["Action"] = other["Statement"][0]["Action"][:-1]
    assert meaning(parse_key_policy(json.dumps(other))) != meaning(FINAL)
