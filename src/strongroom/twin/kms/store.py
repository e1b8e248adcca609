# SPDX-License-Identifier: Apache-2.0
"""Keys, aliases and grants of all accounts and regions. Every change is kept before anybody is told of it.

What time does on its own, deletion after the waiting period and automatic rotation, happens in `settle`, at the next
call after it was due.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol, TypeVar

from strongroom.ids import KeyArn, Region
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.key_names import completed, completed_key, is_alias
from strongroom.twin.kms.keys import Alias, KeptGrant, Key, KeyState, Place, RotationType

Item = Key | Alias | KeptGrant
_Name = TypeVar("_Name")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Change:
    """One item in its new form, or its removal."""

    item: Item
    removed: bool = False


class Keeper(Protocol):
    """Where a store's items outlive the process."""

    def load(self) -> Sequence[Item]:
        """Return everything that is kept. Raises FormatError where it is damaged."""

    def keep(self, changes: Sequence[Change]) -> None:
        """Keep all of these changes, or none: they are on disk on return. Raises LocalFault where they are not."""


class KeyStore:
    """All of it, in memory, and in a keeper where there is one. Safe to use from several threads."""

    def __init__(self, keeper: Keeper | None = None) -> None:
        self._lock = threading.RLock()
        self._keeper = keeper
        self._keys: dict[KeyArn, Key] = {}
        self._arns: dict[tuple[Region, str], KeyArn] = {}
        self._aliases: dict[str, Alias] = {}
        self._named: dict[KeyArn, set[str]] = {}
        self._grants: dict[KeyArn, dict[str, KeptGrant]] = {}
        self._due: datetime | None = None
        for item in keeper.load() if keeper else ():
            self._apply(Change(item))

    # --- keys ---

    @property
    def key_count(self) -> int:
        """How many keys there are."""
        with self._lock:
            return len(self._keys)

    def add_key(self, key: Key) -> None:
        """Add a new key."""
        with self._lock:
            self._commit(Change(key))

    def change_key(self, arn: KeyArn, change: Callable[[Key], Key]) -> Key:
        """Replace a key by what `change` makes of its latest value. Raises AwsFault when it is gone."""
        with self._lock:
            changed = change(self.key(arn))
            self._commit(Change(changed))
            return changed

    def key(self, arn: KeyArn) -> Key:
        """Return a key by its ARN. Raises AwsFault (NotFoundException)."""
        with self._lock:
            key = self._keys.get(arn)
        if key is None:
            raise AwsFault("NotFoundException", f"Key '{arn}' does not exist")
        return key

    def resolve(self, place: Place, identifier: str) -> Key:
        """Return the key that a KeyId parameter names, by an alias too. Raises AwsFault (NotFoundException)."""
        arn = completed(place, identifier)
        if not is_alias(arn):
            return self.key(KeyArn(arn))
        return self.key(self.alias(arn).target)

    def resolve_key(self, place: Place, identifier: str) -> Key:
        """Return the key that a KeyId parameter names without an alias. Raises AwsFault (NotFoundException)."""
        return self.key(KeyArn(completed_key(place, identifier)))

    def by_id(self, region: Region, key_id: str) -> Key | None:
        """Return the key with this id in a region, whoever owns it: how a ciphertext finds its key."""
        with self._lock:
            arn = self._arns.get((region, key_id))
            return self._keys[arn] if arn else None

    def keys_in(self, place: Place) -> tuple[Key, ...]:
        """Return an account's keys in a region, by their ids."""
        with self._lock:
            found = [key for key in self._keys.values() if key.place == place]
        return tuple(sorted(found, key=lambda key: key.key_id))

    # --- aliases ---

    def add_alias(self, alias: Alias, *, maximum: int) -> None:
        """Add a new alias; a key has at most `maximum`. Raises AwsFault."""
        with self._lock:
            if alias.arn in self._aliases:
                raise AwsFault("AlreadyExistsException", f"An alias with the name {alias.arn} already exists")
            self._expect_room(alias, maximum)
            self._commit(Change(alias))

    def point_alias(self, alias: Alias, *, maximum: int) -> None:
        """Point an alias that exists at another key. Raises AwsFault."""
        with self._lock:
            if self.alias(alias.arn).target != alias.target:
                self._expect_room(alias, maximum)
            self._commit(Change(alias))

    def remove_alias(self, arn: str) -> None:
        """Remove an alias. Raises AwsFault (NotFoundException)."""
        with self._lock:
            self._commit(Change(self.alias(arn), removed=True))

    def alias(self, arn: str) -> Alias:
        """Return an alias by its ARN. Raises AwsFault (NotFoundException)."""
        with self._lock:
            found = self._aliases.get(arn)
        if found is None:
            raise AwsFault("NotFoundException", f"Alias {arn} is not found.")
        return found

    def aliases_in(self, place: Place) -> tuple[Alias, ...]:
        """Return an account's aliases in a region, by their names."""
        prefix = f":{place.region}:{place.account_id}:alias/"
        with self._lock:
            found = [alias for alias in self._aliases.values() if prefix in alias.arn]
        return tuple(sorted(found, key=lambda alias: alias.arn))

    def aliases_of(self, arn: KeyArn) -> tuple[Alias, ...]:
        """Return the aliases of a key."""
        with self._lock:
            return tuple(self._aliases[each] for each in self._named.get(arn, ()))

    def _expect_room(self, alias: Alias, maximum: int) -> None:
        if len(self._named.get(alias.target, ())) >= maximum:
            raise AwsFault(
                "LimitExceededException", f"A key has at most {maximum} aliases, and {alias.target} has them."
            )

    # --- grants ---

    def add_grant(self, kept: KeptGrant) -> KeptGrant:
        """Add a grant. One with a name is not made twice: the same again returns the first (CreateGrant, Name)."""
        with self._lock:
            for other in self._grants.get(kept.grant.key_arn, {}).values():
                if kept.grant.name and replace(kept.grant, grant_id=other.grant.grant_id) == other.grant:
                    return other
            self._commit(Change(kept))
            return kept

    def remove_grant(self, kept: KeptGrant) -> None:
        """Remove a grant; whoever was first has done it."""
        with self._lock:
            if kept.grant.grant_id in self._grants.get(kept.grant.key_arn, {}):
                self._commit(Change(kept, removed=True))

    def grants_on(self, arn: KeyArn) -> tuple[KeptGrant, ...]:
        """Return a key's grants, by their ids."""
        with self._lock:
            found = tuple(self._grants.get(arn, {}).values())
        return tuple(sorted(found, key=lambda kept: kept.grant.grant_id)) if len(found) > 1 else found

    def grants_in(self, region: Region) -> tuple[KeptGrant, ...]:
        """Return every grant in a region, by their ids."""
        with self._lock:
            found = [
                kept for arn, each in self._grants.items() if self._keys[arn].region == region for kept in each.values()
            ]
        return tuple(sorted(found, key=lambda kept: kept.grant.grant_id))

    # --- time ---

    def settle(self, now: datetime) -> None:
        """Do what has come due by now: remove keys whose waiting period is over, rotate those whose day it is."""
        if self._due is None or now < self._due:
            return
        with self._lock:
            self._due = None
            for key in tuple(self._keys.values()):
                self._settle_key(key, now)

    def _settle_key(self, key: Key, now: datetime) -> None:
        if key.deletion is not None and key.deletion <= now:
            gone: tuple[Item, ...] = (*self.aliases_of(key.arn), *self._grants.get(key.arn, {}).values(), key)
            self._commit(*(Change(item, removed=True) for item in gone))
            return
        rotated = key
        while rotated.state is KeyState.ENABLED and rotated.rotation and rotated.rotation.due <= now:
            due, following = rotated.rotation.due, rotated.rotation.following
            rotated = replace(rotated.rotated(RotationType.AUTOMATIC, due), rotation=following)
        if rotated is not key:
            self._commit(Change(rotated))
        self._await(rotated)

    def _await(self, key: Key) -> None:
        """Note when time is to change a key next."""
        rotation = key.rotation.due if key.rotation and key.state is KeyState.ENABLED else None
        for due in (key.deletion, rotation):
            if due is not None and (self._due is None or due < self._due):
                self._due = due

    # --- changes ---

    def _commit(self, *changes: Change) -> None:
        if self._keeper is not None:
            self._keeper.keep(changes)
        for change in changes:
            self._apply(change)

    def _apply(self, change: Change) -> None:
        item, removed = change.item, change.removed
        if isinstance(item, Key):
            _put(self._keys, item.arn, item, removed=removed)
            _put(self._arns, (item.region, item.key_id), item.arn, removed=removed)
            if not removed:
                self._await(item)
        elif isinstance(item, Alias):
            self._apply_alias(item, removed=removed)
        else:
            on_key = self._grants.setdefault(item.grant.key_arn, {})
            _put(on_key, item.grant.grant_id, item, removed=removed)
            if not on_key:
                del self._grants[item.grant.key_arn]

    def _apply_alias(self, alias: Alias, *, removed: bool) -> None:
        before = self._aliases.get(alias.arn)
        if before is not None:
            self._named[before.target].discard(alias.arn)
        if not removed:
            self._named.setdefault(alias.target, set()).add(alias.arn)
        _put(self._aliases, alias.arn, alias, removed=removed)


def _put(table: dict[_Name, _Value], name: _Name, value: _Value, *, removed: bool) -> None:
    if removed:
        del table[name]
    else:
        table[name] = value
