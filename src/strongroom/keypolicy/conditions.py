# SPDX-License-Identifier: Apache-2.0
"""The Condition block of a statement: operator, key, values, compiled once into a test.

IAM User Guide, "IAM JSON policy elements: Condition": all operators and keys of a block must hold; of several values
of one key any may match, or, for a negated operator, none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from strongroom.errors import FormatError
from strongroom.formats.tree import Node, shown
from strongroom.keypolicy.condition_key import ConditionKey
from strongroom.keypolicy.condition_keys import canonical_name, find_condition_key
from strongroom.keypolicy.global_keys import REQUEST_TAG
from strongroom.keypolicy.grammar import one_or_list, scalars
from strongroom.keypolicy.kms_keys import ENCRYPTION_CONTEXT
from strongroom.keypolicy.operators import NULL, OPERATORS, Operator, Quantifier, Test
from strongroom.keypolicy.patterns import Pieces
from strongroom.keypolicy.variables import Context, Template, has_variable, parse_template

Holds: TypeAlias = Callable[[Context], bool]
"""Does the condition hold for a request?"""
_ValuesTest: TypeAlias = Callable[[tuple[str, ...]], bool]
"""The same for the values of its key. An empty tuple means that the key is missing."""
_IF_EXISTS = "IfExists"
_NEVER_FOR_ALL = (ENCRYPTION_CONTEXT.lower(), REQUEST_TAG.lower())


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key. Equal when they read the same; `holds` is compiled from the rest.

    `unread` says why a lenient reader could not understand it, and is empty where it was understood.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    lookup: str = field(compare=False, repr=False)
    holds: Holds = field(compare=False, repr=False)
    unread: str = ""


@dataclass(frozen=True, slots=True)
class _Use:
    """An operator's name taken apart."""

    operator: Operator
    quantifier: Quantifier | None
    if_exists: bool


def parse_conditions(node: Node) -> tuple[Condition, ...]:
    """Parse a Condition block. Raises FormatError for an operator or key that is not in its table."""
    return tuple(_parse_condition(*each) for each in _entries(node))


def parse_conditions_leniently(node: Node, *, unread: bool) -> tuple[Condition, ...]:
    """Parse a Condition block, and keep what is not understood: it holds for every request, or for none (`unread`).

    Raises FormatError for a block that is none at all.
    """
    return tuple(_parse_leniently(*each, unread=unread) for each in _entries(node))


def _entries(node: Node) -> list[tuple[str, str, Node]]:
    found: list[tuple[str, str, Node]] = []
    for operator, block in node.table():
        keys = block.table(minimum=1)
        block.distinct(key.lower() for key, _ in keys)  # which have no case (IAM User Guide, Condition)
        found.extend((operator, key, values) for key, values in keys)
    return found


def _parse_leniently(name: str, key: str, node: Node, *, unread: bool) -> Condition:
    values = scalars(node)
    try:
        return _parse_condition(name, key, node)
    except FormatError as error:
        return Condition(name, key, values, key.lower(), lambda _: unread, error.code)


def _parse_condition(name: str, key: str, node: Node) -> Condition:
    use = _parse_operator(name, node)
    row = find_condition_key(key)
    if row is None:
        raise node.refused("keypolicy.condition-key", f"expected a known condition key, found {shown(key)}")
    _refuse_misfit(use, row, node)
    values = scalars(node)
    templates = tuple(_parse_value(use, value, node) for value in values)
    try:
        holds = _compiled(use, key.lower(), templates)
    except ValueError as error:
        raise node.refused("keypolicy.condition-value", str(error)) from error
    return Condition(name, canonical_name(key, row), values, key.lower(), holds)


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


def _refuse_misfit(use: _Use, row: ConditionKey, node: Node) -> None:
    if row.kind not in use.operator.kinds:
        raise node.refused("keypolicy.condition-type", f"{use.operator.name} does not fit a key of type {row.kind}")
    if row.multivalued and use.quantifier is None and use.operator is not NULL:
        raise node.refused("keypolicy.condition-type", "a key with several values needs ForAllValues: or ForAnyValue:")


