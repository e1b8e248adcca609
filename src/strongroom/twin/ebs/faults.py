# SPDX-License-Identifier: Apache-2.0
"""Trouble on purpose: what a service far away does to an uploader now and then.

::

    twin.ebs.faults = Faults(latency=timedelta(milliseconds=100), error_rate=0.02, seed=7)

Every chance comes from `seed`; print it, and the same order of calls meets the same trouble again.
"""

from __future__ import annotations

import errno
import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from strongroom.ids import SnapshotId
from strongroom.twin.ebs.fault import internal, no_snapshot, throttled


@dataclass
class Faults:
    """What goes wrong. Rates are from 0 to 1, each for itself.

    `error_rate` answers 500 before anything happened, `throttle_rate` RequestThrottledException. With `reset_rate` the
    connection ends without an answer before anything happened, with `lost_answer_rate` after it did.
    `unknown_puts` is how many of the first PutSnapshotBlocks on each snapshot find that it does not exist yet, as
    uploaders saw on AWS (awslabs/coldsnap issue 43).
    """

    latency: timedelta = timedelta(0)
    error_rate: float = 0
    throttle_rate: float = 0
    reset_rate: float = 0
    lost_answer_rate: float = 0
    unknown_puts: int = 0
    seed: int = field(default_factory=lambda: secrets.randbits(32))
    sleep: Callable[[float], None] = field(default=time.sleep, repr=False)

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 -- trouble is to come again with its seed
        self._lock = threading.Lock()
        self._unknown: dict[SnapshotId, int] = {}

    def before(self, operation: str, snapshot_id: SnapshotId | None) -> None:
        """Let trouble come before a call is carried out. Raises EbsFault, or ConnectionResetError."""
        if self.latency:
            self.sleep(self.latency.total_seconds())
        if self._happens(self.reset_rate):
            raise _reset()
        if self._happens(self.throttle_rate):
            raise throttled("ACCOUNT_THROTTLED")
        if self._happens(self.error_rate):
            raise internal("An internal error has occurred.")
        if operation == "PutSnapshotBlock" and snapshot_id and self._still_unknown(snapshot_id):
            raise no_snapshot(snapshot_id)

    def after(self) -> None:
        """Let trouble come after a call was carried out. Raises ConnectionResetError."""
        if self._happens(self.lost_answer_rate):
            raise _reset()

    def _happens(self, rate: float) -> bool:
        if not rate:
            return False
        with self._lock:
            return self._chance.random() < rate

    def _still_unknown(self, snapshot_id: SnapshotId) -> bool:
        if not self.unknown_puts:
            return False
        with self._lock:
            seen = self._unknown.get(snapshot_id, 0)
            self._unknown[snapshot_id] = seen + 1
        return seen < self.unknown_puts


def _reset() -> ConnectionResetError:
    """Make the error at which the HTTP server closes the connection without a word."""
    return ConnectionResetError(errno.ECONNRESET, "the connection was reset, as was asked for")
