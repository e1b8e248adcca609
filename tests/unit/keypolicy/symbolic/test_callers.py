# SPDX-License-Identifier: Apache-2.0
"""Each policy here opens for one narrow kind of caller. A kind that is left out of the cases would look impossible."""

ROLE_ID, USER_ID = "AROAQQQQQQQQQQQQQQQQQ", "AIDAQQQQQQQQQQQQQQQQQ"


def test_a_user_by_his_name_and_with_a_path_before_it(asking):
    named = {"StringEquals": {"aws:username": "bob"}}
    assert asking.witness(*asking.only_if(named)).caller.arn.endswith(":user/bob")
    without_path = {"ArnLike": {"aws:PrincipalArn": "arn:*:iam::*:user/bob"}}
    found = asking.witness(*asking.only_if(named, without_path))
    assert found.caller.arn.endswith("/bob")
    assert found.caller.arn.count("/") > 1


def test_a_root_user_by_the_id_of_his_account(asking):
    named = {"StringEquals": {"aws:userid": "101010101010", "aws:PrincipalType": "Account"}}
    found = asking.witness(*asking.only_if(named))
    assert found.caller.is_root_user
    assert found.caller.account == "101010101010"


def test_a_federated_user_by_account_and_name(asking):
    named = {"StringEquals": {"aws:userid": "101010101010:bob", "aws:PrincipalType": "FederatedUser"}}
    assert asking.witness(*asking.only_if(named)).caller.arn.endswith(":sts::101010101010:federated-user/bob")


def test_an_account_between_two_patterns(asking):
    ends = {"aws:PrincipalAccount": "12*", "kms:CallerAccount": "*12"}
    account = asking.witness(*asking.only_if({"StringLike": ends})).caller.account
    assert account.startswith("12")
    assert account.endswith("12")


def test_the_role_of_a_named_session_without_and_with_a_path(asking, world):
    named = {"AWS": f"arn:aws:sts::{world.customer}:assumed-role/app/s"}
    plain = f"arn:aws:iam::{world.customer}:role/app"
    under_a_path = {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*/*"}}
    assert asking.witness(*asking.only_if({}, under_a_path, principal=named)).caller.role_arn == plain
    others = {"ArnLike": {"aws:PrincipalArn": [plain, "arn:aws:iam::*:role/aws-service-role/*"]}}
    found = asking.witness(*asking.only_if({}, others, principal=named))
    assert found.caller.role_arn.startswith(f"arn:aws:iam::{world.customer}:role/")
    assert found.caller.role_arn.endswith("/app")


def test_a_service_beside_the_one_that_is_named(asking, world):
    named = world.statement(Effect="Deny", Principal={"Service": "x.amazonaws.com"})
    begins = {"StringLike": {"aws:PrincipalServiceName": "x.amazonaws.com*"}}
    found = asking.witness(*asking.only_if(begins), named)
    assert found.caller.is_service


def test_a_session_with_a_named_id_and_a_name_by_pattern(asking):
    ends = {"StringLike": {"aws:userid": "*:thing"}, "StringEquals": {"aws:PrincipalType": "AssumedRole"}}
    found = asking.witness(*asking.only_if(ends, principal={"AWS": ROLE_ID}))
    assert found.caller.unique_id == ROLE_ID
    assert found.caller.arn.endswith("/thing")


def test_a_named_session_with_an_id_by_pattern(asking, world):
    named = f"arn:aws:sts::{world.customer}:assumed-role/app/thing"
    begins = {"StringLike": {"aws:userid": "AROAZ*:*"}}
    found = asking.witness(*asking.only_if(begins, principal={"AWS": named}))
    assert found.caller.arn == named
    assert found.caller.unique_id.startswith("AROAZ")


def test_a_user_whose_id_only_begins_like_a_named_one(asking, world):
    named = world.statement(Effect="Deny", Principal={"AWS": USER_ID})
    begins = {"StringLike": {"aws:userid": f"{USER_ID}*"}, "StringEquals": {"aws:PrincipalType": "User"}}
    found = asking.witness(*asking.only_if(begins), named)
    assert found.caller.unique_id != USER_ID
