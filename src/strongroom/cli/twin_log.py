# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin log`: each call to a twin with who decided, and what was missing."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click

from strongroom.cli.output import console
from strongroom.cli.twin_folder import folder_option, twin_folder
from strongroom.cli.twin_log_lines import entry_lines
from strongroom.errors import LocalFault
from strongroom.twin.request_log import LOG_NAME, OLD_NAME

_TICK_SECONDS = 0.2


@click.command("log")
@folder_option
@click.option("--follow", is_flag=True, help="Go on with new calls until Ctrl-C.")
@click.option("--denied", is_flag=True, help="Only calls that were refused.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a call, as they stand in the file.")
def command(*, folder: Path | None, follow: bool, denied: bool, as_json: bool) -> None:
    """Print the request log of a twin, whether it runs or not: one call a line, and why it was refused.

    \b
    Example:  strongroom twin log --denied
              strongroom twin log --follow
    """
    place = twin_folder(folder)
    if not follow and not (place / LOG_NAME).exists():
        raise LocalFault(
            "twin.no-log",
            f"expected the log of a twin in {place}, found none",
            remedy="Nobody has called a twin there. `strongroom twin up --detach` starts one.",
        )
    out = console()
    for line in _lines(place, follow=follow):
        entry = _parse(line)
        if entry is None or (denied and entry.get("outcome") == "allowed"):
            continue
        if as_json:
            sys.stdout.write(line.decode() + "\n")
        else:
            out.print("\n".join(entry_lines(entry)), markup=False)
        if follow:
            sys.stdout.flush()


def _parse(line: bytes) -> dict[str, object] | None:
    """Return a line's members; None for one that a killed twin left half written."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _lines(folder: Path, *, follow: bool) -> Iterator[bytes]:
    """Yield the whole lines of both files, then of what comes, also after the file was begun anew."""
    if (folder / OLD_NAME).exists():
        with (folder / OLD_NAME).open("rb") as old:
            yield from (line.rstrip(b"\n") for line in old)
    current = folder / LOG_NAME
    while follow or current.exists():
        if not current.exists():
            time.sleep(_TICK_SECONDS)
            continue
        with current.open("rb") as file:
            yield from _to_end(file, current, follow=follow)
        if not follow:
            return


def _to_end(file: BinaryIO, path: Path, *, follow: bool) -> Iterator[bytes]:
    """Yield the lines of one file until it has ended for good: nobody writes into a file that was replaced."""
    started = b""
    while True:
        replaced = not _is_still(file, path)  # asked before reading: what was written in between is read
        for line in file:
            started += line
            if started.endswith(b"\n"):
                yield started.rstrip(b"\n")
                started = b""
        if replaced or not follow:
            return
        time.sleep(_TICK_SECONDS)


def _is_still(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
