# SPDX-License-Identifier: Apache-2.0
"""What `strongroom explain` says of two accounts of a boot, as text or as one JSON object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from rich.console import Console

from strongroom.cli.output import print_line
from strongroom.formats.pcrs import PcrIndex
from strongroom.measure.explain.difference import Difference, Explanation

LEGEND: Final = (
    "proven: digests show it; logged: digests show a move, and only the log says what it is; inferred: only the "
    "register's value is known, and it has this one purpose."
)
_MOST_DETAILS = 12


def explanation_facts(found: Explanation, *, moved: Sequence[Difference]) -> dict[str, object]:
    """Return an explanation for programs; `moved` are the differences for which the command exits with 1."""
    return {
        "reference": found.reference,
        "seen": found.seen,
        "moved": bool(moved),
        "differences": [_members(each) for each in found.differences],
        "same": list(found.same),
        "unknown": list(found.unknown),
        "notices": list(found.notes),
    }


def _members(difference: Difference) -> dict[str, object]:
    return {
        "code": difference.code,
        "component": difference.component.value,
        "subject": difference.subject,
        "pcrs": list(difference.pcrs),
        "grounds": difference.grounds.value,
        "sentence": difference.sentence,
        "details": list(difference.details),
    }


def print_explanation(console: Console, found: Explanation) -> None:
    """Print what moved, what gates first, and what the words for its grounds mean."""
    line = partial(print_line, console)

    line(_headline(found))
    _print_differences(line, "What keeps the machine from being trusted:", found.gated)
    _print_differences(line, "Moved, but no gate:", found.ungated)
    if found.same:
        line(f"The same in both: PCR {listed(found.same)}.")
    if found.unknown:
        line(f"Not compared, as one of them does not tell: PCR {listed(found.unknown)}.")
    if found.differences:
        line(LEGEND)
    for note in found.notes:
        line(f"note: {note}")


def _headline(found: Explanation) -> str:
    if not found.gated:
        return f"Nothing that gates moved between {found.reference} and {found.seen}."
    count = len(found.gated)
    return f"{count} thing{'s' if count > 1 else ''} moved between {found.reference} and {found.seen}."


def _print_differences(line: Callable[[str], None], title: str, differences: Sequence[Difference]) -> None:
    if differences:
        line(title)
    for each in differences:
        line(f"  PCR {listed(each.pcrs)} ({each.grounds.value}): {each.sentence}.")
        for row in each.details[:_MOST_DETAILS]:
            line(f"      {row}")
        if len(each.details) > _MOST_DETAILS:
            line(f"      and {len(each.details) - _MOST_DETAILS} more; --json lists them all")


def listed(pcrs: Sequence[PcrIndex]) -> str:
    """Return PCRs as they follow "PCR"."""
    return ", ".join(map(str, pcrs))
