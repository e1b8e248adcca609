# SPDX-License-Identifier: Apache-2.0
"""Grants as data: what KMS takes, and what a grant's CreateGrant may make. Source: KMS API Reference, CreateGrant."""

import pytest

from strongroom.errors import FormatError
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.grants import Grant, GrantConstraints, grant_principal, grant_service
from strongroom.keypolicy.principals import PrincipalKind

VENDOR, APP = "444455556666", "arn:aws:iam::111122223333:role/app"


def grant(*operations, **constraints):
    made = GrantConstraints.of(**constraints)
    key = KeyArn(f"arn:aws:kms:eu-central-1:{VENDOR}:key/1")
    return Grant("g", key, AccountId(VENDOR), grant_principal(APP), frozenset(operations), None, made)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (VENDOR, PrincipalKind.ACCOUNT),
        (f"arn:aws:iam::{VENDOR}:root", PrincipalKind.ACCOUNT),
        (APP, PrincipalKind.ENTITY),
        (f"arn:aws:iam::{VENDOR}:user/division/who", PrincipalKind.ENTITY),
        (f"arn:aws:sts::{VENDOR}:assumed-role/r/s", PrincipalKind.SESSION),
        (f"arn:aws:sts::{VENDOR}:federated-user/who", PrincipalKind.SESSION),
    ],
)
def test_every_form_of_a_grantee_is_read(text, kind):
    assert grant_principal(text).kind is kind


@pytest.mark.parametrize("text", ["*", "", "arn:aws:iam::444455556666:group/g", "ec2.amazonaws.com", "role/app"])
def test_what_is_no_grantee_is_refused(text):
    with pytest.raises(FormatError) as caught:
        grant_principal(text)
    assert caught.value.code == "keypolicy.grant-principal"


def test_a_service_is_a_grantee_of_its_own_kind():
    assert grant_service("ec2.amazonaws.com").kind is PrincipalKind.SERVICE
    for text in ("*", "ec2", VENDOR):
        with pytest.raises(FormatError) as caught:
            grant_service(text)
        assert caught.value.code == "keypolicy.grant-principal"


@pytest.mark.parametrize("operations", [(), ("PutKeyPolicy",), ("Decrypt", "kms:Decrypt"), ("decrypt",)])
def test_only_operations_of_grants_can_be_granted(operations):
    with pytest.raises(FormatError) as caught:
        grant(*operations)
    assert caught.value.code == "keypolicy.grant-operation"


@pytest.mark.parametrize(
    "pairs", [{str(n): "x" for n in range(9)}, {"App": "x", "app": "y"}, {"app": "x" * 385}], ids=["9", "case", "long"]
)
@pytest.mark.parametrize("name", ["equals", "subset"])
def test_constraints_have_limits(name, pairs):
    with pytest.raises(FormatError) as caught:
        GrantConstraints.of(**{name: pairs})
    assert caught.value.code == "keypolicy.grant-constraint"


def test_constraints_say_what_they_are():
    assert GrantConstraints.of().names == ()
    both = GrantConstraints.of(equals={"a": "1"}, subset={}, source_arn="arn:aws:s3:::b")
    assert both.names == ("EncryptionContextEquals", "EncryptionContextSubset", "SourceArn")


@pytest.mark.parametrize(
    ("parent", "child", "may"),
    [
        ({}, {}, True),
        ({}, {"subset": {"a": "1"}}, True),
        ({"subset": {"a": "1"}}, {}, False),
        ({"subset": {"a": "1"}}, {"subset": {"A": "1", "b": "2"}}, True),
        ({"subset": {"a": "1"}}, {"subset": {"a": "2"}}, False),
        ({"subset": {"a": "1"}}, {"equals": {"a": "1", "b": "2"}}, True),
        ({"subset": {"a": "1"}}, {"equals": {"b": "2"}}, False),
        ({"equals": {"a": "1"}}, {"equals": {"A": "1"}}, True),
        ({"equals": {"a": "1"}}, {"equals": {"a": "1", "b": "2"}}, False),
        ({"equals": {"a": "1"}}, {"subset": {"a": "1"}}, False),
        ({"equals": {}}, {"equals": {}}, True),
        ({"equals": {}}, {}, False),
        ({"source_arn": "arn:aws:s3:::b"}, {}, False),
        ({"source_arn": "arn:aws:s3:::b"}, {"source_arn": "arn:aws:s3:::b"}, True),
        ({}, {"source_arn": "arn:aws:s3:::b"}, True),
    ],
)
def test_a_grant_makes_grants_that_are_no_less_strict(parent, child, may):
    assert grant("Decrypt", "CreateGrant", **parent).covers(grant("Decrypt", **child)) is may


def test_a_grant_makes_no_grant_of_more_operations():
    parent = grant("Decrypt", "CreateGrant")
    assert parent.covers(grant("Decrypt", "CreateGrant"))
    assert not parent.covers(grant("Decrypt", "Encrypt"))
