# SPDX-License-Identifier: Apache-2.0
"""What a condition says, taken apart again: its operator, its quantifier, its values as pieces.

A condition whose truth depends on more than its own key, or that was not understood, cannot be taken apart. Nothing is
assumed of it: it may hold and it may not.
"""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.keypolicy.conditions import Condition
from strongroom.keypolicy.operators import NULL, OPERATORS, Operator, Quantifier, ValueKind
from strongroom.keypolicy.patterns import Pieces, plain_text
from strongroom.keypolicy.symbolic.patterns import (
    ANY,
    Letters,
    Pattern,
    Unreadable,
    any_case,
    exactly,
    like,
    like_arn,
)
from strongroom.keypolicy.variables import parse_template

_CASE_BLIND = frozenset({"StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"})
_LIKE = frozenset({"StringLike", "StringNotLike"})


@dataclass(frozen=True, slots=True)
class Reading:
    """A condition taken apart. `values` is empty for Null, which is about presence alone."""

    condition: Condition
    operator: Operator
    values: tuple[Pieces, ...]

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the values as they read."""
        return tuple(map(plain_text, self.values))

    def patterns(self, wild: Letters = ANY) -> list[Pattern]:
        """Return what the values match, for a key of text or ARNs; `wild` is what a wildcard may stand for.

        Raises Unreadable.
        """
        return [self._pattern(value, wild) for value in self.values]

    def _pattern(self, value: Pieces, wild: Letters) -> Pattern:
        if self.operator.name in _CASE_BLIND:
            return any_case(plain_text(value))
        if self.operator.name in _LIKE:
            return like(value, wild)
        return like_arn(value) if self.operator.name.startswith("Arn") else exactly(plain_text(value))


def read_condition(condition: Condition) -> Reading:
    """Take a condition apart. Raises Unreadable, with the reason, where this theory cannot say when it holds."""
    if condition.unread:
        raise Unreadable(f"this reader does not understand it ({condition.unread})")
    name = condition.operator
    if name.startswith(Quantifier.ANY) and name.endswith("IfExists"):
        raise Unreadable("AWS does not say what ForAnyValue and IfExists make of a missing key")
    for quantifier in Quantifier:
        name = name.removeprefix(quantifier)
    operator = OPERATORS[name.removesuffix("IfExists")]
    if ValueKind.BINARY in operator.kinds and operator is not NULL:
        raise Unreadable("binary values are not compared symbolically")
    values = [parse_template(value).fixed for value in condition.values]
    fixed = tuple(value for value in values if value is not None)
    if len(fixed) < len(values):
        raise Unreadable("a policy variable makes it depend on other parts of the request")
    return Reading(condition, operator, () if operator is NULL else fixed)
