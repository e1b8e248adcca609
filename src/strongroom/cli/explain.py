# SPDX-License-Identifier: Apache-2.0
"""`strongroom explain`: why PCRs differ, and which component moved."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console

from strongroom.cli.boot_accounts import Sources, read_accounts
from strongroom.cli.output import emit, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.secure_boot_options import secure_boot_options
from strongroom.cli.terminal import printable
from strongroom.cli.verify_trust import read_roots
from strongroom.formats.pcrs import PcrIndex
from strongroom.measure.explain.compare import explain
from strongroom.measure.explain.difference import Difference, Explanation
from strongroom.measure.secure_boot import SecureBootKeys

DIFFERENT = 1
_MOST_DETAILS = 12


@click.command()
@click.option("--measurements", multiple=True, type=PATH, help="Reference measurements of an image.")
@click.option("--image", multiple=True, type=PATH, help="The image itself (.efi), or the disk that boots it.")
@click.option(
    "--document", multiple=True, type=PATH, help="An attestation document, or a saved console with one in it."
)
@click.option("--event-log", multiple=True, type=PATH, help="The firmware's event log (binary_bios_measurements).")
@click.option("--root", multiple=True, type=PATH, help="PEM file of roots to trust, instead of AWS's; may be repeated.")
@secure_boot_options
@json_option
@click.pass_context
def command(
    context: click.Context,
    *,
    measurements: tuple[Path, ...],
    image: tuple[Path, ...],
    document: tuple[Path, ...],
    event_log: tuple[Path, ...],
    root: tuple[Path, ...],
    secure_boot: SecureBootKeys | None,
    as_json: bool,
) -> None:
    """Say why two accounts of a boot differ: which component moved.

    Give what was predicted (--measurements or --image, or both) and what was recorded (--document or --event-log, or
    both); or two of a kind. Documents are verified as of their own time; nothing is said about their age. The keys are
    those that the --image is expected to boot under. Exits 1 if something moved that keeps a machine from being
    trusted.

    \b
    Example:  strongroom explain --measurements ref.json --document doc.cbor
              strongroom explain --image BOOTX64.EFI --event-log log
              strongroom explain --document old.cbor --document new.cbor
    """
    sources = Sources(measurements=measurements, image=image, document=document, event_log=event_log)
    reference, seen = read_accounts(sources, roots=read_roots(root, ()), secure_boot=secure_boot)
    found = explain(reference, seen)
    emit(_facts(found), as_json=as_json, human=lambda console: _print(console, found))
    context.exit(DIFFERENT if found.gated else 0)


def _facts(found: Explanation) -> dict[str, object]:
    return {
        "reference": found.reference,
        "seen": found.seen,
        "moved": bool(found.gated),
        "differences": [_difference(each) for each in found.differences],
        "same": list(found.same),
        "unknown": list(found.unknown),
        "notices": list(found.notes),
    }


def _difference(difference: Difference) -> dict[str, object]:
    return {
        "code": difference.code,
        "component": difference.component.value,
        "subject": difference.subject,
        "pcrs": list(difference.pcrs),
        "grounds": difference.grounds.value,
        "sentence": difference.sentence,
        "details": list(difference.details),
    }


def _print(console: Console, found: Explanation) -> None:
    def line(text: str) -> None:
        console.print(printable(text), markup=False)

    line(_headline(found))
    _print_differences(line, "What keeps the machine from being trusted:", found.gated)
    _print_differences(line, "Moved, but no gate:", found.ungated)
    if found.same:
        line(f"The same in both: PCR {_listed(found.same)}.")
    if found.unknown:
        line(f"Not compared, as one of them does not tell: PCR {_listed(found.unknown)}.")
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
        line(f"  PCR {_listed(each.pcrs)} ({each.grounds.value}): {each.sentence}.")
        for row in each.details[:_MOST_DETAILS]:
            line(f"      {row}")
        if len(each.details) > _MOST_DETAILS:
            line(f"      and {len(each.details) - _MOST_DETAILS} more; --json lists them all")


def _listed(pcrs: Sequence[PcrIndex]) -> str:
    return ", ".join(map(str, pcrs))
