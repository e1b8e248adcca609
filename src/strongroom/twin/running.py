# SPDX-License-Identifier: Apache-2.0
"""Which process is the twin of a folder, and where it listens: `running.json`, which is there while it runs.

A process is known by its id together with the moment of its birth and the boot of this machine: ids are given out again
(proc(5), /proc/PID/stat field 22; random(4), boot_id).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import select
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from strongroom.errors import FormatError, LocalFault
from strongroom.flows.files import PRIVATE_MODE, read_file, write_file
from strongroom.formats import strict_json
from strongroom.twin.home import is_locked
from strongroom.twin.status_page import HEADER, PATH

RUNNING_NAME = "running.json"
_MAX_BYTES = 64 * 1024
_SPEC = "docs/twin.md, the folder of a twin"
_START_TIME = 19
"""Field 22 of /proc/PID/stat, counted from the one behind the name in brackets."""
_ANSWER_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Running:
    """A twin that runs. `born` tells its process from others that have had the id."""

    pid: int
    born: str
    since: str
    endpoint: str
    tls_endpoint: str
    region: str
    accounts: dict[str, str]
    token: str


def birth_of(pid: int) -> str:
    """Return what tells a process from others with its id; empty where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
    return f"{boot}/{stat.rpartition(')')[2].split()[_START_TIME]}"


def write_running(folder: Path, running: Running) -> None:
    """Write where this twin listens. Raises LocalFault."""
    write_file(folder / RUNNING_NAME, json.dumps(asdict(running), indent=2).encode() + b"\n", mode=PRIVATE_MODE)


def forget_running(folder: Path) -> None:
    """Remove what this twin, or one that was killed, has written. Only for whoever has the folder."""
    with contextlib.suppress(FileNotFoundError):
        (folder / RUNNING_NAME).unlink()


def find_running(folder: Path) -> Running | None:
    """Return the twin of a folder, if one runs: a process has the folder, and is the one that wrote the file.

    Raises FormatError for a file that is none of ours, LocalFault.
    """
    if not is_locked(folder) or not (folder / RUNNING_NAME).exists():
        return None
    running = _read(folder / RUNNING_NAME)
    return running if birth_of(running.pid) == running.born else None


def _read(path: Path) -> Running:
    members = strict_json.parse(read_file(path, maximum_bytes=_MAX_BYTES), maximum_bytes=_MAX_BYTES, spec=_SPEC).record(
        tuple(Running.__dataclass_fields__)
    )
    texts = {name: members[name].string() for name in ("born", "since", "endpoint", "tls_endpoint", "region", "token")}
    accounts = {name: node.string() for name, node in members["accounts"].table()}
    return Running(pid=members["pid"].integer(1, 1 << 22), accounts=accounts, **texts)


def ask(running: Running) -> Mapping[str, int]:
    """Return what a running twin counts: `keys`, `requests`, `refused`. Raises LocalFault where it does not answer."""
    where = urlsplit(running.endpoint)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", PATH, headers={HEADER: running.token})
        reply = connection.getresponse()
        found = strict_json.parse(reply.read(_MAX_BYTES), maximum_bytes=_MAX_BYTES, spec=_SPEC)
        return {name: node.integer(0, 1 << 53) for name, node in found.record(("keys", "requests", "refused")).items()}
    except (OSError, http.client.HTTPException, FormatError) as error:
        raise LocalFault(
            "twin.silent",
            f"expected the twin with process id {running.pid} to answer at {running.endpoint}, found: {error}",
            remedy="`strongroom twin down` ends it; twin.log in its folder may say why.",
        ) from error
    finally:
        connection.close()


def end(running: Running, *, seconds: float) -> None:
    """End a running twin well (SIGTERM), and wait until it is gone. Nothing that it has answered is lost.

    Raises LocalFault where it does not end in time: then it is left running.
    """
    try:
        process = os.pidfd_open(running.pid)
    except ProcessLookupError:
        return
    try:
        if birth_of(running.pid) != running.born:  # looked at again: from here on the descriptor cannot be another's
            return
        signal.pidfd_send_signal(process, signal.SIGTERM)
        poll = select.poll()
        poll.register(process, select.POLLIN)
        if not poll.poll(seconds * 1000):
            raise LocalFault(
                "twin.does-not-end",
                f"expected the twin with process id {running.pid} to end within {seconds:g} seconds, found it running",
                remedy=f"`kill -9 {running.pid}` loses nothing that it has answered.",
            )
    finally:
        os.close(process)
