# SPDX-License-Identifier: Apache-2.0
"""The time at which certificates are valid, to the second (ATTACKS A4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ..certificates import MADE_AT, POSITIONS, chain
from ..recipe import Case, Edit, Recipe, accepted, setting

_TIME = Recipe().time
_SECOND = timedelta(seconds=1)
_DAY = 24 * 3600


def _shaped(position: str, **changes: Any) -> Edit:
    return setting(chain=chain(**{position: changes}))


def _edges(position: str) -> tuple[Case, ...]:
    whose = {"leaf": "the leaf's", "root": "the root's"}.get(position, f"the {position} certificate's")
    return (
        accepted(f"{position}-first-second", "time-1", f"{whose} first second", _shaped(position, begins=_TIME)),
        Case(
            f"{position}-early", "time-1", f"one second before {whose} first", _shaped(position, begins=_TIME + _SECOND)
        ),
        accepted(f"{position}-last-second", "time-1", f"{whose} last second", _shaped(position, ends=_TIME)),
        Case(f"{position}-late", "time-1", f"one second after {whose} last", _shaped(position, ends=_TIME - _SECOND)),
    )


_THEN = datetime(2026, 6, 2, 12, 0, 10, tzinfo=UTC)
CASES = (
    *(case for position in POSITIONS for case in _edges(position)),
    accepted(
        "generalized-time",
        "time-1",
        "a root beyond 2049, whose end is a GeneralizedTime",
        _shaped("root", ends=datetime(2055, 1, 1, tzinfo=UTC)),
    ),
    Case(
        "archived",
        "time-1",
        "a day later, at an age that the verifier allows: at its own time all was valid",
        setting(time=_THEN, max_age=2 * _DAY),
    ),
)
assert _THEN > MADE_AT
