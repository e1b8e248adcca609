# SPDX-License-Identifier: Apache-2.0
"""`strongroom demo`: prints the story, and fails when one expectation does."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from strongroom.cli.demo.attempts import has_memory
from strongroom.cli.demo.images import find_parts
from strongroom.cli.demo.keepsake import DESCRIPTIONS, Keepsakes, leave, make_folder
from strongroom.cli.demo.ledger import Row, rows_as_json
from strongroom.cli.demo.story import ATTEMPTS, STAGE_STEPS, WEIGHTS_BYTES, Outcome, Say, play, set_stage
from strongroom.cli.output import console, emit, json_option, print_line
from strongroom.cli.paths import PATH
from strongroom.cli.stand_in import Parts
from strongroom.cli.twin_parties import away_from_aws
from strongroom.formats.pcrs import GATES
from strongroom.twin.server import Twin

NOT_AS_EXPECTED = 1
_STEPS = STAGE_STEPS + ATTEMPTS


@click.command()
@click.option("--keep", type=PATH, help="Leave the image, documents, bundle and policy here.")
@json_option
@click.pass_context
def command(context: click.Context, *, keep: Path | None, as_json: bool) -> None:
    """Play the whole story on this machine: a secret reaches only an attested instance.

    A twin of AWS (KMS, STS, instance metadata, NitroTPM) runs on 127.0.0.1 while the demo does. Nothing leaves the
    machine, but for a first download of Debian's kernel where there is one. Exits with 1 if anything ended
    otherwise than it should.

    \b
    Example:  strongroom demo --keep kept
    """
    if keep:
        make_folder(keep)
    started = time.monotonic()
    screen = Console(quiet=True) if as_json else console()
    with _progress(screen) as say, Twin() as twin:
        parts = find_parts(say)
        screen.print(f"[bold]Strongroom demo[/bold]: a twin of AWS at {twin.endpoint_url}, only while this runs")
        screen.print(f"the image: {parts.origin}", markup=False)
        for missing in _not_shown(parts):
            screen.print(f"not shown here: {missing}", markup=False)
        with away_from_aws():
            outcome = play(set_stage(twin, parts, weights_bytes=WEIGHTS_BYTES, say=say), say=say)
            left = leave(outcome, keep) if keep else Keepsakes()
    seconds = round(time.monotonic() - started, 1)
    result = {
        "holds": outcome.holds,
        "image": parts.origin,
        "not_shown": _not_shown(parts),
        "seconds": seconds,
        "left": list(left.names),
        "rows": rows_as_json(outcome.rows),
    }
    emit(result, as_json=as_json, human=lambda out: _print(out, outcome, left, seconds))
    context.exit(0 if outcome.holds else NOT_AS_EXPECTED)


def _not_shown(parts: Parts) -> list[str]:
    """Return what this machine cannot show, in sentences."""
    on_disk = "There is no tmpfs at /dev/shm here, so the secrets went through a temporary folder on disk."
    return [*([parts.missing] if parts.missing else []), *([] if has_memory() else [on_disk])]


@contextmanager
def _progress(screen: Console) -> Iterator[Say]:
    """Show a bar over all the steps while they run; nothing where the output is no terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        task = bar.add_task("", total=_STEPS)

        def say(what: str) -> None:
            bar.update(task, advance=1, description=what)

        yield say


def _print(out: Console, outcome: Outcome, left: Keepsakes, seconds: float) -> None:
    pcrs = outcome.stage.images.measurements.pcrs
    out.print("measured, without running it:")
    for index in GATES:
        out.print(f"  PCR{index:<3} {pcrs[index].hex()}", markup=False)
    for name, digest in outcome.digests.items():
        out.print(f"the app read {name}: SHA-256 {digest}", markup=False)
    out.print(_table(outcome.rows))
    for row in outcome.rows:
        if not row.holds:
            out.print(f"NOT AS EXPECTED: {row.tried}\n  expected {row.expected}\n  saw      {row.seen}", markup=False)
    held = sum(row.holds for row in outcome.rows)
    out.print(f"{held} of {len(outcome.rows)} ended as they should, in {seconds} s", markup=False)
    _print_next(out, left)


def _table(rows: list[Row]) -> Table:
    table = Table(title="what was tried, and who stopped it", title_justify="left", show_lines=False)
    for name in ("", "tried", "who stopped it", "at step", "PCRs that moved"):
        table.add_column(name, overflow="fold")
    for row in rows:
        moved = ", ".join(map(str, row.seen.moved)) or "-"
        if row.seen.identity:
            moved += f" ({row.seen.identity})"
        mark = "[green]ok[/green]" if row.holds else "[red]NO[/red]"
        table.add_row(mark, row.tried, row.seen.words.replace("[", "\\["), str(row.seen.step or "-"), moved)
    return table


def _print_next(out: Console, left: Keepsakes) -> None:
    if left.folder is None:
        out.print(f"nothing is left of it; to look at the pieces: {_program()} demo --keep kept", markup=False)
    else:
        print_line(out, f"left in {left.folder}:")
        for name in left.names:
            out.print(f"  {name:<26}{DESCRIPTIONS[name]}", markup=False)
    folder = shlex.quote(str(left.folder or "kept"))
    out.print("next:")
    for line in next_commands(folder):
        out.print(f"  {_program()} {line}", markup=False)


def _program() -> str:
    """Return how this program is called from here: by its name, or by where it lies when it is not on the PATH."""
    if shutil.which("strongroom"):
        return "strongroom"
    called = Path(sys.argv[0])
    return f"{shlex.quote(sys.executable)} -m strongroom" if called.name == "__main__.py" else shlex.quote(str(called))


def next_commands(folder: str) -> tuple[str, ...]:
    """Return the arguments of three commands that work on what `--keep` left."""
    root = f"--root {folder}/twin-root.pem"
    return (
        f"measure {folder}/image.efi",
        f"inspect {folder}/document.cbor",
        f"verify {folder}/document.cbor --measurements {folder}/measurements.json --no-nonce {root}",
    )
