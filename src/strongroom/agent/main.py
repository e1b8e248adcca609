# SPDX-License-Identifier: Apache-2.0
"""Entry of the `strongroom-agent` program, and the only place here that turns errors into prose and exit codes.

It is told everything by its measured files and its arguments, and forgets its variables.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias

from strongroom.agent.process import clean_environment, forbid_core_dumps, lock_memory
from strongroom.agent.service import Agent, Places
from strongroom.agent.status import encode, read_status, ready
from strongroom.errors import StrongroomError, UsageError
from strongroom.flows.files import PUBLIC_MODE, read_file, write_file
from strongroom.formats.attestation_document import MAX_FIELD_BYTES
from strongroom.formats.image_paths import CONSOLE, STATUS_FILE
from strongroom.formats.pcrs import GATES, PcrDigests
from strongroom.formats.tpm.algorithms import Alg
from strongroom.ids import SpkiDer
from strongroom.tpm.connection import Connection
from strongroom.tpm.device import open_tpm
from strongroom.tpm.nitro import NitroTpmDevice
from strongroom.tpm.pcrs import read_pcrs

Command: TypeAlias = Callable[[argparse.Namespace], int]
INTERRUPTED = 130
FAILED = 1
_FIELDS = {
    "user-data": "the document carries the bytes of this file as user data",
    "nonce": "the document carries the bytes of this file as its nonce",
    "public-key": "the document carries the bytes of this file as its public key",
}


class _Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code, by the table in docs/reference/codes.md."""
    try:
        forbid_core_dumps()  # before there is anything worth dumping
        asked = parser().parse_args(arguments)
        command: Command = asked.command
        return command(asked)
    except StrongroomError as error:
        return _report(error)
    except KeyboardInterrupt:
        sys.stderr.write("strongroom-agent: interrupted\n")
        return INTERRUPTED


def _report(error: StrongroomError) -> int:
    sys.stderr.write(f"strongroom-agent: {error} [{error.code}]\n")
    if error.remedy:
        sys.stderr.write(f"  {error.remedy}\n")
    return error.exit_code


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments."""
    program = argparse.ArgumentParser(
        prog="strongroom-agent", description="Get this instance's secrets, and hand them on."
    )
    program.add_argument(
        "--root", type=Path, default=Path("/"), metavar="DIR", help="the image's files are below it (/)"
    )
    program.add_argument("--tpm", type=Path, metavar="DEVICE", help="the NitroTPM (/dev/tpm0, else /dev/tpmrm0)")
    program.add_argument(
        "--console", type=Path, default=Path(CONSOLE), metavar="FILE", help=f"where to print ({CONSOLE})"
    )
    commands = program.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "run", _run, "the service: receipt, secrets, then tell systemd")
    fetching = _add(commands, "fetch", _fetch, "open bundles of agent.toml and deliver them")
    fetching.add_argument("names", nargs="*", metavar="BUNDLE", help="those to fetch; all without names")
    attesting = _add(commands, "attest", _attest, "write an attestation document")
    for name, text in _FIELDS.items():
        attesting.add_argument(f"-{name[0]}", f"--{name}", type=Path, metavar="FILE", help=text)
    attesting.add_argument("-o", "--output", type=Path, metavar="FILE", help="where to write it (standard output)")
    _add(commands, "status", _status, "say what the last run came to")
    return program


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    command: Command,
    text: str,
) -> argparse.ArgumentParser:
    added = commands.add_parser(name, help=text, description=text)
    added.set_defaults(command=command)
    return added


def _agent(asked: argparse.Namespace) -> Agent:
    places = Places(asked.root, asked.console)
    tpm = NitroTpmDevice(asked.tpm)
    return Agent(places, tpm, partial(_gated_pcrs, asked.tpm), _Clock(), memory_locked=lock_memory())


def _gated_pcrs(device: Path | None) -> PcrDigests:
    with open_tpm(device) as tpm:
        return read_pcrs(Connection(tpm), Alg.SHA384, GATES)


def _run(asked: argparse.Namespace) -> int:
    _agent(asked).run_service(os.environ)
    return 0


def _fetch(asked: argparse.Namespace) -> int:
    clean_environment(os.environ)
    agent = _agent(asked)
    _print(encode(ready(agent.fetch(asked.names), memory_locked=agent.memory_locked)))
    return 0


def _attest(asked: argparse.Namespace) -> int:
    clean_environment(os.environ)
    if asked.output is None and sys.stdout.isatty():
        raise UsageError("tpm.terminal", "expected a file or a pipe on stdout, found a terminal", remedy="Use -o FILE.")
    key = _field(asked.public_key)
    document = NitroTpmDevice(asked.tpm).attest(
        user_data=_field(asked.user_data), nonce=_field(asked.nonce), public_key=None if key is None else SpkiDer(key)
    )
    if asked.output is None:
        _print(document)
    else:
        write_file(asked.output, document, mode=PUBLIC_MODE)
    return 0


def _field(path: Path | None) -> bytes | None:
    return None if path is None else read_file(path, maximum_bytes=MAX_FIELD_BYTES)


def _status(asked: argparse.Namespace) -> int:
    state = read_status(Places(asked.root, asked.console).of(STATUS_FILE))
    _print(encode(state))
    return 0 if state["state"] == "ready" else FAILED


def _print(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
