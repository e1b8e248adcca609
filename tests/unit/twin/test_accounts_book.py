# SPDX-License-Identifier: Apache-2.0
"""The file of accounts in a twin's folder: made once, added to, never contradicted."""

import stat

import pytest

from strongroom.errors import FormatError, UsageError
from strongroom.twin.accounts import PrincipalKind
from strongroom.twin.accounts_book import DEFAULT_ACCOUNTS, open_accounts
from strongroom.twin.accounts_file import read_accounts


@pytest.fixture
def path(tmp_path):
    return tmp_path / "accounts.toml"


def test_a_new_file_has_a_vendor_and_a_customer_with_an_administrator_each(path):
    book = open_accounts(path, {})
    assert dict(book.accounts) == DEFAULT_ACCOUNTS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for name, key in book.profiles.items():
        assert key.principal.arn == f"arn:aws:iam::{DEFAULT_ACCOUNTS[name]}:user/admin"
        assert key.principal.kind is PrincipalKind.USER
        assert len(key.access_key_id) == 20


def test_keys_are_the_same_each_time_and_differ_from_twin_to_twin(path, tmp_path):
    first, again = (open_accounts(path, {}).profiles["vendor"] for _ in range(2))
    assert first.secret_access_key == again.secret_access_key
    other = open_accounts(tmp_path / "other.toml", {}).profiles["vendor"]
    assert {first.access_key_id, first.secret_access_key}.isdisjoint({other.access_key_id, other.secret_access_key})


def test_an_account_is_added_once_and_keeps_what_was_edited(path):
    open_accounts(path, {})
    path.write_text(path.read_text() + '\n# mine\n[[account]]\nid = "444444444444"\nname = "fourth"\n')
    book = open_accounts(path, {"supplier": "333333333333"})
    assert book.accounts["supplier"] == "333333333333"
    assert "fourth" in book.accounts
    assert "fourth" not in book.profiles
    text = path.read_text()
    assert "# mine" in text
    open_accounts(path, {"supplier": "333333333333", "vendor": "111111111111"})
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("name", "account"),
    [("vendor", "999999999999"), ("other", "111111111111"), ("customer", "111111111111")],
)
@pytest.mark.parametrize("is_new", [True, False])
def test_names_and_ids_stay_together(path, is_new, name, account):
    if not is_new:
        open_accounts(path, {})
    with pytest.raises(UsageError) as caught:
        open_accounts(path, {name: account})
    assert caught.value.code == "twin.account-taken"
    assert path.exists() is not is_new


@pytest.mark.parametrize(
    ("name", "account"),
    [("", "333333333333"), ("a b", "333333333333"), ("x", "33"), ("x", ""), ("a]\n[b", "333333333333")],
)
def test_what_is_no_name_or_no_id_is_refused(path, name, account):
    with pytest.raises(UsageError) as caught:
        open_accounts(path, {name: account})
    assert caught.value.code == "twin.account-option"
    assert not path.exists()


@pytest.mark.parametrize("text", ["", "\n"])
def test_a_file_without_accounts_is_left_alone(path, text):
    path.write_text(text + "# nobody\n")
    assert open_accounts(path, {}).accounts == {}


def test_a_damaged_file_is_refused_and_left_as_it_is(path):
    path.write_bytes(b"\xff[[account]]")
    with pytest.raises(FormatError):
        open_accounts(path, {"supplier": "333333333333"})
    assert path.read_bytes() == b"\xff[[account]]"


@pytest.mark.parametrize(
    "text",
    [
        '[[account]]\nid = "111111111111"\nname = "A B"\n',
        '[[account]]\nid = "111111111111"\nname = "a"\n[[account]]\nid = "222222222222"\nname = "a"\n',
    ],
)
def test_a_name_that_is_none_or_anothers_is_refused(path, text):
    path.write_text(text)
    with pytest.raises(FormatError) as caught:
        open_accounts(path, {})
    assert caught.value.code == "twin.account-name"


def test_a_trust_policy_in_the_file_is_looked_at_when_it_is_read():
    text = '[[account]]\nid = "111111111111"\n[[account.role]]\nname = "r"\ntrust = "{}"\n'
    with pytest.raises(FormatError):
        read_accounts(text.encode())
