# SPDX-License-Identifier: Apache-2.0
"""Creating something: within the budget of a probe, and never without the journal.

The journal has what is about to be created before the call is sent. It forgets it only when AWS has refused: whoever
got no answer, or one that says nothing, does not know whether there is something now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from botocore.exceptions import ClientError
from conformance.aws.budget import Budget
from conformance.aws.journal import Journal, Thing
from conformance.aws.principals import ROLE, USER

KEY, ALIAS = "key", "alias"
_SERVER_FAULT = 500
_EXISTS = {"AlreadyExistsException", "EntityAlreadyExists"}
"""What a call that was sent again hears of the first one, whose answer was lost."""


class OverBudgetError(Exception):
    """A probe wants to create more than the plan said."""


@dataclass
class Creation:
    """What one probe creates. All names begin with the prefix, which no other probe has."""

    journal: Journal
    run: str
    prefix: str
    budget: Budget
    _used: dict[str, int] = field(default_factory=dict)

    def next(self, kind: str, name: str = "") -> Thing:
        """Return the next thing of a kind, by a name or by its number. Raises OverBudgetError."""
        counted = "principals" if kind in {USER, ROLE} else {KEY: "keys", ALIAS: "aliases"}[kind]
        used = self._used[counted] = self._used.get(counted, 0) + 1
        limit = getattr(self.budget, counted)
        if used > limit:
            raise OverBudgetError(f"expected at most {limit} {counted}, as the plan says")
        return Thing(self.run, kind, self.prefix + (name or f"{kind}{used}"))

    def create(self, thing: Thing, call: Callable[[], str]) -> str:
        """Create a thing by a call that returns its ARN, and return that. Raises what the call raises."""
        self.journal.intend(thing)
        try:
            arn = call()
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status < _SERVER_FAULT and error.response["Error"]["Code"] not in _EXISTS:
                self.journal.gone(thing)
            raise
        self.journal.created(thing, arn)
        return arn
