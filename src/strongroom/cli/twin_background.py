# SPDX-License-Identifier: Apache-2.0
"""Starts a twin in a process of its own, and waits until it answers or says why it cannot."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from strongroom.errors import FormatError, LocalFault, UsageError
from strongroom.flows.files import PRIVATE_MODE
from strongroom.formats import strict_json
from strongroom.formats.tree import Node
from strongroom.twin.private_folder import open_private_folder

LOG_NAME = "twin.log"
_PATIENCE_SECONDS = 60
_MAX_BYTES = 64 * 1024


def start_in_background(folder: Path, options: Sequence[str]) -> dict[str, object]:
    """Run `strongroom twin up` with these options in a session of its own; return what it said when it answered.

    Its errors go to twin.log in the folder. Raises what it raised, as without --detach, and LocalFault where it said
    nothing that is known.
    """
    open_private_folder(folder)
    # -P: a folder called strongroom where we happen to be is not this program
    command = [sys.executable, "-P", "-m", "strongroom", "twin", "up", *options, "--json"]
    log = os.open(folder / LOG_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE_MODE)
    try:
        process = subprocess.Popen(  # noqa: S603 -- our own program
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    finally:
        os.close(log)
    said = _first_line(process)
    if not said:
        process.kill()
        process.wait()
        raise _not_started(f"it said nothing within {_PATIENCE_SECONDS} seconds or before it ended", folder)
    return _result(said, folder, process)


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    """Return the first line of its standard output; empty where it ends, or takes too long, without one."""
    if process.stdout is None:
        raise RuntimeError("the process was started without a pipe")
    deadline, said = time.monotonic() + _PATIENCE_SECONDS, b""
    descriptor = process.stdout.fileno()
    while not said.endswith(b"\n") and len(said) < _MAX_BYTES:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        part = os.read(descriptor, _MAX_BYTES) if ready else b""
        if not part:
            return b""
        said += part
    return said


def _result(said: bytes, folder: Path, process: subprocess.Popen[bytes]) -> dict[str, object]:
    try:
        members = dict(strict_json.parse(said, maximum_bytes=_MAX_BYTES, spec="strongroom twin up --json").table())
        if members["ok"].value is True:
            return {name: node.value for name, node in members.items() if name != "ok"}
        error = dict(members["error"].table())
        code, message, remedy = error["code"].string(), error["message"].string(), _text(error.get("remedy"))
    except (FormatError, KeyError) as fault:
        raise _not_started("its first words were none that are known", folder) from fault
    family = next((each for each in (UsageError, FormatError) if each.exit_code == process.wait()), LocalFault)
    raise family(code, message, remedy=remedy)


def _text(node: Node | None) -> str:
    return node.string() if node is not None else ""


def _not_started(why: str, folder: Path) -> LocalFault:
    return LocalFault(
        "twin.not-started",
        f"expected the twin to answer, but {why}",
        remedy=f"{folder / LOG_NAME} may say why; without --detach it says so itself.",
    )
