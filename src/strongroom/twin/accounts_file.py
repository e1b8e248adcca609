# SPDX-License-Identifier: Apache-2.0
"""Reads the twin's file of accounts (TOML; docs/twin.md shows one). Strict: an unknown word is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

from strongroom.errors import FormatError
from strongroom.twin.accounts import Directory, PrincipalKind
from strongroom.twin.permissions import parse_trust_policy

MAX_FILE_BYTES = 1 << 20
_SPEC = "docs/twin.md"
_KEYS = {"access_key_id", "secret_access_key"}


def read_accounts(data: bytes) -> Directory:
    """Return the accounts, users and roles that a file describes. Raises FormatError, or UsageError for bad names."""
    try:
        document = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError("twin.accounts", f"expected a TOML file of accounts: {error}", spec=_SPEC) from error
    directory = Directory()
    _expect_words(document, "the file", required=set(), optional={"account"})
    for account in _tables(document, "account"):
        _add_account(directory, account)
    return directory


def _add_account(directory: Directory, table: Mapping[str, object]) -> None:
    _expect_words(table, "[[account]]", required={"id"}, optional={"name", "user", "role"})
    account_id = directory.create_account(_text(table, "id"), name=_text(table, "name"))
    for user in _tables(table, "user"):
        _expect_words(user, "[[account.user]]", required={"name"} | _KEYS, optional={"policies"})
        principal = directory.create_principal(
            account_id, PrincipalKind.USER, _text(user, "name"), policies=_texts(user, "policies")
        )
        directory.add_key(
            principal,
            access_key_id=_text(user, "access_key_id"),
            secret_access_key=_text(user, "secret_access_key"),
        )
    for role in _tables(table, "role"):
        _expect_words(role, "[[account.role]]", required={"name"}, optional={"policies", "trust"})
        trust = _text(role, "trust")
        if trust:
            parse_trust_policy(trust)
        directory.create_principal(
            account_id, PrincipalKind.ROLE, _text(role, "name"), policies=_texts(role, "policies"), trust=trust
        )


def _refuse(message: str) -> FormatError:
    return FormatError("twin.accounts", message, spec=_SPEC)


def _expect_words(table: Mapping[str, object], where: str, *, required: set[str], optional: set[str]) -> None:
    unknown = table.keys() - required - optional
    missing = required - table.keys()
    if unknown:
        raise _refuse(f"{where}: expected only {', '.join(sorted(required | optional))}, found {min(unknown)!r}")
    if missing:
        raise _refuse(f"{where}: expected {min(missing)!r}, found none")


def _tables(table: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _refuse(f"{name}: expected tables ([[{name}]]), found something else")
    return value


def _text(table: Mapping[str, object], name: str) -> str:
    value = table.get(name, "")
    if not isinstance(value, str):
        raise _refuse(f"{name}: expected a text, found {type(value).__name__}")
    return value


def _texts(table: Mapping[str, object], name: str) -> list[str]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _refuse(f"{name}: expected a list of texts, each a policy in JSON, found something else")
    return value
