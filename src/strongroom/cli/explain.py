# SPDX-License-Identifier: Apache-2.0
"""`strongroom explain`: why PCRs differ, and which component moved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from strongroom.cli.boot_accounts import Sources, read_accounts
from strongroom.cli.explain_log import asks_for_the_log, explain_log
from strongroom.cli.explain_output import LEGEND, explanation_facts, print_explanation
from strongroom.cli.output import emit, json_option
from strongroom.cli.paths import PATH
from strongroom.cli.secure_boot_options import given_options, secure_boot_options
from strongroom.cli.verify_trust import read_roots
from strongroom.errors import UsageError
from strongroom.measure.explain.compare import explain
from strongroom.measure.secure_boot import SecureBootKeys

DIFFERENT = 1


@click.command(epilog=f"How a difference is founded. {LEGEND}")
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
    both); or two of a kind. An --image beside --measurements tells of the side whose PCR 4 it has. A --document and an
    --event-log alone: whether the log is of that boot.

    Documents are verified as of their own time; nothing is said about their age. The keys are those that the --image
    is expected to boot under, and need one. Exits 1 if something moved that keeps a machine from being trusted, or if
    the log is of another boot.

    \b
    Example:  strongroom explain --measurements ref.json --document doc.cbor
              strongroom explain --image BOOTX64.EFI --event-log log
              strongroom explain --document old.cbor --document new.cbor
    """
    if not image:
        _expect_no_keys(given_options(context))
    sources = Sources(measurements=measurements, image=image, document=document, event_log=event_log)
    roots = read_roots(root, ())
    if asks_for_the_log(sources):
        context.exit(explain_log(sources, roots=roots, as_json=as_json))
    reference, seen = read_accounts(sources, roots=roots, secure_boot=secure_boot)
    found = explain(reference, seen)
    facts = explanation_facts(found, moved=found.gated)
    emit(facts, as_json=as_json, human=lambda console: print_explanation(console, found))
    context.exit(DIFFERENT if found.gated else 0)


def _expect_no_keys(given: Sequence[str]) -> None:
    if given:
        raise UsageError(
            "explain.keys-without-image",
            f"expected --image with {', '.join(given)}, found none: the keys say what an image is measured under",
            remedy="Give the image, or leave the keys out: measurements hold for those that they were made with.",
        )
