# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin`: the AWS side on this machine."""

from __future__ import annotations

import click

from strongroom.cli.twin_attack import command as attack
from strongroom.cli.twin_down import command as down
from strongroom.cli.twin_env import command as env
from strongroom.cli.twin_exec.command import command as exec_
from strongroom.cli.twin_log import command as log
from strongroom.cli.twin_status import command as status
from strongroom.cli.twin_tpm import command as tpm
from strongroom.cli.twin_up import command as up


@click.group("twin")
def command() -> None:
    """Rehearse without AWS: its services on this machine, with accounts and roots of their own.

    \b
    Example:  strongroom twin up --detach
              eval "$(strongroom twin env vendor)"
              strongroom twin exec --tenant globex -- ./app
    """


for each in (attack, down, env, exec_, log, status, tpm, up):
    command.add_command(each)
