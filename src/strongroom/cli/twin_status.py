# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin status`: whether a twin runs, where it listens, and what it has done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click
from rich.console import Console

from strongroom.cli.output import emit, json_option
from strongroom.cli.twin_folder import folder_option, twin_folder
from strongroom.twin.request_log import LOG_NAME
from strongroom.twin.running import Running, ask, find_running

_NOT_RUNNING = 1


@click.command("status")
@folder_option
@json_option
@click.pass_context
def command(ctx: click.Context, *, folder: Path | None, as_json: bool) -> None:
    """Say whether a twin runs in the folder, where it listens, and how many calls it has refused.

    Exit code 1 when none runs.

    \b
    Example:  strongroom twin status
    """
    place = twin_folder(folder)
    running = find_running(place)
    if running is None:
        emit({"running": False, "folder": str(place)}, as_json=as_json, human=lambda out: _print_none(out, place))
        ctx.exit(_NOT_RUNNING)
    counts = ask(running)
    result = {
        "running": True,
        "folder": str(place),
        "pid": running.pid,
        "since": running.since,
        "endpoint": running.endpoint,
        "tls_endpoint": running.tls_endpoint,
        "region": running.region,
        "accounts": running.accounts,
        **counts,
        "log": str(place / LOG_NAME),
    }
    emit(result, as_json=as_json, human=lambda out: _print(out, place, running, counts))


def _print_none(out: Console, place: Path) -> None:
    out.print(f"No twin runs in {place}. `strongroom twin up --detach` starts one.", markup=False)


def _print(out: Console, place: Path, running: Running, counts: Mapping[str, int]) -> None:
    accounts = ", ".join(f"{name} {account_id}" for name, account_id in running.accounts.items())
    lines = (
        f"Running since {running.since}, process {running.pid}, in {place}",
        f"  endpoint   {running.endpoint}",
        f"  TLS        {running.tls_endpoint}",
        f"  region     {running.region}",
        f"  accounts   {accounts}",
        f"  KMS keys   {counts['keys']}",
        f"  calls      {counts['requests']}, refused {counts['refused']}   (`strongroom twin log --denied` says why)",
    )
    out.print("\n".join(lines), markup=False)
