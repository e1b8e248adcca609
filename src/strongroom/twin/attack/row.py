# SPDX-License-Identifier: Apache-2.0
"""One attack, played twice: where its guard stands, and where it was taken out.

A row says what it expects before it is played, and its two plays say what they saw. `judge` compares. A guard shows
nothing unless the attack works without it, so a row whose attack never worked counts as not run.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Place = TypeVar("Place")
"""Where a row is played: whatever its plays need of machines, keys and disks."""


@dataclass(frozen=True, slots=True)
class Reached:
    """The attacker has what he was after."""

    evidence: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """He was stopped. `guard` names what did it, as it was seen: a statement, a line of the kernel, a code."""

    guard: str
    evidence: str


@dataclass(frozen=True, slots=True)
class NotPlayed:
    """It could not be tried, or says nothing either way."""

    reason: str


Ending = Reached | Stopped | NotPlayed
Play = Callable[[Place], Ending]


@dataclass(frozen=True, slots=True)
class Row(Generic[Place]):
    """An attack. `name` is its own; `attack` is its id in docs/threat-model.md, which several rows may share.

    `guards` names what may stop it, each as a play reports it: more than one where it depends on the image, say on the
    version of its stub. `removed` says in words what is left out in the second play.
    """

    name: str
    attack: str
    title: str
    guards: tuple[str, ...]
    removed: str
    play: Play[Place]
    play_without: Play[Place]


class Verdict(enum.StrEnum):
    """What the two plays of a row show."""

    STOPPED = "stopped"
    """By the guard that was expected, and the attack works without it."""
    GOT_THROUGH = "got through"
    OTHER_GUARD = "stopped by another guard"
    """Something else was in the way, so that the guard was never put to the test."""
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Result:
    """A row as it was played."""

    name: str
    attack: str
    title: str
    guards: tuple[str, ...]
    removed: str
    with_guard: Ending
    without_guard: Ending
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """What the two plays show."""
        return judge(self.guards, self.with_guard, self.without_guard)


def judge(guards: tuple[str, ...], with_guard: Ending, without_guard: Ending) -> Verdict:
    """Compare what was expected with both plays."""
    if isinstance(with_guard, Reached):
        return Verdict.GOT_THROUGH
    if isinstance(with_guard, NotPlayed) or not isinstance(without_guard, Reached):
        return Verdict.NOT_RUN
    return Verdict.STOPPED if with_guard.guard in guards else Verdict.OTHER_GUARD
