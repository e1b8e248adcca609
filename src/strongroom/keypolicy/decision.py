# SPDX-License-Identifier: Apache-2.0
"""What an evaluation says: the answer, whose word it was, and what became of every statement."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from strongroom.errors import KeyRefused
from strongroom.keypolicy.model import Effect
from strongroom.keypolicy.principals import Reach


class Outcome(enum.StrEnum):
    """What came of it."""

    ALLOWED = "allowed"
    EXPLICITLY_DENIED = "explicitly denied"
    NOT_ALLOWED = "not allowed"


class DecidedBy(enum.StrEnum):
    """Whose word it was. DEFAULT is the absence of an Allow."""

    KEY_POLICY = "key policy"
    IDENTITY_POLICY = "identity policy"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Miss:
    """Why a statement did not apply: the element, what it asks for, what the request had (empty: nothing)."""

    element: str
    expected: tuple[str, ...]
    seen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StatementTrace:
    """What became of one statement. It applied when nothing was missed."""

    policy: DecidedBy
    statement: str
    effect: Effect
    reach: Reach
    missed: tuple[Miss, ...]

    @property
    def applied(self) -> bool:
        """Tell whether the statement took part in the decision."""
        return not self.missed


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer, who gave it, the statement (its Sid or place) and a sentence.

    `lacking` names the policy kind without an Allow when nothing denied: KMS's error message says it.
    """

    outcome: Outcome
    decided_by: DecidedBy
    statement: str
    reason: str
    trace: tuple[StatementTrace, ...]
    lacking: DecidedBy | None = None

    def require(self) -> None:
        """Raise KeyRefused with code `kms.access-denied` unless the request is allowed."""
        if self.outcome is not Outcome.ALLOWED:
            raise KeyRefused("kms.access-denied", self.reason, statement=self.statement)
