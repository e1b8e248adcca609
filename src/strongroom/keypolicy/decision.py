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

    RESOURCE_CONTROL = "resource control policy"
    SERVICE_CONTROL = "service control policy"
    ENDPOINT = "VPC endpoint policy"
    KEY_POLICY = "key policy"
    GRANT = "grant"
    IDENTITY_POLICY = "identity policy"
    BOUNDARY = "permissions boundary"
    SESSION_POLICY = "session policy"
    DEFAULT = "default"

    @property
    def aws_name(self) -> str:
        """Return what AWS calls this kind in an access denied message (IAM User Guide, troubleshooting them)."""
        if self is DecidedBy.IDENTITY_POLICY:
            return "identity-based policy"
        return "resource-based policy" if self in {DecidedBy.KEY_POLICY, DecidedBy.GRANT} else self.value


class Word(enum.StrEnum):
    """What one kind of policy says of a request."""

    DENIES = "denies"
    ALLOWS = "allows"
    SILENT = "says nothing"


@dataclass(frozen=True, slots=True)
class Miss:
    """Why a statement did not apply: the element, what it asks for, what the request had (empty: nothing)."""

    element: str
    expected: tuple[str, ...]
    seen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StatementTrace:
    """What became of one statement, or of one grant (its id is `statement`). It applied when nothing was missed.

    `level` counts from the organization's root down, for policies of an organization.
    """

    policy: DecidedBy
    statement: str
    effect: Effect
    reach: Reach
    missed: tuple[Miss, ...]
    level: int = 0

    @property
    def applied(self) -> bool:
        """Tell whether the statement took part in the decision."""
        return not self.missed


@dataclass(frozen=True, slots=True)
class KindVerdict:
    """What all policies of one kind say together, and why: the statement, or what each one missed.

    An Allow of the key policy or of a grant may reach the caller through his account only: see `reach`.
    """

    word: Word
    statement: str = ""
    reach: Reach = Reach.NONE
    traces: tuple[StatementTrace, ...] = ()


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

    @property
    def by_kind(self) -> dict[DecidedBy, KindVerdict]:
        """Return what each kind of policy says that had a say, in the order in which they are asked."""
        kinds = dict.fromkeys(each.policy for each in self.trace)
        return {kind: _verdict(tuple(each for each in self.trace if each.policy is kind)) for kind in kinds}


def _verdict(traces: tuple[StatementTrace, ...]) -> KindVerdict:
    for each in traces:
        if each.effect is Effect.DENY and each.applied:
            return KindVerdict(Word.DENIES, each.statement, each.reach, traces)
    allows = [each for each in traces if each.effect is Effect.ALLOW and each.applied]
    if {each.level for each in allows} != {each.level for each in traces}:
        return KindVerdict(Word.SILENT, traces=traces)
    widest = max(allows, key=lambda each: each.reach.value)
    return KindVerdict(Word.ALLOWS, widest.statement, widest.reach, traces)
