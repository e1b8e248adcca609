# SPDX-License-Identifier: Apache-2.0
"""The table, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.row import Row

_WHOLE = 10
"""A figure below has a decimal."""
_HEADINGS = ("what", "ours", "peer", "limit", "ratio", "goal", "reached")


def as_json(machine: Mapping[str, str], rows: Sequence[Row], rounds: int) -> dict[str, Any]:
    """Return everything as one object."""
    return {"machine": dict(machine), "rounds": rounds, "rows": [row.as_json() for row in rows]}


def as_text(machine: Mapping[str, str], rows: Sequence[Row], rounds: int) -> str:
    """Return the table in columns, the machine above it and what the names stand for below."""
    cells = [_HEADINGS, *map(_cells, rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    facts = [f"{name:<12}{value}" for name, value in machine.items()]
    notes = [f"{row.what}: {note}" for row in rows for note in _notes(row)]
    return "\n".join(
        [*facts, "", *lines, "", f"Medians of {rounds} rounds in turns, and the lowest and highest ratio.", *notes]
    )


def _cells(row: Row) -> tuple[str, ...]:
    reached = {True: "yes", False: "no", None: "-"}[row.reached]
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f} ({min(row.ratios):.2f} to {max(row.ratios):.2f})"
    return (row.what, *(_figure(row, name) for name in ("ours", "peer", "limit")), ratio, row.goal_text, reached)


def _figure(row: Row, contender: str) -> str:
    figure = row.figure(contender)
    return "-" if figure is None else f"{figure:,.{0 if figure >= _WHOLE else 1}f} {row.unit}"


def _notes(row: Row) -> list[str]:
    named = [f"{contender} is {name}" for contender, name in row.names.items()]
    return [*named, row.remark] if row.remark else named
