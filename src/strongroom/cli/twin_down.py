# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin down`: ends the twin that runs in a folder."""

from __future__ import annotations

from pathlib import Path

import click

from strongroom.cli.output import emit, json_option
from strongroom.cli.twin_folder import folder_option, running_twin, twin_folder
from strongroom.twin.running import end

_PATIENCE_SECONDS = 20


@click.command("down")
@folder_option
@json_option
def command(*, folder: Path | None, as_json: bool) -> None:
    """End the twin that runs in the folder, and wait until it has ended.

    KMS's keys, accounts and roots stay in the folder for the next `twin up`. EC2, S3, IAM and SSM are in memory: gone.

    \b
    Example:  strongroom twin down
    """
    place = twin_folder(folder)
    running = running_twin(place)
    end(running, seconds=_PATIENCE_SECONDS)
    emit(
        {"folder": str(place), "pid": running.pid},
        as_json=as_json,
        human=lambda out: out.print(f"Ended. {place} keeps its keys, accounts and roots.", markup=False),
    )
