# SPDX-License-Identifier: Apache-2.0
"""Policy variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`, and `${*}`, `${?}`, `${$}`.

IAM User Guide, "IAM policy elements: Variables and tags". A variable names a condition key with one value. It may stand
in the values of string and ARN operators, and in the resource part of a Resource: after the fifth colon.
A variable without a value and without a default equals nothing and is like nothing: a positive operator does not
match, a negated one does, a Resource covers nothing.

What AWS does not say, and is assumed: wildcards inside a variable's value are characters, not wildcards.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.patterns import ARN_PARTS, Exact, Pieces

Context: TypeAlias = Mapping[str, tuple[str, ...]]
"""Lower-case condition keys to values; a key that is absent from the request is absent here."""
_VARIABLE = re.compile(r"\$\{(?P<special>[*?$])\}|\$\{(?P<key>[^{}',]+?)(?:, '(?P<default>[^']*)')?\}")
_OPEN = "${"


@dataclass(frozen=True, slots=True)
class Variable:
    """A place that a request fills. `lookup` is the condition key in lower case."""

    lookup: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Template:
    """A text with variables."""

    parts: tuple[str | Exact | Variable, ...]

    @property
    def fixed(self) -> Pieces | None:
        """Return the text when it is the same for every request."""
        fixed = tuple(part for part in self.parts if not isinstance(part, Variable))
        return fixed if len(fixed) == len(self.parts) else None

    def filled(self, context: Context) -> Pieces | None:
        """Return the text for one request; None where a variable has neither a value nor a default."""
        pieces: list[str | Exact] = []
        for part in self.parts:
            if not isinstance(part, Variable):
                pieces.append(part)
                continue
            values = context.get(part.lookup, ())
            value = values[0] if values else part.default
            if value is None:
                return None
            pieces.append(Exact(value))
        return tuple(pieces)


def parse_template(text: str) -> Template:
    """Parse a text. Raises ValueError for a variable that is malformed, unknown, or of a key with several values."""
    parts: list[str | Exact | Variable] = []
    end = 0
    for match in _VARIABLE.finditer(text):
        parts.append(_literal(text[end : match.start()]))
        parts.append(_part(match))
        end = match.end()
    parts.append(_literal(text[end:]))
    return Template(tuple(part for part in parts if part != "") or ("",))


def parse_resource_template(text: str) -> Template:
    """Parse a Resource: a variable may stand after the fifth colon only. Raises ValueError."""
    template = parse_template(text)
    colons = 0
    for part in template.parts:
        if isinstance(part, Variable) and colons < ARN_PARTS - 1:
            raise ValueError(f"expected variables after the fifth colon of an ARN only, found {text!r}")
        colons += part.count(":") if isinstance(part, str) else 0
    return template


def has_variable(text: str) -> bool:
    """Tell whether a text holds the beginning of a variable."""
    return _OPEN in text


def _literal(text: str) -> str:
    if has_variable(text):
        raise ValueError(f"expected ${{key}} or ${{key, 'default'}}, found {text!r}")
    return text


def _part(match: re.Match[str]) -> Exact | Variable:
    if match["special"]:
        return Exact(match["special"])
    key = match["key"]
    row = find_condition_key(key)
    if row is None:
        raise ValueError(f"expected the name of a condition key in a variable, found {key!r}")
    if row.multivalued:
        raise ValueError(f"expected a condition key with one value in a variable, found {key!r}")
    return Variable(key.lower(), match["default"])
