# SPDX-License-Identifier: Apache-2.0
"""Statements and conditions as rules look at them, each with its place in the JSON of its policy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from strongroom.formats.arn import ACCOUNT_PART
from strongroom.formats.pcrs import PCR_COUNT, PcrIndex
from strongroom.formats.tree import Node, Path
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.conditions import Condition
from strongroom.keypolicy.grammar import one_or_more, parse_policy_text
from strongroom.keypolicy.kms_keys import NITROTPM_PCR
from strongroom.keypolicy.model import Effect, Statement
from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.operators import OPERATORS, Operator, Quantifier
from strongroom.keypolicy.patterns import ARN_PARTS, has_wildcard
from strongroom.keypolicy.principals import Principal, PrincipalKind, Sense
from strongroom.keypolicy.variables import Context, has_variable

_PCR_OF = {f"{NITROTPM_PCR}{index}".lower(): PcrIndex(index) for index in range(PCR_COUNT)}
_IF_EXISTS = "IfExists"


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where a rule does not hold: its path in the policy's JSON, and a sentence that names the statement."""

    path: Path
    message: str
    statement: str = ""


@dataclass(frozen=True, slots=True)
class ConditionView:
    """A condition and its place. `base` is its operator without set operator and IfExists; None for an unknown one."""

    condition: Condition
    path: Path
    quantifier: Quantifier | None
    base: Operator | None
    if_exists: bool

    @property
    def key(self) -> str:
        """Return the key as AWS spells it."""
        return self.condition.key

    @property
    def lookup(self) -> str:
        """Return the key in lower case."""
        return self.condition.lookup

    @property
    def values(self) -> tuple[str, ...]:
        """Return its values, as they are written."""
        return self.condition.values

    @property
    def unread(self) -> bool:
        """Tell whether it could not be understood. Such a condition protects nothing."""
        return bool(self.condition.unread)

    @property
    def pcr(self) -> PcrIndex | None:
        """Return the PCR of a NitroTPM document that it is about."""
        return _PCR_OF.get(self.lookup)

    @property
    def holds_without_key(self) -> bool:
        """Tell whether it holds for a request in which its key is missing."""
        return self._says_of_missing and self.condition.holds({})

    @property
    def demands(self) -> bool:
        """Tell whether it lets pass only requests that have its key."""
        return self._says_of_missing and not self.condition.holds({})

    @property
    def _says_of_missing(self) -> bool:
        """Tell whether AWS says what it makes of a missing key: not of ForAnyValue together with IfExists."""
        return not self.unread and not (self.quantifier is Quantifier.ANY and self.if_exists)

    @property
    def negated(self) -> bool:
        """Tell whether its operator is a negated one."""
        return self.base is not None and self.base.negated

    @property
    def exact(self) -> bool:
        """Tell whether it demands one of its values: a positive operator on text, without live wildcards or itself."""
        if self.base is None or self.negated or not self.base.takes_variables or not self.demands:
            return False
        if any(has_variable(value) and self.lookup in value.lower() for value in self.values):
            return False
        likes = "Like" in self.base.name or self.base.name.startswith("Arn")
        return not (likes and any(map(has_wildcard, self.values)))

    def holds(self, context: Context) -> bool:
        """Tell whether it holds for a request's context."""
        return self.condition.holds(context)


@dataclass(frozen=True)
class StatementView:
    """A statement, its place, and its conditions."""

    statement: Statement
    path: Path
    conditions: tuple[ConditionView, ...]
    key_arn: KeyArn | None

    @property
    def label(self) -> str:
        """Return its Sid, or where it stands."""
        return self.statement.label

    @property
    def allows(self) -> bool:
        """Tell an Allow from a Deny."""
        return self.statement.effect is Effect.ALLOW

    @cached_property
    def covered(self) -> frozenset[str]:
        """Return the KMS actions that it covers."""
        return frozenset(action for action in OPERATIONS if self.statement.actions.covers(action.lower()))

    @property
    def listed_actions(self) -> tuple[str, ...]:
        """Return its actions as written; none for NotAction."""
        actions = self.statement.actions
        return actions.texts if actions.sense is Sense.LISTED else ()

    @property
    def members(self) -> tuple[Principal, ...]:
        """Return the principals that it lists; none for NotPrincipal, and in an identity policy."""
        principals = self.statement.principals
        return () if principals is None or principals.sense is Sense.EXCEPT else principals.members

    @property
    def anyone(self) -> bool:
        """Tell whether its principals include everybody."""
        return any(member.kind is PrincipalKind.ANYONE for member in self.members)

    @property
    def covers_this_key(self) -> bool:
        """Tell whether it certainly is about this key: `*`, or its ARN where that is known."""
        resources = self.statement.resources
        if resources.sense is Sense.LISTED and "*" in resources.texts:
            return True
        return self.key_arn is not None and resources.covers(self.key_arn, {})

    def fault(self, path: Path, message: str) -> Fault:
        """Return a fault of this statement: `message` is the rest of a sentence that begins with its name."""
        return Fault(path, f"{self.label} {message}", self.label)

    def on(self, *lookups: str) -> tuple[ConditionView, ...]:
        """Return its conditions on keys that begin so, in lower case."""
        return tuple(each for each in self.conditions if each.lookup.startswith(lookups))

    def place(self, element: str) -> Path:
        """Return the path of one of its elements: `Action` or `NotAction`, whichever is there."""
        senses = {"Action": self.statement.actions.sense, "Resource": self.statement.resources.sense}
        principals = self.statement.principals
        sense = principals.sense if element == "Principal" and principals else senses.get(element, Sense.LISTED)
        return (*self.path, f"{sense}{element}")


def view(text: str, statements: Sequence[Statement], key_arn: KeyArn | None) -> tuple[StatementView, ...]:
    """Return the statements of a policy that was parsed from `text`, with their places. Raises FormatError."""
    members = dict(parse_policy_text(text).table())
    nodes = one_or_more(members["Statement"])
    return tuple(
        StatementView(each, node.path, tuple(_conditions(node, each)), key_arn)
        for node, each in zip(nodes, statements, strict=True)
    )


def _conditions(node: Node, statement: Statement) -> Iterator[ConditionView]:
    """Pair the conditions, which stand in the order of the text, with their places."""
    block: Mapping[str, Node] = dict(node.table())
    if "Condition" not in block:
        return
    places = [each.path for _, keys in block["Condition"].table() for _, each in keys.table()]
    for condition, path in zip(statement.conditions, places, strict=True):
        yield _condition(condition, path)


def _condition(condition: Condition, path: Path) -> ConditionView:
    name = condition.operator
    quantifier = next((each for each in Quantifier if name.startswith(each)), None)
    bare = name.removeprefix(quantifier or "")
    return ConditionView(
        condition, path, quantifier, OPERATORS.get(bare.removesuffix(_IF_EXISTS)), bare.endswith(_IF_EXISTS)
    )


def account_of(principal: Principal) -> AccountId:
    """Return the account in an ARN, or the account id that stands for itself. Of other principals it says nothing."""
    parts = principal.value.split(":")
    return AccountId(parts[ACCOUNT_PART] if len(parts) >= ARN_PARTS else principal.value)
