# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect`: a file in plain words. It claims no trust in what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
from rich.console import Console

from strongroom.cli import (
    inspect_console,
    inspect_disk,
    inspect_document,
    inspect_event_log,
    inspect_identity,
    inspect_image,
    inspect_measurements,
    inspect_uefi,
)
from strongroom.cli.image_file import CONTAINERS, raw_disk_remedy
from strongroom.cli.inspection import MAX_SMALL_BYTES, Inspection, Recogniser, of_small
from strongroom.cli.output import emit, json_option, print_line
from strongroom.cli.own_files import own_file
from strongroom.cli.paths import PATH, named
from strongroom.errors import FormatError
from strongroom.flows.files import map_file
from strongroom.formats.file_kind import HEAD_BYTES, guess_kind

MAX_PIPED_BYTES = 1 << 30
"""A file may be of any size; what comes through a pipe is kept in memory."""

RECOGNISERS: Mapping[str, Recogniser] = {
    "an attestation document": of_small(inspect_document.recognise),
    "a TCG event log": of_small(inspect_event_log.recognise),
    "an instance identity document or its signature": of_small(inspect_identity.recognise),
    "a saved console": of_small(inspect_console.recognise),
    "UEFI variables": of_small(inspect_uefi.recognise),
    "a measurements file": of_small(inspect_measurements.recognise),
    "an EFI program (.efi) such as a unified kernel image": inspect_image.recognise,
    "a raw disk image": inspect_disk.recognise,
}
"""What each knows, in the words of help and errors. Asked in this order; the first that knows the file describes it."""
_KNOWN = tuple(RECOGNISERS)
_WARNING = "Unverified: anybody can write such a file."


def inspect(data: memoryview, *, path: Path) -> Inspection:
    """Describe the file at `path`. Raises FormatError for a kind that no recogniser knows."""
    for recognise in RECOGNISERS.values():
        found = recognise(data)
        if found is not None:
            return found
    kind = guess_kind(bytes(data[:HEAD_BYTES]))
    ours = own_file(bytes(data[: MAX_SMALL_BYTES + 1]), kind)
    seen = kind if ours is None else ours.title
    raise FormatError(
        "inspect.unknown",
        f"expected {', '.join(_KNOWN[:-1])}, or {_KNOWN[-1]}, found what looks like {seen}",
        remedy=raw_disk_remedy(path, kind) if kind in CONTAINERS else "" if ours is None else ours.remedy,
    )


@click.command()
@click.argument("file", type=PATH)
@json_option
def command(file: Path, *, as_json: bool) -> None:
    """Show what is in FILE in plain words. Nothing is verified.

    FILE is an attestation document, a TCG event log, an instance identity document or its signature, a saved console,
    UEFI variables, a measurements file, an EFI program (.efi) such as a unified kernel image, or a raw disk image, of
    which it says what firmware boots.

    \b
    Example:  strongroom inspect document.cbor
              strongroom inspect disk.raw
    """
    with named(file):
        found = inspect(map_file(file, maximum_piped_bytes=MAX_PIPED_BYTES), path=file)

    def human(console: Console) -> None:
        console.print(f"This is {found.title}. {_WARNING} {found.pointer}", markup=False)
        for line in found.lines:
            print_line(console, line)

    emit({"kind": found.kind, "verified": False, **found.facts}, as_json=as_json, human=human)
