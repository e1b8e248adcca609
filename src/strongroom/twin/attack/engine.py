# SPDX-License-Identifier: Apache-2.0
"""Plays rows: both plays of each side by side, `workers` plays at a time, and every row to its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from strongroom.errors import StrongroomError, UsageError
from strongroom.twin.attack.row import Ending, NotPlayed, Play, Result, Row, Verdict

WORKERS = 2
"""One machine for each of two cores."""

Place = TypeVar("Place")
Heard = Callable[[Result], None]


def unheard(_: Result) -> None:
    """Say nothing."""


def run_rows(
    rows: Sequence[Row[Place]], place: Place, *, workers: int = WORKERS, heard: Heard = unheard
) -> tuple[Result, ...]:
    """Play every row at a place and return the results in the order of the rows; `heard` is told each as it ends.

    An error of ours ends the play that it happened in, and the row counts as not run; any other is a mistake in the row
    and is raised.
    """
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="attack") as pool:
        begun = [
            (row, pool.submit(_play, row.play, place), pool.submit(_play, row.play_without, place)) for row in rows
        ]
        return tuple(_told(row, first, second, heard) for row, first, second in begun)


def all_stopped(results: Iterable[Result]) -> bool:
    """Say whether there were rows, and each was stopped by the guard that it names."""
    verdicts = {result.verdict for result in results}
    return verdicts == {Verdict.STOPPED}


def select_rows(rows: Sequence[Row[Place]], wanted: Sequence[str]) -> tuple[Row[Place], ...]:
    """Return the rows of these names or attack ids, all without any. Raises UsageError for one that no row has."""
    known = {word for row in rows for word in (row.name, row.attack)}
    for word in wanted:
        if word not in known:
            names = ", ".join(row.name for row in rows)
            raise UsageError("attack.no-row", f"expected the name or id of a row, found {word!r}; rows: {names}")
    return tuple(row for row in rows if not wanted or row.name in wanted or row.attack in wanted)


def expect_distinct(rows: Sequence[Row[Place]]) -> None:
    """Raise ValueError where two rows have one name: a programmer's mistake."""
    names = [row.name for row in rows]
    if len(set(names)) != len(names):
        raise ValueError(f"expected each name once, found {sorted(names)}")


def _play(play: Play[Place], place: Place) -> tuple[Ending, float]:
    started = time.monotonic()
    try:
        ending = play(place)
    except StrongroomError as error:
        ending = NotPlayed(f"{error.code}: {error.message}")
    return ending, time.monotonic() - started


def _told(
    row: Row[Place], first: Future[tuple[Ending, float]], second: Future[tuple[Ending, float]], heard: Heard
) -> Result:
    with_guard, seconds = first.result()
    without_guard, more_seconds = second.result()
    result = Result(
        name=row.name,
        attack=row.attack,
        title=row.title,
        guards=row.guards,
        removed=row.removed,
        with_guard=with_guard,
        without_guard=without_guard,
        seconds=seconds + more_seconds,
    )
    heard(result)
    return result
