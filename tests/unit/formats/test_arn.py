# SPDX-License-Identifier: Apache-2.0
"""Key ARNs."""

import pytest

from strongroom.errors import FormatError
from strongroom.formats.arn import arn_account, arn_region, parse_account_root, parse_key_arn, role_of_session


def test_a_key_arn_tells_partition_region_and_account():
    parts = parse_key_arn("arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-00")
    assert (parts.partition, parts.region, parts.account) == ("aws-us-gov", "us-gov-west-1", "111122223333")


@pytest.mark.attack("K5")
@pytest.mark.parametrize(
    "text",
    [
        "alias/x",
        "arn:aws:kms:eu-central-1:111122223333:alias/x",
        "arn:aws:kms:eu-central-1:111122223333:key/",
        "arn:aws:kms:eu-central-1:11112222333:key/a",
        "arn:aws:s3:eu-central-1:111122223333:key/a",
        "arn:aws:kms::111122223333:key/a",
        "arn:aws:kms:eu-central-1:111122223333:key/a\n",
        "arn:other:kms:eu-central-1:111122223333:key/a",
    ],
)
def test_anything_but_a_full_key_arn_is_refused(text):
    with pytest.raises(FormatError) as caught:
        parse_key_arn(text, offset=7)
    assert (caught.value.code, caught.value.offset) == ("arn.key", 7)


def test_the_root_of_an_account_stands_for_it():
    found = parse_account_root("arn:aws-us-gov:iam::111122223333:root")
    assert (found.partition, found.account) == ("aws-us-gov", "111122223333")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "111122223333",
        "arn:aws:iam::111122223333:role/root",
        "arn:aws:iam::11112222333:root",
        "AROA1234567890AB",
    ],
)
def test_another_principal_is_no_account(text):
    with pytest.raises(FormatError) as caught:
        parse_account_root(text)
    assert caught.value.code == "arn.account-root"


@pytest.mark.parametrize(
    ("arn", "role"),
    [
        ("arn:aws:sts::111122223333:assumed-role/release/me@example.com", "release"),
        ("arn:aws:sts::111122223333:assumed-role/release", None),
        ("arn:aws:sts::111122223333:assumed-role/teams/release/me", None),
        ("arn:aws:sts::111122223333:federated-user/release", None),
        ("arn:aws:iam::111122223333:role/release", None),
        ("arn:aws:iam::111122223333:user/release", None),
    ],
)
def test_a_role_session_names_its_role_and_nobody_else_does(arn, role):
    assert role_of_session(arn) == role


def test_the_region_and_the_account_of_an_arn_stand_in_their_places():
    key = "arn:aws:kms:eu-central-1:444455556666:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    assert (arn_region(key), arn_account(key)) == ("eu-central-1", "444455556666")
    role = "arn:aws:iam::111122223333:role/a:b"
    assert (arn_region(role), arn_account(role)) == ("", "111122223333")
