# SPDX-License-Identifier: Apache-2.0
"""What a snapshot is, beside its data. EBS API model, StartSnapshot; EBS User Guide, "EBS direct APIs concepts"."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from strongroom.ids import AccountId, KeyArn, Region, SnapshotId
from strongroom.twin.accounts import PARTITION

BLOCK_BYTES = 524_288
"""The only size of a block."""
BLOCKS_PER_GIB = 2048
MAX_VOLUME_GIB = 65_536
MAX_SHARES = 1_000
"""Accounts with which one snapshot is shared."""
DEFAULT_TIMEOUT = timedelta(minutes=60)


class SnapshotStatus(enum.StrEnum):
    """Where a snapshot is in its life."""

    PENDING = "pending"
    COMPLETED = "completed"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One snapshot of one account. Times are aware.

    `lineage` is the first of its ancestors: only snapshots of one lineage are compared. `completed` is when it counts
    as completed, which may be in the future; `contents` is then what `Blocks.contents` was. `shared_with` are the
    accounts that may read it and make volumes of it.
    """

    snapshot_id: SnapshotId
    account_id: AccountId
    region: Region
    volume_gib: int
    description: str
    tags: Mapping[str, str]
    parent: SnapshotId | None
    lineage: SnapshotId
    key_arn: KeyArn | None
    started: datetime
    timeout: timedelta
    client_token: str
    request: str
    sealed: bool = False
    cancelled: bool = False
    completed: datetime | None = None
    contents: str = ""
    shared_with: frozenset[AccountId] = frozenset()

    @property
    def encrypted(self) -> bool:
        """Whether blocks that were never written read as anything else than zeros."""
        return self.key_arn is not None

    @property
    def block_count(self) -> int:
        """How many blocks the volume has."""
        return self.volume_gib * BLOCKS_PER_GIB

    def status(self, now: datetime) -> SnapshotStatus:
        """Return the status at a time."""
        if self.cancelled:
            return SnapshotStatus.ERROR
        done = self.completed is not None and self.completed <= now
        return SnapshotStatus.COMPLETED if done else SnapshotStatus.PENDING

    def readable_by(self, account_id: AccountId) -> bool:
        """Whether an account may know of it."""
        return account_id == self.account_id or account_id in self.shared_with


def snapshot_arn(region: Region, snapshot_id: str = "*") -> str:
    """Return a snapshot's ARN, which names no account (Service Authorization Reference, Amazon EBS)."""
    return f"arn:{PARTITION}:ec2:{region}::snapshot/{snapshot_id}"


def new_snapshot_id() -> SnapshotId:
    """Return an id that no other snapshot has."""
    return SnapshotId(f"snap-{secrets.token_hex(9)[:17]}")
