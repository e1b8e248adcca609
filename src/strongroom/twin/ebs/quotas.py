# SPDX-License-Identifier: Apache-2.0
"""How many requests a second, and how many pending snapshots, an account may have. Off unless somebody sets them.

AWS General Reference, "Amazon EBS endpoints and quotas". Each rate is a bucket that holds one second's worth.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from strongroom.twin.ebs.fault import throttled

_ACCOUNT, _SNAPSHOT = "ACCOUNT_THROTTLED", "RESOURCE_LEVEL_THROTTLE"


@dataclass(frozen=True, slots=True)
class Quotas:
    """Requests per second by operation, for an account in a Region and for one snapshot; None is no limit."""

    per_account: dict[str, float] = field(default_factory=dict)
    per_snapshot: dict[str, float] = field(default_factory=dict)
    pending_snapshots: int | None = None


AWS_QUOTAS = Quotas(
    per_account={
        "PutSnapshotBlock": 1000,
        "GetSnapshotBlock": 1000,
        "ListSnapshotBlocks": 50,
        "ListChangedBlocks": 50,
        "StartSnapshot": 10,
        "CompleteSnapshot": 10,
    },
    per_snapshot={"PutSnapshotBlock": 1000, "GetSnapshotBlock": 1000},
    pending_snapshots=100,
)
"""Those of a new account in a large Region."""


class Meter:
    """Counts requests against `quotas`, by `clock`, in seconds. Safe to use from several threads."""

    def __init__(self) -> None:
        self.quotas = Quotas()
        self.clock: Callable[[], float] = time.monotonic
        self._lock = threading.Lock()
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}

    def count(self, operation: str, *, account: str, snapshot: str) -> None:
        """Count a request. Raises EbsFault (RequestThrottledException) when it is one too many."""
        for name, rates, reason in (
            (account, self.quotas.per_account, _ACCOUNT),
            (snapshot, self.quotas.per_snapshot, _SNAPSHOT),
        ):
            rate = rates.get(operation)
            if rate is not None and name and not self._taken(operation, name, rate):
                raise throttled(reason)

    def _taken(self, operation: str, name: str, rate: float) -> bool:
        with self._lock:
            now = self.clock()
            left, at = self._buckets.get((operation, name), (rate, now))
            left = min(rate, left + (now - at) * rate)
            self._buckets[operation, name] = (left - 1 if left >= 1 else left, now)
            return left >= 1
