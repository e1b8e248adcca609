# SPDX-License-Identifier: Apache-2.0
"""A policy is replaced once, seen to be there, and whoever else changes it is noticed."""

import json

import pytest

from strongroom.errors import NotTrusted, ServiceFault
from strongroom.flows.change_policy import SETTLING, PolicyChange, put_policy
from strongroom.keypolicy.model import encode_key_policy, parse_key_policy

ARN = "arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def policy(action):
    statement = {"Sid": "One", "Effect": "Allow", "Principal": "*", "Action": action, "Resource": "*"}
    return parse_key_policy(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))


OLD, NEW, OTHERS = policy("kms:DescribeKey"), policy("kms:GetKeyPolicy"), policy("kms:*")
CHANGE = PolicyChange(ARN, OLD, NEW)


class Admin:
    """KMS as it answers to one question after another. The last answer is given again."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.put = []
        self.pauses = []

    def key_policy(self, key_arn):
        assert key_arn == ARN
        return encode_key_policy(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    def put_key_policy(self, key_arn, text):
        assert key_arn == ARN
        self.put.append(parse_key_policy(text))


def refusal(admin, kind=NotTrusted):
    with pytest.raises(kind) as caught:
        put_policy(admin, CHANGE, pause=admin.pauses.append)
    return caught.value


def test_it_is_put_once_and_looked_at_twice():
    admin = Admin(OLD, NEW)
    put_policy(admin, CHANGE, pause=admin.pauses.append)
    assert (admin.put, admin.pauses) == ([NEW], [SETTLING])


def test_kms_may_take_a_while_to_show_it():
    admin = Admin(OLD, OLD, OLD, NEW)
    put_policy(admin, CHANGE, pause=admin.pauses.append)
    assert (admin.put, len(admin.pauses)) == ([NEW], 3)


def test_a_policy_that_never_shows_is_an_error_that_may_be_tried_again():
    admin = Admin(OLD)
    error = refusal(admin, ServiceFault)
    assert (error.code, error.retryable, len(admin.pauses)) == ("key.not-shown", True, 15)


def test_what_changed_since_it_was_read_is_not_overwritten():
    admin = Admin(OTHERS)
    error = refusal(admin)
    assert (error.code, admin.put) == ("key.changed-meanwhile", [])
    assert [each.part for each in error.findings] == ["One"]


@pytest.mark.parametrize("answers", [(OLD, OTHERS), (OLD, NEW, OTHERS), (OLD, NEW, OLD)])
def test_a_policy_of_somebody_else_over_ours_is_told(answers):
    admin = Admin(*answers)
    assert (refusal(admin).code, admin.put) == ("key.policy", [NEW])
