# SPDX-License-Identifier: Apache-2.0
"""One row of the table: what we do, how long it takes us and others, and what was to be reached."""

from __future__ import annotations

import enum
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


class Unit(enum.StrEnum):
    """How a row's figures are shown. Figures in a rate grow with speed, and so do its ratios."""

    DOCUMENTS_PER_SECOND = "documents/s"
    DECISIONS_PER_SECOND = "decisions/s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self not in _PER_SECOND

    def of(self, seconds: float) -> float:
        """Return `seconds` for one piece of work in this unit."""
        return 1 / seconds if self.is_rate else _PER_SECOND[self] * seconds


_PER_SECOND = {Unit.MILLISECONDS: 1e3, Unit.MICROSECONDS: 1e6}


@dataclass(frozen=True, slots=True)
class Goal:
    """What a row's ratio has to be: at least `figure` in a rate, at most in a time. `against` is limit or peer."""

    against: str
    figure: float


@dataclass(frozen=True, slots=True)
class Deadline:
    """What a row's median has to stay below. The ratio that is shown with it is to limit or peer: `against`."""

    against: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """`seconds` is what each contender (ours, limit, peer) took for one piece of work, a figure a round."""

    what: str
    unit: Unit
    goal: Goal | Deadline
    names: Mapping[str, str]
    """How the limit and the peer are called."""
    seconds: Mapping[str, Sequence[float]]
    remark: str = ""
    """What a reader of the figures has to know, or why some are absent."""

    def figure(self, contender: str) -> float | None:
        """Return a contender's median, in the row's unit."""
        laps = self.seconds.get(contender)
        return self.unit.of(statistics.median(laps)) if laps else None

    @property
    def ratios(self) -> tuple[float, ...]:
        """Our figure divided by the other's, in each round: a slow minute hits both."""
        laps = zip(self.seconds.get("ours", ()), self.seconds.get(self.goal.against, ()), strict=False)
        return tuple(self.unit.of(ours) / self.unit.of(theirs) for ours, theirs in laps)

    @property
    def ratio(self) -> float | None:
        """The median of the ratios, None where nobody ran to compare with."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal was reached in this run, None where there is no ratio."""
        if self.ratio is None:
            return None
        if isinstance(self.goal, Deadline):
            return statistics.median(self.seconds["ours"]) < self.goal.seconds
        if self.unit.is_rate:
            return self.ratio >= self.goal.figure
        return self.ratio <= self.goal.figure

    @property
    def goal_text(self) -> str:
        """The goal in the table's words."""
        if isinstance(self.goal, Deadline):
            return f"< {self.unit.of(self.goal.seconds):,.0f} {self.unit}"
        sign = ">=" if self.unit.is_rate else "<="
        return f"{sign} {self.goal.figure:.2f} of {self.goal.against}"

    def as_json(self) -> dict[str, Any]:
        """Return the row for machines."""
        return {
            "what": self.what,
            "unit": self.unit.value,
            "ours": self.figure("ours"),
            "limit": self._other("limit"),
            "peer": self._other("peer"),
            "ratio": self.ratio,
            "ratio_lowest": min(self.ratios, default=None),
            "ratio_highest": max(self.ratios, default=None),
            "goal": self.goal_text,
            "reached": self.reached,
            "remark": self.remark,
        }

    def _other(self, contender: str) -> dict[str, Any] | None:
        if contender not in self.names:
            return None
        return {"name": self.names[contender], "figure": self.figure(contender)}
