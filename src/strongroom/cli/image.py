# SPDX-License-Identifier: Apache-2.0
"""`strongroom image`: attestable images."""

from __future__ import annotations

import click

from strongroom.cli.image_audit import command as audit
from strongroom.cli.image_boot import command as boot
from strongroom.cli.image_compare import command as compare
from strongroom.cli.image_kiwi import command as kiwi


@click.group("image")
def command() -> None:
    """Attestable images: what is in them, and what they let their holder do.

    \b
    Example:  strongroom image audit disk.raw
    """


for each in (audit, boot, compare, kiwi):
    command.add_command(each)
