# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin attack`: plays the hostile customer against an image, and says who stopped each attack."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from strongroom.cli.cache_folder import cache_folder
from strongroom.cli.output import console, emit, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.terminal import printable
from strongroom.cli.twin_parties import away_from_aws
from strongroom.errors import UsageError
from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.engine import ROWS_AT_A_TIME, Heard, all_stopped, run_rows, select_rows
from strongroom.twin.attack.opened import opened_arena
from strongroom.twin.attack.row import Ending, NotPlayed, Reached, Result, Row, Verdict
from strongroom.twin.attack.rows import ROWS

NOT_ALL_STOPPED = 1
_MARKS = {
    Verdict.STOPPED: "[green]stopped[/green]",
    Verdict.GOT_THROUGH: "[red]GOT THROUGH[/red]",
    Verdict.OTHER_GUARD: "[red]OTHER GUARD[/red]",
    Verdict.NOT_RUN: "[red]NOT RUN[/red]",
}


@click.command("attack")
@click.argument("image", type=PATH, required=False)
@click.option("--only", multiple=True, metavar="ROW", help="Only this row, by its name or its attack. Repeatable.")
@click.option("--list", "listed", is_flag=True, help="Say what would be played, and play nothing.")
@click.option(
    "--at-a-time",
    type=click.IntRange(1, 8),
    default=ROWS_AT_A_TIME,
    show_default=True,
    help="Machines that run side by side.",
)
@json_option
@click.pass_context
def command(
    context: click.Context, *, image: Path | None, only: tuple[str, ...], listed: bool, at_a_time: int, as_json: bool
) -> None:
    """Play the hostile customer against IMAGE: a raw disk, the folder of a build, or a UKI.

    Each attack is played twice: against its guard, and with the guard taken out, where it has to work. What it gets at
    is a canary that a vendor of the twin has sealed. IMAGE is read only. Exits with 1 unless every attack was stopped
    by the guard that its row names.

    \b
    Example:  strongroom twin attack out/
              strongroom twin attack disk.raw --only B20
    """
    rows = select_rows(ROWS, only)
    if listed:
        emit({"rows": [_row_json(row) for row in rows]}, as_json=as_json, human=lambda out: _print_list(out, rows))
        return
    if image is None:
        raise UsageError("attack.no-image", "expected an image to attack, found none", remedy="Name a disk or a build.")
    started = time.monotonic()
    screen = Console(quiet=True) if as_json else console()
    slots = threading.BoundedSemaphore(at_a_time)
    with _progress(screen, len(rows)) as heard, away_from_aws(), opened_arena(image, cache_folder(), slots) as arena:
        results = run_rows(rows, arena, at_a_time=at_a_time, heard=heard)
    holds, seconds = all_stopped(results), round(time.monotonic() - started, 1)
    emit(
        {"holds": holds, "image": str(image), "seconds": seconds, "rows": [_result_json(each) for each in results]},
        as_json=as_json,
        human=lambda out: _print(out, results, seconds),
    )
    context.exit(0 if holds else NOT_ALL_STOPPED)


@contextmanager
def _progress(screen: Console, rows: int) -> Iterator[Heard]:
    """Show a bar over the rows while they run; nothing where the output is no terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("booting", total=rows)
        yield lambda result: bar.update(task, advance=1, description=f"{result.name}: {result.verdict}")


def _print(out: Console, results: Sequence[Result], seconds: float) -> None:
    table = Table(title="what the customer tried, and who stopped it", title_justify="left", show_lines=True)
    for name in ("attack", "expected guard", "with the guard", "without it", ""):
        table.add_column(name, overflow="fold")
    for each in results:
        table.add_row(
            _plain(f"{each.attack} {each.name}: {each.title}"),
            _plain(" or ".join(each.guards)),
            _plain(_words(each.with_guard)),
            _plain(f"{each.removed}: {_words(each.without_guard)}"),
            _MARKS[each.verdict],
        )
    out.print(table)
    stopped = sum(each.verdict is Verdict.STOPPED for each in results)
    out.print(f"{stopped} of {len(results)} stopped by the guard that was expected, in {seconds} s", markup=False)


def _words(ending: Ending) -> str:
    if isinstance(ending, Reached):
        return f"REACHED: {ending.evidence}"
    if isinstance(ending, NotPlayed):
        return f"not played: {ending.reason}"
    return f"{ending.guard} ({ending.evidence})"


def _plain(text: str) -> str:
    return printable(text).replace("[", "\\[")


def _print_list(out: Console, rows: Sequence[Row[Arena]]) -> None:
    for row in rows:
        out.print(f"{row.attack:<5}{row.name:<16}{row.title}", markup=False)
        out.print(f"{'':<21}guard: {' or '.join(row.guards)}; taken out: {row.removed}", markup=False)


def _row_json(row: Row[Arena]) -> dict[str, object]:
    return {
        "name": row.name,
        "attack": row.attack,
        "title": row.title,
        "guards": list(row.guards),
        "removed": row.removed,
    }


def _result_json(result: Result) -> dict[str, object]:
    return {
        "name": result.name,
        "attack": result.attack,
        "title": result.title,
        "guards": list(result.guards),
        "removed": result.removed,
        "verdict": result.verdict.value,
        "with_guard": _ending_json(result.with_guard),
        "without_guard": _ending_json(result.without_guard),
        "seconds": round(result.seconds, 1),
    }


def _ending_json(ending: Ending) -> dict[str, str]:
    if isinstance(ending, Reached):
        return {"ending": "reached", "evidence": ending.evidence}
    if isinstance(ending, NotPlayed):
        return {"ending": "not-played", "reason": ending.reason}
    return {"ending": "stopped", "guard": ending.guard, "evidence": ending.evidence}
