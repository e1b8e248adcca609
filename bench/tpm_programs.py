# SPDX-License-Identifier: Apache-2.0
"""TPMs in processes of their own, ours and Debian's, and clients that do not know one from the other.

Both speak swtpm's two channels. They are reached over loopback TCP, as tcti-swtpm does, or as QEMU does: over a unix
socket for control, on which a socket for commands is handed over.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, Protocol, Self, TypeVar

from tests.processes import ended, wait_until
from tests.swtpm import Swtpm, start, swtpm

from bench.race import PeerAbsentError
from strongroom.formats.tpm.frame import MAX_FRAME_BYTES
from strongroom.formats.tpm.wire import u32
from strongroom.twin.nitrotpm.transports.control_channel import Control, Result

PEER = "Debian's swtpm"
_SOURCE = Path(__file__).parents[1] / "src"
_START_SECONDS = 60
_SIZE_AT = slice(2, 6)
_NO_FLAGS = u32(0)


class Tpm(Protocol):
    """A TPM as its clients see it."""

    def execute(self, command: bytes, /) -> bytes:
        """Return the response to a command."""

    def power_cycle(self) -> None:
        """Switch it off and on: it waits for Startup."""


class UnixTpm:
    """A TPM behind a unix socket of control. Sending a command and receiving its response is a system call each."""

    def __init__(self, control: Path) -> None:
        self._control = socket.socket(socket.AF_UNIX)
        self._control.connect(os.fspath(control))
        self._data, theirs = socket.socketpair()
        with theirs:
            rights = array.array("i", [theirs.fileno()])
            self._control.sendmsg([u32(Control.SET_DATAFD)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            self._expect_success()
        self.power_cycle()

    def execute(self, command: bytes) -> bytes:
        """Return the response to a command."""
        self._data.sendall(command)
        response = self._data.recv(MAX_FRAME_BYTES)
        while len(response) < int.from_bytes(response[_SIZE_AT]):
            response += self._data.recv(MAX_FRAME_BYTES)
        return response

    def transmit(self, command: bytes) -> bytes:
        """Return the same: it is a `TpmTransport`."""
        return self.execute(command)

    def power_cycle(self) -> None:
        """Switch it off and on: it waits for Startup."""
        self._control.sendall(u32(Control.INIT) + _NO_FLAGS)
        self._expect_success()

    def _expect_success(self) -> None:
        result = self._control.recv(len(u32(Result.SUCCESS)))
        if result != u32(Result.SUCCESS):
            raise RuntimeError(f"the TPM's control channel answered {result.hex()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._data.close()
        self._control.close()


_Any = TypeVar("_Any", bound=Tpm)
Start = Callable[[Path], AbstractContextManager[Tpm]]
"""Starts a TPM, with its state in an empty folder, for a `with` block. It waits for Startup."""


@contextlib.contextmanager
def ours_unix(folder: Path) -> Iterator[UnixTpm]:
    """Run ours, with all that is kept of it in the folder; reach it as QEMU does."""
    control = folder / "control"
    with _ours("--ctrl", str(control), "--state", str(folder)), UnixTpm(control) as tpm:
        yield tpm


@contextlib.contextmanager
def ours_tcp(folder: Path) -> Iterator[Swtpm]:
    """Run ours; reach it over loopback TCP."""
    with _ours("--swtpm", "0", "--state", str(folder)) as port, contextlib.closing(Swtpm(port)) as tpm:
        yield tpm


@contextlib.contextmanager
def swtpm_unix(folder: Path) -> Iterator[UnixTpm]:
    """Run Debian's; reach it as QEMU does. Raises PeerAbsentError where there is none."""
    _expect_swtpm()
    control = folder / "control"
    with ended(start(folder, "--ctrl", f"type=unixio,path={control}")):
        wait_until(control.exists, "swtpm did not start", seconds=_START_SECONDS)
        with UnixTpm(control) as tpm:
            yield tpm


@contextlib.contextmanager
def swtpm_tcp(folder: Path) -> Iterator[Swtpm]:
    """Run Debian's; reach it over loopback TCP. Raises PeerAbsentError where there is none."""
    _expect_swtpm()
    with swtpm(folder) as tpm:
        yield tpm


@contextlib.contextmanager
def running(*starts: Callable[[Path], AbstractContextManager[_Any]]) -> Iterator[list[_Any]]:
    """Run these TPMs for the block, each with a folder of its own. Raises PeerAbsentError."""
    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(tempfile.TemporaryDirectory(prefix="strongroom-bench-")) for _ in starts]
        yield [stack.enter_context(begin(Path(folder))) for begin, folder in zip(starts, folders, strict=True)]


def _expect_swtpm() -> None:
    if shutil.which("swtpm") is None:
        raise PeerAbsentError("no swtpm on this machine: it is a Debian package of that name")


@contextlib.contextmanager
def _ours(*options: str) -> Iterator[int]:
    """Run `strongroom twin tpm`; once it listens, give its TCP port, 0 where it has none."""
    command = [sys.executable, "-m", "strongroom", "twin", "tpm", "--json", *options]
    environment = os.environ | {"PYTHONPATH": str(_SOURCE)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)  # noqa: S603 -- ourselves
    with process, ended(process):
        stdout: IO[bytes] = process.stdout  # type: ignore[assignment]  # it was asked for
        yield json.loads(stdout.readline()).get("swtpm", 0)
