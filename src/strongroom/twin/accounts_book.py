# SPDX-License-Identifier: Apache-2.0
"""The file of accounts in a twin's folder: made with the first start, added to when an account is asked for.

It is the TOML of `accounts_file`, and may be edited by hand while the twin is down. Each account that is made here has
one user, `admin`, who may do everything in it: the account's profile in the AWS configuration is his. The accounts of a
new file have the roles, too, that key policies and instances need: who seals, releases and opens in an emergency.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import FormatError, UsageError
from strongroom.flows.files import PRIVATE_MODE, read_file, write_file
from strongroom.formats.names import ACCOUNT_ID, ID
from strongroom.ids import AccountId
from strongroom.twin.accounts import FULL_ACCESS, Credentials, Directory, new_access_key_id
from strongroom.twin.accounts_file import MAX_FILE_BYTES, read_accounts

DEFAULT_ACCOUNTS: Mapping[str, str] = {"vendor": "111111111111", "customer": "222222222222"}
"""No real account has these ids."""
DEFAULT_ROLES: Mapping[str, tuple[str, ...]] = {"vendor": ("sealer", "release", "escrow"), "customer": ("app",)}
"""By account. They stand in the file because what IAM is told while the twin runs is gone when it ends, and KMS stores
of a role that a policy names its unique id alone. Whoever is in the account may assume them."""
ADMIN = "admin"
_EVERYTHING = json.dumps(json.loads(FULL_ACCESS))
_HEAD = """\
# The accounts of this twin (docs/twin.md, "The file of accounts"). The keys work on it alone, but for everything in it.
# It is read when the twin starts.
"""


@dataclass(frozen=True, slots=True)
class AccountsBook:
    """What the file says: the directory, and the accounts' ids and administrators by name."""

    directory: Directory
    accounts: Mapping[str, AccountId]
    profiles: Mapping[str, Credentials]
    """By account name: the first access key in it. An account without one has no profile."""


def open_accounts(path: Path, wanted: Mapping[str, str]) -> AccountsBook:
    """Return what is in the file, after adding the accounts of `wanted` (ids by name) that it has not.

    A new file has DEFAULT_ACCOUNTS as well. Raises UsageError for a name or an id that the file has for another
    account, FormatError for a damaged file, LocalFault.
    """
    is_new = not os.path.lexists(path)
    text = _HEAD if is_new else read_file(path, maximum_bytes=MAX_FILE_BYTES).decode("utf-8", "surrogateescape")
    known = {} if is_new else {name: str(each) for each, name in _read(text, path).accounts().items() if name}
    missing = dict(DEFAULT_ACCOUNTS) if is_new else {}
    for name, account_id in wanted.items():
        _expect_consistent(name, account_id, known | missing)
        if name not in known:
            missing[name] = account_id
    if missing:
        roles = DEFAULT_ROLES if is_new else {}
        text += "".join(_table(name, account_id, roles.get(name, ())) for name, account_id in missing.items())
        write_file(path, text.encode("utf-8", "surrogateescape"), mode=PRIVATE_MODE)
    directory = _read(text, path)
    accounts = {name: account_id for account_id, name in directory.accounts().items() if name}
    keys = {name: directory.first_key(account_id) for name, account_id in accounts.items()}
    return AccountsBook(directory, accounts, {name: key for name, key in keys.items() if key})


def _read(text: str, path: Path) -> Directory:
    """Read the file, in which names of accounts are profiles: each is a word, and nobody else's."""
    directory = read_accounts(text.encode("utf-8", "surrogateescape"))
    names = [name for name in directory.accounts().values() if name]
    wrong = [name for name in names if not ID.fullmatch(name) or names.count(name) > 1]
    if wrong:
        raise FormatError(
            "twin.account-name",
            f"expected accounts with a name of their own, of a-z, 0-9 and -, in {path}, found {wrong[0][:64]!r}",
            spec="docs/twin.md, the file of accounts",
        )
    return directory


def _expect_consistent(name: str, account_id: str, known: Mapping[str, str]) -> None:
    if not ID.fullmatch(name) or not ACCOUNT_ID.fullmatch(account_id):
        raise UsageError(
            "twin.account-option",
            "expected --account NAME=ID, a name of a-z, 0-9 and - and an id of 12 digits, found "
            f"{name[:64]}={account_id[:64]}",
        )
    taken = next((other for other, other_id in known.items() if other_id == account_id), name)
    if known.get(name, account_id) != account_id or taken != name:
        there = name if name in known else taken
        raise UsageError(
            "twin.account-taken",
            f"expected {name}={account_id} to fit the accounts of this twin, found {there}={known[there]}",
            remedy="Accounts keep their names and ids: choose others, or name another folder with --folder.",
        )


def _table(name: str, account_id: str, roles: Iterable[str]) -> str:
    user = f"""
[[account]]
id = "{account_id}"
name = "{name}"

[[account.user]]
name = "{ADMIN}"
access_key_id = "{new_access_key_id()}"
secret_access_key = "{secrets.token_urlsafe(30)}"
policies = ['{_EVERYTHING}']
"""
    return user + "".join(_role(role, account_id) for role in roles)


def _role(name: str, account_id: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": account_id}, "Action": "sts:AssumeRole"}
    return f"""
[[account.role]]
name = "{name}"
policies = ['{_EVERYTHING}']
trust = '{json.dumps({"Version": "2012-10-17", "Statement": [statement]})}'
"""
