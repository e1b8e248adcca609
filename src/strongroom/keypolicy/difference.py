# SPDX-License-Identifier: Apache-2.0
"""What tells two key policies apart, by meaning: statement by statement, element by element, value by value.

The order of statements and of lists says nothing (see `meaning`), so it is no difference here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from strongroom.errors import Finding
from strongroom.keypolicy.model import KeyPolicy, encode_key_policy

_Statement: TypeAlias = "Mapping[str, object]"
_Parts: TypeAlias = "dict[str, frozenset[str]]"
"""An element, or one condition of a statement, by what it is called; its values without their order."""
_SHOWN_CHARACTERS = 120


def policy_differences(expected: KeyPolicy, found: KeyPolicy) -> tuple[Finding, ...]:
    """Return one finding for each statement that only one of them has, and for each element that differs.

    Empty exactly when both mean the same, apart from an `Id`.
    """
    wanted, there = _statements(expected), _statements(found)
    findings = [
        Finding("keypolicy.statement-missing", f"statement {label} is not there", part=label)
        for label in wanted
        if label not in there
    ]
    findings += [
        Finding("keypolicy.statement-added", f"statement {label} was added: {_short(there[label])}", part=label)
        for label in there
        if label not in wanted
    ]
    for label in wanted:
        if label in there:
            findings += _changed(label, wanted[label], there[label])
    return tuple(findings)


def _statements(policy: KeyPolicy) -> dict[str, _Statement]:
    """Return the statements by Sid; one without is called by its place."""
    bodies = json.loads(encode_key_policy(policy))["Statement"]
    return {each.get("Sid", f"Statement[{index}]"): each for index, each in enumerate(bodies)}


def _changed(label: str, wanted: _Statement, there: _Statement) -> Iterator[Finding]:
    expected, found = _parts(wanted), _parts(there)
    for part in sorted(expected.keys() | found.keys()):
        before, after = expected.get(part, frozenset()), found.get(part, frozenset())
        if before != after:
            yield Finding(
                "keypolicy.statement-changed",
                f"statement {label}, {part}: {_said(before - after, 'lacks')}{_said(after - before, 'has')}".rstrip(
                    " ;"
                ),
                part=label,
                expected=tuple(sorted(before)),
                found=", ".join(sorted(after)) or None,
            )


def _said(values: frozenset[str], verb: str) -> str:
    return f"it {verb} {_cut(', '.join(sorted(values)))}; " if values else ""


def _parts(statement: _Statement) -> _Parts:
    parts: _Parts = {}
    for name, value in statement.items():
        if name == "Condition" and isinstance(value, dict):
            for operator, block in value.items():
                parts |= {f"{operator} {key}": _values(each) for key, each in block.items()}
        elif name.endswith("Principal") and isinstance(value, dict):
            parts |= {f"{name} {kind}": _values(each) for kind, each in value.items()}
        else:
            parts[name] = _values(value)
    return parts


def _values(value: object) -> frozenset[str]:
    return frozenset(map(str, value)) if isinstance(value, list) else frozenset([str(value)])


def _short(statement: _Statement) -> str:
    return _cut(json.dumps({name: value for name, value in statement.items() if name != "Sid"}))


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
