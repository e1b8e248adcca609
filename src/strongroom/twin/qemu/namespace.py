# SPDX-License-Identifier: Apache-2.0
"""Namespaces of a machine's own: users, network and mounts. What listens inside is made there and served from here.

A socket belongs to the network that it was made in. So the doors of the guest's network are made by a program inside
(`inside`), and come out over a unix socket; this process's own threads serve them, and the guest reaches those doors
and nothing else, not even this machine. The program inside then becomes QEMU.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from strongroom.errors import LocalFault
from strongroom.twin.qemu import inside
from strongroom.twin.qemu.programs import find_program

BEGIN_SECONDS = 30
"""For a few system calls; a machine that is busy with others takes its time."""
_MESSAGE_BYTES = 4096
_MOST_DOORS = 64
_PIECE_BYTES = 64 * 1024
_OWN_USERS = ("--user", "--map-root-user", "--net", "--mount")
_AS_ROOT = ("--net", "--mount")
_REMEDY = (
    "A guest's network is kept apart from this machine's by namespaces. For an ordinary user they have to be allowed: "
    "`sysctl user.max_user_namespaces` above 0, on Ubuntu `kernel.apparmor_restrict_unprivileged_userns=0`, in a "
    "container `--security-opt seccomp=unconfined`. Root needs CAP_SYS_ADMIN instead."
)


class Door(NamedTuple):
    """A place in the guest's network where something listens."""

    kind: str
    """`tcp` or `udp`."""
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Network:
    """What a guest's network has: further addresses of the loopback interface, doors, and a name server.

    QEMU asks the name server on the guest's behalf; without one the guest finds no names.
    """

    addresses: tuple[str, ...] = ()
    doors: tuple[Door, ...] = ()
    name_server: str | None = None


class Namespace:
    """A process in namespaces of its own, and what it listens at. It ends with this process, however that ends.

    `heard` is told what it writes to its standard output, in a thread that ends when the process has; its standard
    error goes to a file in `folder`. Raises LocalFault where namespaces are forbidden, or have no room for the network.
    """

    def __init__(self, network: Network, folder: Path, *, heard: Callable[[bytes], None]) -> None:
        self._heard = heard
        self._errors = folder / "errors.log"
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        ways = (_AS_ROOT, _OWN_USERS) if os.geteuid() == 0 else (_OWN_USERS,)
        plan = _plan(network, folder)
        self.sockets: Mapping[Door, socket.socket] = {}
        for way in ways:
            found = self._begin(way, plan)
            if found is not None:
                self.sockets = dict(zip(network.doors, found, strict=True))
                return
        raise LocalFault(
            "qemu.no-namespace",
            f"expected to make namespaces for a machine, found: {self.errors or 'no reason given'}",
            remedy=_REMEDY,
        )

    @property
    def errors(self) -> str:
        """The end of what the process wrote to its standard error."""
        try:
            said = self._errors.read_bytes()[-_MESSAGE_BYTES:]
        except FileNotFoundError:
            return ""
        return said.decode("utf-8", "replace").strip()

    def become(self, command: Sequence[str], *, dials: bool) -> None:
        """Have the process become a program. With `dials`, `dial` works. Once."""
        self._control.send(json.dumps({"command": list(command), "dials": dials}).encode())

    def dial(self, address: str, port: int) -> socket.socket:
        """Return a socket that is connected to an address inside. Raises OSError."""
        with self._lock:
            self._control.send(json.dumps({"address": address, "port": port}).encode())
            message, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, 1)
        if not descriptors:
            raise ConnectionRefusedError(message.decode("utf-8", "replace"))
        return socket.socket(fileno=descriptors[0])

    def wait(self, seconds: float | None = None) -> int | None:
        """Return the exit status once the process has ended, None where it has not in that time."""
        if not self._ended.wait(seconds) or self._process is None:
            return None
        return self._process.returncode

    def stop(self) -> None:
        """End the process and what it started, and wait for that. Doing it twice is harmless."""
        self._kill()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._control.close()

    def _begin(self, way: Sequence[str], plan: bytes) -> list[socket.socket] | None:
        """Start the process and have it make the network; None where it may not."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [find_program("unshare", "util-linux"), *way, "--"]
        command += [sys.executable, "-I", "-S", "-B", inside.__file__, str(theirs.fileno())]
        self._ended.clear()
        started = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(command, theirs, started), name="qemu process", daemon=True
        )
        self._thread.start()
        started.wait()
        theirs.close()
        self._control.settimeout(BEGIN_SECONDS)
        try:
            self._control.send(plan)
            message, descriptors, _, _ = socket.recv_fds(self._control, _MESSAGE_BYTES, _MOST_DOORS)
        except OSError as error:
            message, descriptors = json.dumps({"error": str(error)}).encode(), []
        answer = json.loads(message) if message else {}
        if answer.get("ok"):
            self._control.settimeout(None)
            return [socket.socket(fileno=each) for each in descriptors]
        self.stop()
        if "error" in answer:
            self._errors.write_text(f"{self.errors}\n{answer['error']}".strip())
        return None

    def _run(self, command: Sequence[str], theirs: socket.socket, started: threading.Event) -> None:
        """Start the process, hear it, and see it off: this thread's end would be its own."""
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TMPDIR": str(self._errors.parent)}
        try:
            with self._errors.open("ab") as errors:
                process = subprocess.Popen(  # noqa: S603 -- our own program, in its own file
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    pass_fds=[theirs.fileno()],
                    env=environment,
                    start_new_session=True,
                )
        except OSError as error:  # whoever waits for the first message finds the other end closed
            self._errors.write_text(f"{command[0]}: {error.strerror}", encoding="utf-8")
            started.set()
            self._ended.set()
            return
        self._process = process
        started.set()
        try:
            while process.stdout is not None and (piece := process.stdout.read1(_PIECE_BYTES)):  # type: ignore[attr-defined]
                self._heard(piece)
        finally:
            self._see_off(process)

    def _see_off(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for the end, and end what the process leaves behind before its group's number can be another's."""
        with contextlib.suppress(ChildProcessError):
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._kill_group(process)
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
        self._ended.set()

    def _kill(self) -> None:
        with self._lock:
            if self._process is not None and self._process.returncode is None:
                self._kill_group(self._process)

    @staticmethod
    def _kill_group(process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _plan(network: Network, folder: Path) -> bytes:
    resolver = None
    if network.name_server is not None:
        resolver = folder / "resolv.conf"
        resolver.write_text(f"nameserver {network.name_server}\n", encoding="ascii")
    plan = {"addresses": network.addresses, "resolver": str(resolver) if resolver else None, "doors": network.doors}
    return json.dumps(plan).encode()
