# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect`: a file in plain words, of the kinds in RECOGNISERS. It claims no trust in what it shows."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from strongroom.cli import inspect_document, inspect_event_log
from strongroom.cli.inspection import Inspection, Recogniser
from strongroom.cli.output import emit, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.terminal import printable
from strongroom.errors import FormatError
from strongroom.flows.files import read_file
from strongroom.formats.file_kind import guess_kind

MAX_BYTES = 1 << 30
"""A disk image fits; `read_file` refuses what is larger."""

RECOGNISERS: tuple[Recogniser, ...] = (inspect_document.recognise, inspect_event_log.recognise)
"""Asked in this order; the first that knows the file describes it."""

_WARNING = "Unverified: anybody can write such a file. `strongroom verify` says whether a document is authentic."


def inspect(data: bytes) -> Inspection:
    """Describe a file. Raises FormatError for a kind that no recogniser knows."""
    for recognise in RECOGNISERS:
        found = recognise(data)
        if found is not None:
            return found
    raise FormatError(
        "inspect.unknown",
        f"expected an attestation document or an event log, which is all that can be shown so far; "
        f"this looks like {guess_kind(data)}",
        offset=0,
    )


@click.command()
@click.argument("file", type=PATH)
@json_option
def command(file: Path, *, as_json: bool) -> None:
    """Show what is in FILE, an attestation document or a TCG event log, in plain words. Nothing is verified.

    \b
    Example:  strongroom inspect document.cbor
              strongroom inspect /sys/kernel/security/tpm0/binary_bios_measurements
    """
    found = inspect(read_file(file, maximum_bytes=MAX_BYTES))

    def human(console: Console) -> None:
        console.print(f"This is {found.title}. {_WARNING}", markup=False)
        for line in found.lines:
            console.print(printable(line), markup=False)

    emit({"kind": found.kind, "verified": False, **found.facts}, as_json=as_json, human=human)
