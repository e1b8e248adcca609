# SPDX-License-Identifier: Apache-2.0
"""`strongroom image compare`: what differs between two builds, or two images, down to the byte."""

from __future__ import annotations

from pathlib import Path

import click

from strongroom.cli.image_differences import DIFFERENT, difference_facts, print_differences
from strongroom.cli.output import emit, json_option
from strongroom.cli.paths import PATH
from strongroom.imaging.compare.outputs import compare_outputs


@click.command("compare")
@click.argument("left", type=PATH)
@click.argument("right", type=PATH)
@json_option
@click.pass_context
def command(context: click.Context, *, left: Path, right: Path, as_json: bool) -> None:
    """Show what differs between two builds: which file, which partition or section, which file in it, which byte.

    LEFT and RIGHT are two output folders, or two images (raw disks or EFI programs), whoever built them. What only
    follows from another difference, as another root hash follows from another file, is listed apart.

    \b
    Example:  strongroom image compare production rehearsal
              strongroom image compare ours.raw theirs.raw --json

    Exits with 0: the same, byte for byte; 1: something differs; 2: usage; 9: this machine.
    """
    found = compare_outputs(left, right)
    facts = difference_facts(found)
    emit(facts, as_json=as_json, human=lambda console: print_differences(console, found, names=(str(left), str(right))))
    context.exit(DIFFERENT if found else 0)
