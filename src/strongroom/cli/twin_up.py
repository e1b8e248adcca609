# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin up`: runs a twin of AWS in a folder, until it is told to end."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

import click

from strongroom.cli.output import emit, json_option
from strongroom.cli.region_option import parse_region
from strongroom.cli.twin_background import start_in_background
from strongroom.cli.twin_folder import folder_option, project_regions, twin_folder
from strongroom.cli.twin_serve import print_started, serve, warn_of_exposure
from strongroom.errors import UsageError
from strongroom.twin.addresses import PLAIN_PORT, TLS_PORT, Addresses
from strongroom.twin.clock import SystemClock
from strongroom.twin.home import open_home
from strongroom.twin.machine import DEFAULT_REGION
from strongroom.twin.tls import LOOPBACK

_EXPOSED = "--exposed-to-everyone-who-reaches"


@click.command("up")
@folder_option
@click.option("--detach", is_flag=True, help="Run it in the background; return when it answers.")
@click.option("--port", type=click.IntRange(0, 65535), default=PLAIN_PORT, show_default=True, help="0: any.")
@click.option(
    "--tls-port", type=click.IntRange(0, 65535), default=TLS_PORT, show_default=True, help="For the agent. 0: any."
)
@click.option("--account", "accounts", multiple=True, metavar="NAME=ID", help="Add an account. Repeatable.")
@click.option(
    "--region",
    "regions",
    multiple=True,
    help=f"Region of the profiles; every one is served. Default: the project's, or {DEFAULT_REGION}. Repeatable.",
)
@click.option(
    _EXPOSED, "exposed", metavar="ADDRESS", help="Listen there, an IPv4 address, in place of 127.0.0.1. 0.0.0.0: all."
)
@json_option
def command(
    *,
    folder: Path | None,
    detach: bool,
    port: int,
    tls_port: int,
    accounts: tuple[str, ...],
    regions: tuple[str, ...],
    exposed: str | None,
    as_json: bool,
) -> None:
    """Run a twin of AWS on this machine until Ctrl-C, SIGTERM or `strongroom twin down`.

    KMS and STS decide as AWS does; EC2, S3, IAM and SSM are moto's. Keys, accounts and roots live in the folder and are
    the same with the next start. Two accounts are there: vendor 111111111111 and customer 222222222222.

    \b
    Example:  strongroom twin up
              strongroom twin up --detach && eval "$(strongroom twin env vendor)"
              strongroom twin up --account supplier=333333333333
    """
    place = twin_folder(folder).absolute()
    wanted = dict(_parse_account(each) for each in accounts)
    wanted_regions = tuple(map(parse_region, regions)) or project_regions(folder) or (DEFAULT_REGION,)
    host = LOOPBACK if exposed is None else _parse_address(exposed)
    if detach:
        options = ["--folder", str(place), "--port", str(port), "--tls-port", str(tls_port)]
        options += [part for each in wanted_regions for part in ("--region", each)]
        options += [part for each in accounts for part in ("--account", each)]
        options += [] if exposed is None else [_EXPOSED, host]
        result = start_in_background(place, options)
        warn_of_exposure(host)
        emit(
            result,
            as_json=as_json,
            human=lambda out: print_started(out, result, ends="`strongroom twin down` ends it."),
        )
        return
    with _ended() as ended, open_home(place, accounts=wanted, clock=SystemClock()) as home:
        serve(home, wanted_regions, Addresses((host, port), (host, tls_port)), ended, as_json=as_json)


def _parse_account(text: str) -> tuple[str, str]:
    name, _, account_id = text.partition("=")
    return name, account_id


def _parse_address(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except AddressValueError as error:
        raise UsageError("twin.address", f"expected {_EXPOSED} with an IPv4 address, found {text!r}") from error


@contextlib.contextmanager
def _ended() -> Iterator[threading.Event]:
    """Hand out what SIGTERM and Ctrl-C set: both end the twin well."""
    ended = threading.Event()
    before = {number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
