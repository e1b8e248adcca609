# SPDX-License-Identifier: Apache-2.0
"""A twin that serves from its folder until it is told to end, and says what it does."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from strongroom.cli.output import emit, error_console
from strongroom.cli.twin_folder import default_folder
from strongroom.cli.twin_log_lines import entry_lines
from strongroom.ids import Region
from strongroom.twin.addresses import Addresses
from strongroom.twin.authorities import NITRO_ROOT, TLS_ROOT, identity_name
from strongroom.twin.aws_configuration import write_configuration
from strongroom.twin.clock import SystemClock
from strongroom.twin.home import Home
from strongroom.twin.request_log import LOG_NAME, Entry, RequestLog
from strongroom.twin.running import Running, birth_of, forget_running, write_running
from strongroom.twin.server import Twin
from strongroom.twin.tls import LOOPBACK

_IN_MEMORY = "EC2, S3, IAM and SSM are moto's, in memory: gone when the twin ends. KMS keeps its keys in the folder."


def serve(
    home: Home, regions: Sequence[Region], addresses: Addresses, ended: threading.Event, *, as_json: bool
) -> None:
    """Run the twin of a folder until `ended` is set; profiles are of the first region.

    Raises what `Twin` and its listeners raise.
    """
    with served(home, regions, addresses, heard=None if as_json else _say) as running:
        result = _result(home, running)
        warn_of_exposure(addresses.plain[0])
        emit(result, as_json=as_json, human=lambda out: print_started(out, result, ends="Ctrl-C ends it. Calls:"))
        sys.stdout.flush()
        ended.wait()


@contextlib.contextmanager
def served(
    home: Home, regions: Sequence[Region], addresses: Addresses, *, heard: Callable[[Entry], None] | None
) -> Iterator[Running]:
    """Run the twin of a folder for the block, for other commands to find; profiles are of the first region.

    Raises what `Twin` and its listeners raise.
    """
    forget_running(home.path)  # of a twin that was killed
    log = RequestLog(SystemClock(), path=home.path / LOG_NAME, heard=heard, unkept=_warn_of_log)
    twin = Twin(
        directory=home.book.directory,
        region=regions[0],
        state=home.state_path,
        authorities=home.authorities,
        addresses=addresses,
        log=log,
    )
    try:
        twin.start()
        for region in regions:
            twin.identity_certificate(region)  # trust settings name its file
        running = _running(twin, home)
        write_configuration(home.path, home.book.profiles, region=regions[0], endpoint=running.endpoint)
        write_running(home.path, running)
        yield running
    finally:
        forget_running(home.path)
        twin.stop()


def _running(twin: Twin, home: Home) -> Running:
    return Running(
        pid=os.getpid(),
        born=birth_of(os.getpid()),
        since=f"{SystemClock().now():%Y-%m-%dT%H:%M:%SZ}",
        endpoint=twin.endpoint_url,
        tls_endpoint=twin.tls_endpoint,
        region=twin.region,
        accounts={name: home.book.accounts[name] for name in home.book.profiles},
        token=twin.status.token,
    )


def _result(home: Home, running: Running) -> dict[str, object]:
    return {
        "folder": str(home.path),
        "pid": running.pid,
        "endpoint": running.endpoint,
        "tls_endpoint": running.tls_endpoint,
        "region": running.region,
        "accounts": dict(running.accounts),
        "nitro_root": str(home.path / NITRO_ROOT),
        "tls_root": str(home.path / TLS_ROOT),
        "identity_certificate": str(home.path / identity_name(Region(running.region))),
        "in_memory": _IN_MEMORY,
    }


def print_started(out: Console, result: dict[str, object], *, ends: str) -> None:
    """Say where a twin answers; `ends` is how it is ended."""
    accounts = result["accounts"]
    named = ", ".join(f"{name} {each}" for name, each in accounts.items()) if isinstance(accounts, dict) else ""
    lines = (
        f"The twin answers at {result['endpoint']} and, under TLS, at {result['tls_endpoint']}.",
        f"  folder     {result['folder']}",
        f"  accounts   {named}",
        f"  region     {result['region']}",
        f'  use it     eval "$(strongroom twin env vendor{_folder_words(str(result["folder"]))})"',
        str(result["in_memory"]),
        ends,
    )
    out.print("\n".join(lines), markup=False)


def _folder_words(folder: str) -> str:
    """Return how commands are told of this folder; nothing where they find it by themselves."""
    return "" if Path(folder) == default_folder().absolute() else f" --folder {shlex.quote(folder)}"


def _say(entry: Entry) -> None:
    with contextlib.suppress(OSError):  # nobody reads any more what the file has all the same: calls go on
        sys.stdout.write("\n".join(entry_lines(entry)) + "\n")
        sys.stdout.flush()


def _warn_of_log(error: OSError) -> None:
    error_console().print(f"WARNING: the request log cannot be written: {error.strerror}. Calls go on.", markup=False)


def warn_of_exposure(host: str) -> None:
    """Say on stderr that other machines reach the twin, where they do."""
    if host != LOOPBACK:
        error_console().print(
            f"WARNING: other machines reach this twin at {host}, in plain HTTP too. Whoever does can try its keys: "
            "keep no secret in it.",
            markup=False,
        )