def _parse_value(use: _Use, value: str, node: Node) -> Template:
    if has_variable(value) and not use.operator.takes_variables:
        raise node.refused(
            "keypolicy.variable", f"expected no variable in a value of {use.operator.name}, found {shown(value)}"
        )
    try:
        return parse_template(value)
    except ValueError as error:
        raise node.refused("keypolicy.variable", str(error)) from error


def _compiled(use: _Use, lookup: str, templates: tuple[Template, ...]) -> Holds:
    fixed = [template.fixed for template in templates]
    values = tuple(text for text in fixed if text is not None)
    if len(values) == len(fixed):
        test = _values_test(use, values)
        return lambda context: test(context.get(lookup, ()))
    # Reads the patterns once with every variable as a star, so that a malformed one is refused now.
    use.operator.compile(tuple(_stand_in(template) for template in templates))

    def holds(context: Context) -> bool:
        filled = (template.filled(context) for template in templates)
        return _values_test(use, tuple(text for text in filled if text is not None))(context.get(lookup, ()))

    return holds


def _stand_in(template: Template) -> Pieces:
    return tuple(part if isinstance(part, str) else "*" for part in template.parts)


def _values_test(use: _Use, values: tuple[Pieces, ...]) -> _ValuesTest:
    matches = use.operator.compile(values)
    if use.operator is NULL:
        return lambda seen: matches("false" if seen else "true")
    return _with_missing(use, _quantified(use, matches))


def _quantified(use: _Use, matches: Test) -> _ValuesTest:
    if use.operator.negated:
        if use.quantifier is Quantifier.ANY:
            return lambda seen: not all(map(matches, seen))
        return lambda seen: not any(map(matches, seen))
    if use.quantifier is Quantifier.ANY:
        return lambda seen: any(map(matches, seen))
    return lambda seen: all(map(matches, seen))


def _with_missing(use: _Use, test: _ValuesTest) -> _ValuesTest:
    """Answer for a missing key as IAM does (see operators.py)."""
    missing = use.if_exists or use.quantifier is Quantifier.ALL
    if use.quantifier is None:
        missing = missing or use.operator.negated
    return lambda seen: test(seen) if seen else missing


def refuse_overly_permissive(node: Node, conditions: tuple[Condition, ...]) -> None:
    """Raise FormatError for what KMS refuses in a key policy: ForAllValues on a key with one value that may be missing.

    KMS Developer Guide, "Using set operators with condition keys" (OverlyPermissiveCondition).
    """
    for condition in conditions:
        if condition.operator.startswith(Quantifier.ALL) and condition.lookup.startswith(_NEVER_FOR_ALL):
            raise node.refused(
                "keypolicy.overly-permissive",
                f"expected {condition.key} without ForAllValues:, which holds when the key is missing",
            )


def without_identity_only(conditions: tuple[Condition, ...]) -> tuple[Condition, ...]:
    """Return the conditions as a key policy sees them: keys for identity policies only are always missing there.

    That they are missing, and not an error, is assumed: AWS says "not supported in key policies".
    """
    return tuple(_as_missing(each) if _identity_only(each.key) else each for each in conditions)


def _identity_only(key: str) -> bool:
    row = find_condition_key(key)
    return row is not None and row.identity_only


def _as_missing(condition: Condition) -> Condition:
    holds = condition.holds

    def missing(context: Context) -> bool:
        return holds({key: values for key, values in context.items() if key != condition.lookup})

    return replace(condition, holds=missing)


def encode_conditions(conditions: tuple[Condition, ...]) -> Mapping[str, Mapping[str, str | list[str]]]:
    """Return the Condition block as JSON values, in the order in which it was read."""
    block: dict[str, dict[str, str | list[str]]] = {}
    for condition in conditions:
        block.setdefault(condition.operator, {})[condition.key] = one_or_list(condition.values)
    return block
