# SPDX-License-Identifier: Apache-2.0
"""From what people write to the caller whom policies see."""

import pytest

from strongroom.errors import UsageError
from strongroom.keypolicy.callers import read_caller

A = "111122223333"


@pytest.mark.parametrize(
    ("text", "arn", "role"),
    [
        (f"arn:aws:iam::{A}:user/team/anna", f"arn:aws:iam::{A}:user/team/anna", ""),
        (f"arn:aws:iam::{A}:root", f"arn:aws:iam::{A}:root", ""),
        (
            f"arn:aws:iam::{A}:role/service/app",
            f"arn:aws:sts::{A}:assumed-role/app/a-session",
            f"arn:aws:iam::{A}:role/service/app",
        ),
        (
            f"arn:aws-us-gov:sts::{A}:assumed-role/app/i-1",
            f"arn:aws-us-gov:sts::{A}:assumed-role/app/i-1",
            f"arn:aws-us-gov:iam::{A}:role/app",
        ),
        (f"arn:aws:sts::{A}:federated-user/anna", f"arn:aws:sts::{A}:federated-user/anna", ""),
        (A, f"arn:aws:sts::{A}:assumed-role/somebody/a-session", f"arn:aws:iam::{A}:role/somebody"),
        ("cloudtrail.amazonaws.com", "cloudtrail.amazonaws.com", ""),
    ],
)
def test_each_way_to_name_one(text, arn, role):
    caller = read_caller(text)
    assert (caller.arn, caller.role_arn) == (arn, role)


def test_the_role_of_a_session_may_have_a_path_and_an_id():
    session, role = f"arn:aws:sts::{A}:assumed-role/app/s", f"arn:aws:iam::{A}:role/deep/in/app"
    caller = read_caller(session, role=role, unique_id="AROAEXAMPLEEXAMPLE12")
    assert (caller.principal_arn, caller.unique_id) == (role, "AROAEXAMPLEEXAMPLE12")


def test_an_account_id_stands_in_the_partition_of_the_key():
    assert read_caller(A, partition="aws-cn").role_arn.startswith("arn:aws-cn:iam::")


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("", ""),
        ("anna", ""),
        ("arn:aws:iam::111122223333:role/", ""),
        ("arn:aws:iam::111122223333:group/g", ""),
        ("arn:aws:sts::111122223333:assumed-role/app", ""),
        (f"arn:aws:iam::{A}:user/anna\n", ""),
        (f"arn:aws:iam::{A}:user/anna", f"arn:aws:iam::{A}:role/app"),
        (f"arn:aws:sts::{A}:assumed-role/app/s", f"arn:aws:iam::{A}:role/other"),
        (f"arn:aws:sts::{A}:assumed-role/app/s", "arn:aws:iam::444455556666:role/app"),
    ],
)
def test_everything_else_is_a_usage_error(text, role):
    with pytest.raises(UsageError) as refused:
        read_caller(text, role=role)
    assert refused.value.code == "key.caller"
