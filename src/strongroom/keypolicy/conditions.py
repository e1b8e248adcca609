# SPDX-License-Identifier: Apache-2.0
"""The Condition block of a statement: operator, key, values, compiled once into a test.

IAM User Guide, "IAM JSON policy elements: Condition": all operators and keys of a block must hold; of several values
of one key any may match, or, for a negated operator, none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from strongroom.formats.tree import Node, shown
from strongroom.keypolicy.condition_keys import ConditionKey, canonical_name, find_condition_key
from strongroom.keypolicy.grammar import one_or_list, scalars
from strongroom.keypolicy.operators import NULL, OPERATORS, Operator, Quantifier, Test

ValuesTest: TypeAlias = Callable[[tuple[str, ...]], bool]
"""Does the condition hold for these values of its key? An empty tuple means that the key is missing."""
_IF_EXISTS = "IfExists"


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key. Equal when they read the same; `test` is compiled from the rest."""

    operator: str
    key: str
    values: tuple[str, ...]
    lookup: str = field(compare=False, repr=False)
    test: ValuesTest = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class _Use:
    """An operator's name taken apart."""

    operator: Operator
    quantifier: Quantifier | None
    if_exists: bool


def parse_conditions(node: Node) -> tuple[Condition, ...]:
    """Parse a Condition block. Raises FormatError for an operator or key that is not in its table."""
    found: list[Condition] = []
    for name, block in node.table():
        use = _parse_operator(name, block)
        keys = block.table(minimum=1)
        block.distinct(key.lower() for key, _ in keys)  # which have no case (IAM User Guide, Condition)
        found.extend(_parse_condition(name, use, key, values) for key, values in keys)
    return tuple(found)


def _parse_operator(name: str, node: Node) -> _Use:
    quantifier = next((q for q in Quantifier if name.startswith(q)), None)
    base = name.removeprefix(quantifier or "")
    operator = OPERATORS.get(base.removesuffix(_IF_EXISTS))
    if operator is None:
        raise node.refused("keypolicy.operator", f"expected a condition operator, found {shown(name)}")
    if_exists = base.endswith(_IF_EXISTS)
    if operator is NULL and (quantifier or if_exists):
        raise node.refused("keypolicy.operator", f"expected Null by itself, found {shown(name)}")
    return _Use(operator, quantifier, if_exists)


def _parse_condition(name: str, use: _Use, key: str, node: Node) -> Condition:
    row = find_condition_key(key)
    if row is None:
        raise node.refused("keypolicy.condition-key", f"expected a known condition key, found {shown(key)}")
    _refuse_misfit(use, row, node)
    values = scalars(node)
    for value in values:
        if "${" in value:
            raise node.refused("keypolicy.variable", f"policy variables are not supported, found {shown(value)}")
    try:
        test = _compiled(use, values)
    except ValueError as error:
        raise node.refused("keypolicy.condition-value", str(error)) from error
    return Condition(name, canonical_name(key, row), values, key.lower(), test)


def _refuse_misfit(use: _Use, row: ConditionKey, node: Node) -> None:
    if row.kind not in use.operator.kinds:
        raise node.refused("keypolicy.condition-type", f"{use.operator.name} does not fit a key of type {row.kind}")
    if row.multivalued and use.quantifier is None and use.operator is not NULL:
        raise node.refused("keypolicy.condition-type", "a key with several values needs ForAllValues: or ForAnyValue:")


def _compiled(use: _Use, values: tuple[str, ...]) -> ValuesTest:
    matches = use.operator.compile(values)
    if use.operator is NULL:
        return lambda seen: matches("false" if seen else "true")
    return _with_missing(use, _quantified(use, matches))


def _quantified(use: _Use, matches: Test) -> ValuesTest:
    if use.operator.negated:
        if use.quantifier is Quantifier.ANY:
            return lambda seen: not all(map(matches, seen))
        return lambda seen: not any(map(matches, seen))
    if use.quantifier is Quantifier.ANY:
        return lambda seen: any(map(matches, seen))
    return lambda seen: all(map(matches, seen))


def _with_missing(use: _Use, test: ValuesTest) -> ValuesTest:
    """Answer for a missing key as IAM does (see operators.py)."""
    missing = use.if_exists or use.quantifier is Quantifier.ALL
    if use.quantifier is None:
        missing = missing or use.operator.negated
    return lambda seen: test(seen) if seen else missing


def encode_conditions(conditions: tuple[Condition, ...]) -> Mapping[str, Mapping[str, str | list[str]]]:
    """Return the Condition block as JSON values, in the order in which it was read."""
    block: dict[str, dict[str, str | list[str]]] = {}
    for condition in conditions:
        block.setdefault(condition.operator, {})[condition.key] = one_or_list(condition.values)
    return block
