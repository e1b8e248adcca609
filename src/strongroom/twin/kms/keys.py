# SPDX-License-Identifier: Apache-2.0
"""A KMS key, its key material, its aliases and grants, as values.

KMS Developer Guide, "AWS KMS concepts" and "Key states of AWS KMS keys". What changes is replaced: `store.KeyStore`
holds the latest value of each.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from strongroom.ids import AccountId, KeyArn, Region
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.model import KeyPolicy
from strongroom.twin.accounts import PARTITION
from strongroom.twin.kms.key_specs import KeySpec, KeyUsage

ORIGIN = "AWS_KMS"
"""The only origin of the twin's keys: material that KMS itself made."""


class KeyState(enum.StrEnum):
    """The states a twin's key can be in (KMS Developer Guide, "Key states of AWS KMS keys")."""

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_DELETION = "PendingDeletion"


class RotationType(enum.StrEnum):
    """Why there is a newer key material (KMS API Reference, RotationsListEntry)."""

    AUTOMATIC = "AUTOMATIC"
    ON_DEMAND = "ON_DEMAND"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call was made: in which region, from which account."""

    region: Region
    account_id: AccountId


@dataclass(frozen=True, slots=True)
class Material:
    """One key material. `secret` is random bytes or a private key (PKCS #8, DER); `how` is None for the first one."""

    secret: bytes = field(repr=False)
    created: datetime
    how: RotationType | None = None

    @property
    def material_id(self) -> str:
        """KeyMaterialId: 64 hexadecimal digits. Real ones are as opaque; this one is a digest of the secret."""
        return hashlib.sha256(b"strongroom twin key material\0" + self.secret).hexdigest()


@dataclass(frozen=True, slots=True)
class Rotation:
    """Automatic rotation: every `period_days` days, next at `due`."""

    period_days: int
    due: datetime

    @property
    def following(self) -> Rotation:
        """The same, one period later."""
        return replace(self, due=self.due + timedelta(days=self.period_days))


@dataclass(frozen=True, slots=True)
class Key:
    """A KMS key. `policy` is the parsed form of `policy_text`, with principals bound to the unique ids in `pins`.

    `materials` are in the order they were made: the last one encrypts, all of them decrypt. `deletion` is set exactly
    while the state is PendingDeletion.
    """

    key_id: str
    account_id: AccountId
    region: Region
    created: datetime
    description: str
    spec: KeySpec
    usage: KeyUsage
    policy_text: str = field(repr=False)
    policy: KeyPolicy = field(repr=False)
    pins: Mapping[str, str] = field(repr=False)
    materials: tuple[Material, ...] = field(repr=False)
    tags: Mapping[str, str] = field(default_factory=dict)
    state: KeyState = KeyState.ENABLED
    deletion: datetime | None = None
    rotation: Rotation | None = None

    @property
    def arn(self) -> KeyArn:
        """The key ARN."""
        return KeyArn(f"arn:{PARTITION}:kms:{self.region}:{self.account_id}:key/{self.key_id}")

    @property
    def place(self) -> Place:
        """Where the key lives: its region and its owner."""
        return Place(self.region, self.account_id)

    @property
    def material(self) -> Material:
        """The current key material."""
        return self.materials[-1]

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What the key can be used with."""
        return self.spec.algorithms[self.usage]

    def rotated(self, how: RotationType, at: datetime) -> Key:
        """Return the key with new material in front of the old."""
        return replace(self, materials=(*self.materials, Material(self.spec.new_secret(), at, how)))


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a key, in one account and region. `arn` has the name after `alias/`."""

    arn: str
    target: KeyArn
    created: datetime
    updated: datetime

    @property
    def name(self) -> str:
        """The name with its prefix `alias/`."""
        return self.arn.split(":", 5)[5]


@dataclass(frozen=True, slots=True)
class KeptGrant:
    """A grant with what KMS knows of it besides its meaning. `secret` (32 bytes) makes its grant tokens."""

    grant: Grant
    created: datetime
    secret: bytes = field(repr=False)
