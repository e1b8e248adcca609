# SPDX-License-Identifier: Apache-2.0
"""The file of accounts is read strictly, and the page that explains it shows one that works."""

import re
from pathlib import Path

import pytest

from strongroom.errors import FormatError, UsageError
from strongroom.ids import AccountId
from strongroom.twin.accounts import Directory, PrincipalKind
from strongroom.twin.accounts_file import read_accounts

ACCOUNT = AccountId("1" * 12)
PAGE = Path(__file__).parents[3] / "docs" / "twin.md"
GOOD = """
[[account]]
id = "111111111111"
name = "vendor"

[[account.user]]
name = "release"
access_key_id = "AKIAEXAMPLERELEASE00"
secret_access_key = "example"
policies = ['{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}']

[[account.role]]
name = "app"
"""


def test_a_file_gives_accounts_users_and_roles():
    directory = read_accounts(GOOD.encode())
    credentials = directory.credentials("AKIAEXAMPLERELEASE00")
    assert credentials is not None
    assert credentials.caller_arn == "arn:aws:iam::111111111111:user/release"
    assert len(credentials.principal.policies) == 1
    assert directory.role(ACCOUNT, "app").kind is PrincipalKind.ROLE
    assert set(directory.unique_ids()) == {
        "arn:aws:iam::111111111111:user/release",
        "arn:aws:iam::111111111111:role/app",
    }


def test_the_documented_file_is_read():
    shown = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert shown
    for text in shown:
        assert read_accounts(text.encode()).unique_ids()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[[account]]", "[account"),
        ("[[account]]", "[[accounts]]"),
        ("name = ", "nmae = "),
        ('id = "111111111111"', ""),
        ('id = "111111111111"', "id = 111111111111"),
        ('secret_access_key = "example"', ""),
        ("policies = [", "policies = 1 # ["),
        ("policies = [", "policies = [1, "),
        ('"Allow"', '"Perhaps"'),
        ("[[account.role]]", "[account.role]"),
    ],
)
def test_anything_else_is_refused(old, new):
    assert old in GOOD
    with pytest.raises(FormatError):
        read_accounts(GOOD.replace(old, new).encode())


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(FormatError):
        read_accounts(b"\xff")


@pytest.mark.parametrize(("old", "new"), [('"111111111111"', '"1111"'), ('"release"', '"two words"'), ('"app"', '""')])
def test_names_that_aws_would_not_take_are_refused(old, new):
    with pytest.raises(UsageError):
        read_accounts(GOOD.replace(old, new).encode())


def test_accounts_and_keys_exist_once():
    with pytest.raises(UsageError, match="twice"):
        read_accounts((GOOD + GOOD).encode())
    with pytest.raises(UsageError, match="twice"):
        read_accounts((GOOD + GOOD.replace("1" * 12, "2" * 12)).encode())


def test_what_does_not_exist_is_named():
    directory = Directory()
    with pytest.raises(UsageError, match="account"):
        directory.create_principal(ACCOUNT, PrincipalKind.USER, "u", policies=[])
    with pytest.raises(UsageError, match="role/nobody"):
        directory.role(ACCOUNT, "nobody")
    assert directory.credentials("AKIANOBODY") is None
