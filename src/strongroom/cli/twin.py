# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin`: the AWS side on this machine."""

from __future__ import annotations

import click

from strongroom.cli.twin_exec.command import command as exec_
from strongroom.cli.twin_tpm import command as tpm


@click.group("twin")
def command() -> None:
    """Rehearse without AWS: what the twin of its services offers on its own.

    \b
    Example:  strongroom twin exec --tenant globex -- ./app
              strongroom twin tpm --ctrl tpm.sock --state tpm/
    """


command.add_command(exec_)
command.add_command(tpm)
