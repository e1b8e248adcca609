# SPDX-License-Identifier: Apache-2.0
"""Keys and aliases of all accounts and regions, and how a KeyId parameter finds one.

KMS API Reference, "Key identifiers (KeyId)": a bare id or alias name is looked up in the caller's own account, so
another account's key must be named by an ARN.
"""

from __future__ import annotations

import enum
import re
import secrets
import threading
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime

from strongroom.ids import AccountId, KeyArn, Region
from strongroom.keypolicy.model import KeyPolicy
from strongroom.twin.accounts import PARTITION
from strongroom.twin.fault import AwsFault

_KEY_ARN = re.compile(r"arn:aws:kms:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):(?P<kind>key|alias)/(?P<name>[\w/-]+)")
_KEY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ALIAS = re.compile(r"alias/[a-zA-Z0-9/_-]{1,250}")


class KeyState(enum.StrEnum):
    """The states a twin's key can be in (KMS Developer Guide, "Key states of AWS KMS keys")."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"


@dataclass(frozen=True, slots=True)
class Key:
    """A symmetric encryption key. `policy` is the parsed form of `policy_text`, with principals bound to unique ids."""

    key_id: str
    account_id: AccountId
    region: Region
    created: datetime
    description: str
    policy_text: str = field(repr=False)
    policy: KeyPolicy = field(repr=False)
    material: bytes = field(repr=False)
    state: KeyState = KeyState.ENABLED
    deletion: datetime | None = None

    @property
    def arn(self) -> KeyArn:
        """The key ARN."""
        return KeyArn(f"arn:{PARTITION}:kms:{self.region}:{self.account_id}:key/{self.key_id}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call was made: in which region, from which account."""

    region: Region
    account_id: AccountId


class KeyStore:
    """All keys, in memory. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: dict[KeyArn, Key] = {}
        self._aliases: dict[str, KeyArn] = {}

    def create(self, place: Place, *, created: datetime, description: str, policy_text: str, policy: KeyPolicy) -> Key:
        """Add a new key with random key material."""
        key = Key(
            key_id=str(uuid.uuid4()),
            account_id=place.account_id,
            region=place.region,
            created=created,
            description=description,
            policy_text=policy_text,
            policy=policy,
            material=secrets.token_bytes(32),
        )
        with self._lock:
            self._keys[key.arn] = key
        return key

    def put_policy(self, arn: KeyArn, *, policy_text: str, policy: KeyPolicy) -> None:
        """Replace a key's policy."""
        with self._lock:
            self._keys[arn] = replace(self._keys[arn], policy_text=policy_text, policy=policy)

    def put_state(self, arn: KeyArn, state: KeyState, *, deletion: datetime | None = None) -> None:
        """Put a key into another state."""
        with self._lock:
            self._keys[arn] = replace(self._keys[arn], state=state, deletion=deletion)

    def create_alias(self, place: Place, name: str, target: Key) -> None:
        """Point a new alias at a key. Raises AwsFault."""
        if not _ALIAS.fullmatch(name) or name.startswith("alias/aws/"):
            raise AwsFault(
                "InvalidAliasNameException", f"Alias must start with the prefix \"alias/\". Found '{name[:64]}'."
            )
        arn = _alias_arn(place, name)
        with self._lock:
            if arn in self._aliases:
                raise AwsFault("AlreadyExistsException", f"An alias with the name {arn} already exists")
            self._aliases[arn] = target.arn

    def resolve(self, place: Place, identifier: str) -> Key:
        """Return the key that a KeyId parameter names. Raises AwsFault (NotFoundException)."""
        arn = _as_arn(place, identifier)
        with self._lock:
            target = self._aliases.get(arn) if ":alias/" in arn else KeyArn(arn)
            key = self._keys.get(target) if target else None
        if key is not None:
            return key
        if ":alias/" in arn:
            raise AwsFault("NotFoundException", f"Alias {arn} is not found.")
        raise AwsFault("NotFoundException", f"Key '{arn}' does not exist")

    def by_id(self, region: Region, key_id: str) -> Key | None:
        """Return the key with this id in a region, whoever owns it: how a ciphertext finds its key."""
        with self._lock:
            return next((key for key in self._keys.values() if key.region == region and key.key_id == key_id), None)


def _alias_arn(place: Place, name: str) -> str:
    return f"arn:{PARTITION}:kms:{place.region}:{place.account_id}:{name}"


def _as_arn(place: Place, identifier: str) -> str:
    """Complete an identifier by the caller's own account and region."""
    if _KEY_ID.fullmatch(identifier):
        return f"arn:{PARTITION}:kms:{place.region}:{place.account_id}:key/{identifier}"
    if _ALIAS.fullmatch(identifier):
        return _alias_arn(place, identifier)
    found = _KEY_ARN.fullmatch(identifier)
    if found is None:
        raise AwsFault("NotFoundException", f"Invalid keyId '{identifier[:128]}'")
    if found["region"] != place.region:
        raise AwsFault("NotFoundException", f"Invalid arn {found['region']}")
    return identifier
