# SPDX-License-Identifier: Apache-2.0
"""Values of a condition key with which a condition would hold, or would not: found by trying, never by reasoning.

What is tried are the values that the condition names, and their neighbours. `Condition.holds` has the last word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, timedelta
from ipaddress import ip_network

from strongroom.keypolicy.condition_key import ConditionKey, Source
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.conditions import Condition
from strongroom.keypolicy.operators import READERS, ValueKind, read_date, read_number
from strongroom.keypolicy.variables import Context, has_variable

Values = tuple[str, ...]
_STEPS = (timedelta(0), timedelta(seconds=-1), timedelta(seconds=1))
_DIGEST = re.compile(r"[0-9A-Fa-f]+")
_FIRST, _LAST = 1970, 9999
"""Years between which a second more or less is still a time that can be written."""


def settle(condition: Condition, context: Context, *, holds: bool) -> Values | None:
    """Return values of the condition's key for which it holds (or does not); None when none was found.

    An empty tuple means that the key has to be missing.
    """
    for values in _tries(condition):
        if condition.holds(with_values(context, condition.lookup, values)) is holds:
            return values
    return None


def settle_all(conditions: Sequence[Condition], context: Context) -> Context | None:
    """Return a context in which all conditions hold, with values of their keys changed only; None when not found."""
    found = context
    for condition in conditions:
        if condition.holds(found):
            continue
        values = settle(condition, found, holds=True)
        if values is None:
            return None
        found = with_values(found, condition.lookup, values)
    return found if all(condition.holds(found) for condition in conditions) else None


def with_values(context: Context, key: str, values: Values) -> Context:
    """Return a context in which a key has other values, or none."""
    others: Mapping[str, Values] = {name: known for name, known in context.items() if name != key}
    return {**others, key: values} if values else others


def _tries(condition: Condition) -> Iterator[Values]:
    row = find_condition_key(condition.key)
    if condition.unread or row is None:
        return
    for value in condition.values:
        if not has_variable(value):
            yield from ((each,) for each in _near(row, condition.operator, value) if _readable(row.kind, each))
    yield ()


def _near(row: ConditionKey, operator: str, value: str) -> list[str]:
    if row.source is Source.DOCUMENT:  # KMS presents lower-case hex, whatever the policy says
        return [value.lower()] if _DIGEST.fullmatch(value) else []
    if row.kind is ValueKind.BOOL:
        return ["true", "false"]
    if operator == "Null":  # its values say whether there is a value, not which
        return []
    if row.kind is ValueKind.TIMESTAMP:
        return _stamps(operator, value)
    if row.kind in _NEAR:
        return _NEAR[row.kind](value)
    return [_without_wildcards(value)] if "Like" in operator or "Arn" in operator else [value]


def _stamps(operator: str, value: str) -> list[str]:
    if "Date" in operator:
        return [str(int(read_date(moment).timestamp())) for moment in _moments(value)]
    return _numbers(value)


def _numbers(value: str) -> list[str]:
    return [value, *(str(read_number(value) + step) for step in (-1, 1))]


def _addresses(value: str) -> list[str]:
    return [str(ip_network(value).network_address)]


def _without_wildcards(value: str) -> str:
    """Return a text that a pattern matches: with an x for what it leaves open."""
    return value.replace("*", "x").replace("?", "x")


def _moments(value: str) -> list[str]:
    moment = read_date(value).astimezone(UTC)
    if not _FIRST < moment.year < _LAST:
        return []
    return [f"{moment + step:%Y-%m-%dT%H:%M:%SZ}" for step in _STEPS]


_NEAR: dict[ValueKind, Callable[[str], list[str]]] = {
    ValueKind.DATE: _moments,
    ValueKind.NUMERIC: _numbers,
    ValueKind.IP: _addresses,
}


def _readable(kind: ValueKind, value: str) -> bool:
    try:
        READERS[kind](value)
    except ValueError:
        return False
    return True
