# SPDX-License-Identifier: Apache-2.0
"""Keeps a KMS's keys, aliases and grants in the twin's state file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from strongroom.errors import FormatError
from strongroom.formats.tree import Node
from strongroom.twin.kms.keys import Alias, KeptGrant, Key
from strongroom.twin.kms.state_records import (
    alias_body,
    grant_body,
    key_body,
    parse_body,
    read_alias,
    read_grant,
    read_key,
)
from strongroom.twin.kms.store import Change, Item
from strongroom.twin.state_file import Row, StateFile

_READERS: dict[str, Callable[[Node], Item]] = {"kms-key": read_key, "kms-alias": read_alias, "kms-grant": read_grant}
"""By kind of row; keys come first, because the others name them."""


class StateKeeper:
    """A `store.Keeper` in a state file."""

    def __init__(self, file: StateFile) -> None:
        self._file = file

    def load(self) -> Sequence[Item]:
        """Return everything that is kept. Raises FormatError where it is damaged."""
        items = [item for kind in _READERS for item in self._load(kind)]
        arns = {item.arn for item in items if isinstance(item, Key)}
        for item in items:
            if not isinstance(item, Key) and _key_of(item) not in arns:
                raise self._file.damaged(f"the key {_key_of(item)} of a grant or an alias is not there")
        return items

    def keep(self, changes: Sequence[Change]) -> None:
        """Keep all of these changes, or none. Raises LocalFault."""
        self._file.write([_row(change) for change in changes])

    def _load(self, kind: str) -> Iterator[Item]:
        for row in self._file.rows(kind):
            try:
                item = _READERS[kind](parse_body(row.body or ""))
            except FormatError as error:
                raise self._file.damaged(f"{kind} {row.name}: {error}") from error
            if _name(item) != row.name:
                raise self._file.damaged(f"{kind} {row.name} holds {_name(item)}")
            yield item


def _row(change: Change) -> Row:
    kind, body = _written(change.item)
    return Row(kind, _name(change.item), None if change.removed else body)


def _written(item: Item) -> tuple[str, str]:
    if isinstance(item, Key):
        return "kms-key", key_body(item)
    return ("kms-alias", alias_body(item)) if isinstance(item, Alias) else ("kms-grant", grant_body(item))


def _name(item: Item) -> str:
    return item.arn if isinstance(item, Key | Alias) else item.grant.grant_id


def _key_of(item: Alias | KeptGrant) -> str:
    return item.target if isinstance(item, Alias) else item.grant.key_arn
