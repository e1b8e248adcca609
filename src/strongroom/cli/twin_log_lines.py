# SPDX-License-Identifier: Apache-2.0
"""A call of the request log as lines for people: who, what, what came of it, and what it hung on."""

from __future__ import annotations

from collections.abc import Mapping

from strongroom.cli.terminal import printable


def entry_lines(entry: Mapping[str, object]) -> list[str]:
    """Return the lines of one call: the first says what happened, indented ones why."""
    time, outcome, service, action = (_text(entry, name) for name in ("time", "outcome", "service", "action"))
    caller = _text(entry, "caller") or "nobody known"
    lines = [f"{time} {outcome:7} {service or '?'}:{action or '?'}  {caller}"]
    if key := _text(entry, "key"):
        lines.append(f"    on {key}")
    if reason := _text(entry, "reason"):
        lines.append(f"    {reason}")
    lines += [f"    {line}" for line in _missed(entry)]
    if outcome != "allowed":
        lines.append(f"    {_text(entry, 'status')} {_text(entry, 'error')} {_text(entry, 'message')}".rstrip())
    return lines


def _missed(entry: Mapping[str, object]) -> list[str]:
    missed = entry.get("missed")
    found = [each for each in missed if isinstance(each, dict)] if isinstance(missed, list) else []
    return [
        f"{_text(each, 'policy')}, {_text(each, 'statement')}: {_text(each, 'element')} "
        f"expected {_values(each, 'expected')}, seen {_values(each, 'seen')}"
        for each in found
    ]


def _values(entry: Mapping[str, object], name: str) -> str:
    values = entry.get(name)
    texts = [printable(str(value)) for value in values] if isinstance(values, list) else []
    return " or ".join(texts) or "nothing"


def _text(entry: Mapping[str, object], name: str) -> str:
    value = entry.get(name)
    return "" if value is None else printable(str(value))
