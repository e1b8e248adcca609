# SPDX-License-Identifier: Apache-2.0
"""`strongroom image`: attestable images."""

from __future__ import annotations

import click

from strongroom.cli.image_audit import command as audit
from strongroom.cli.image_boot import command as boot
from strongroom.cli.image_build import command as build
from strongroom.cli.image_compare import command as compare
from strongroom.cli.image_kiwi import command as kiwi
from strongroom.cli.image_rebuild import command as rebuild


@click.group("image")
def command() -> None:
    """Attestable images: what is in them, and what they let their holder do.

    \b
    Example:  strongroom image build image.toml -o out
              strongroom image audit out/disk.raw
    """


for each in (audit, boot, build, compare, kiwi, rebuild):
    command.add_command(each)
