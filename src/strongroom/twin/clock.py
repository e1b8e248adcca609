# SPDX-License-Identifier: Apache-2.0
"""Clocks for the twin: the machine's, and one that tests move by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class SystemClock:
    """The time of this machine, in UTC."""

    def now(self) -> datetime:
        """Return the current time."""
        return datetime.now(UTC)


class OffsetClock:
    """The time of this machine plus `offset`, which whoever plays with the twin may change."""

    def __init__(self, offset: timedelta = timedelta(0)) -> None:
        self.offset = offset

    def now(self) -> datetime:
        """Return the current time, shifted."""
        return datetime.now(UTC) + self.offset
