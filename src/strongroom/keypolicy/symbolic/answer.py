# SPDX-License-Identifier: Apache-2.0
"""The three answers: proved impossible, here is a request, cannot say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from strongroom.keypolicy.context import Call
from strongroom.keypolicy.decision import Decision
from strongroom.keypolicy.request import KmsRequest


@dataclass(frozen=True, slots=True)
class Closed:
    """Why one Allow statement, or one grant, lets nothing through for one action.

    `by` names the Deny statements that close it; empty when it closes itself, by what it asks for.
    """

    action: str
    allow: str
    by: tuple[str, ...]

    def __str__(self) -> str:
        """Return one sentence."""
        if self.by:
            return f"{self.action}: what {self.allow} allows, {' and '.join(self.by)} denies"
        return f"{self.action}: {self.allow} asks for what such a request does not have"


@dataclass(frozen=True, slots=True)
class Impossible:
    """Proved: no request of the question is allowed. `closed` is the proof, one entry for each Allow and action.

    An action without an entry is one that no statement and no grant allows.
    """

    closed: tuple[Closed, ...]


@dataclass(frozen=True, slots=True)
class Witness:
    """A request that is allowed: `decision` is what `evaluate` says of it, and its outcome is ALLOWED."""

    call: Call
    request: KmsRequest
    decision: Decision


@dataclass(frozen=True, slots=True)
class Doubt:
    """What could not be decided: the action, the statement or grant, its condition (empty: all of it), and why."""

    action: str
    statement: str
    condition: str
    why: str

    def __str__(self) -> str:
        """Return one sentence."""
        where = f"{self.statement}, condition {self.condition}" if self.condition else self.statement
        return f"{self.action}: {where}: {self.why}"


@dataclass(frozen=True, slots=True)
class Undecided:
    """Neither proved nor refuted. Whoever asked must take it as a failure, never as a yes or a no."""

    doubts: tuple[Doubt, ...]


Answer: TypeAlias = Impossible | Witness | Undecided
