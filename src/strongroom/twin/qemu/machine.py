# SPDX-License-Identifier: Apache-2.0
"""A machine: switched on, heard, and ended.

::

    with Machine(Hardware(Path("disk.raw")), tpm=Board(NitroTpm())) as machine:
        machine.switch_on()
        machine.console.wait_for("login:", seconds=60)
        ending = machine.wait(seconds=120) or machine.stop(Cause.TIMED_OUT)

Its doors, if its network has any, are in `machine.sockets` from `with` on, for whoever serves them. Nothing of it
outlives the block, or this process.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from strongroom.errors import LocalFault
from strongroom.flows.files import read_file
from strongroom.formats.edk2_store import MAX_FILE_BYTES, parse_edk2_store
from strongroom.formats.efi_variables import EfiVariables
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.transports.server import TpmServer
from strongroom.twin.qemu.command import FIRST_FORWARDED, FORWARDED_AT, qemu_command
from strongroom.twin.qemu.console import Console, Heard
from strongroom.twin.qemu.forwarding import Forwarding
from strongroom.twin.qemu.hardware import Hardware
from strongroom.twin.qemu.monitor import Monitor
from strongroom.twin.qemu.namespace import Door, Namespace, Network
from strongroom.twin.qemu.programs import (
    STORE_NAME,
    expect_qemu,
    firmware_file,
    is_emulated,
    processor_options,
)
from strongroom.twin.qemu.variables import write_store

START_SECONDS = 60
_LOOK_SECONDS = 0.1
_NO_NETWORK = Network()


class Cause(enum.StrEnum):
    """Why a machine is off. The first two are QEMU's own words (QMP, ShutdownCause)."""

    POWERED_OFF = "guest-shutdown"
    RESET = "guest-reset"
    STOPPED = "stopped"
    TIMED_OUT = "timed-out"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a machine ended, and after how long. `message` is what QEMU said where it failed."""

    cause: Cause
    seconds: float
    message: str = ""


class Machine:
    """One machine, from `with` to its end. A reset ends it, as switching off does.

    `tpm` is what its TPM is, where the hardware has one. `heard` is told what it writes to its serial line.
    """

    def __init__(
        self,
        hardware: Hardware,
        *,
        tpm: Board | None = None,
        network: Network = _NO_NETWORK,
        heard: Heard | None = None,
    ) -> None:
        self.hardware = hardware
        self.console = Console(heard)
        self.forwarded: tuple[int, ...] = ()
        """The ports of this machine that lead to those of `hardware.forwards`, once it is switched on."""
        self._tpm = tpm if hardware.has_tpm else None
        self._network = network
        self._open = contextlib.ExitStack()
        self._asked: Cause | None = None
        self._shut_down = ""
        self._started_at = 0.0
        self._ending: Ending | None = None
        self._monitor: Monitor | None = None
        self._store = b""
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        """Make its network. Raises LocalFault where this machine cannot run another."""
        expect_qemu()
        with contextlib.ExitStack() as undo:
            undo.callback(self.console.close)
            scratch = undo.enter_context(tempfile.TemporaryDirectory(prefix="strongroom-machine-"))
            self._folder = Path(scratch)
            self._namespace = Namespace(self._network, self._folder, heard=self.console.write)
            undo.callback(self._namespace.stop)
            for each in self._namespace.sockets.values():
                undo.callback(each.close)
            self._open = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def sockets(self) -> Mapping[Door, socket.socket]:
        """The doors of its network: TCP ones listen."""
        return self._namespace.sockets

    @property
    def is_emulated(self) -> bool:
        """Whether software emulates its processor, which takes several times as long."""
        return is_emulated(processor_options())

    @property
    def ending(self) -> Ending | None:
        """How it ended, None while it runs."""
        return self._ending

    def switch_on(self) -> None:
        """Start it. Raises LocalFault, and FormatError for variables that its store has no room for."""
        store = write_store(read_file(firmware_file(STORE_NAME), maximum_bytes=MAX_FILE_BYTES), self.hardware.variables)
        (self._folder / "vars.fd").write_bytes(store)
        tpm = self._serve_tpm() if self._tpm is not None else None
        command = qemu_command(
            self.hardware,
            store=self._folder / "vars.fd",
            monitor=self._folder / "monitor",
            tpm=tpm,
            processor=processor_options(),
        )
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(self._folder / "monitor"))
            listening.listen(1)
            self._namespace.become(command, dials=bool(self.hardware.forwards))
            self._monitor = self._connected(listening)
        self._open.callback(self._monitor.close)
        self._forward()
        self._started_at = time.monotonic()
        self._monitor.execute("cont")

    def wait(self, seconds: float | None = None) -> Ending | None:
        """Return how it ended, None where it has not in that time."""
        status = self._namespace.wait(seconds)
        return None if status is None else self._ended(status)

    def stop(self, cause: Cause = Cause.STOPPED) -> Ending:
        """End it at once, as a cut of its power does, and return how it ended: earlier, perhaps. Harmless twice."""
        if self._ending is None:
            self._asked = cause
            self._namespace.stop()
        ending = self._ended(self._namespace.wait() or 0)
        with self._lock:
            self._store = self._store or self._read_store()
            self._open.close()
        return ending

    def press_power_button(self) -> None:
        """Ask the guest to shut down (ACPI). Raises LocalFault once it is off."""
        self.monitor.execute("system_powerdown")

    def interrupt(self) -> None:
        """Send a non-maskable interrupt, as EC2's SendDiagnosticInterrupt does. Raises LocalFault once it is off."""
        self.monitor.execute("inject-nmi")

    @property
    def monitor(self) -> Monitor:
        """QEMU's own control, for everything else. Raises RuntimeError before it is switched on."""
        if self._monitor is None:
            raise RuntimeError("the machine was not switched on")
        return self._monitor

    def variables(self) -> EfiVariables:
        """Return what its variable store holds now, or held at its end. Raises FormatError while firmware writes."""
        with self._lock:
            return parse_edk2_store(self._store or self._read_store())

    def _read_store(self) -> bytes:
        path = self._folder / "vars.fd"
        return read_file(path, maximum_bytes=MAX_FILE_BYTES) if path.exists() else b""

    def _serve_tpm(self) -> Path:
        if self._tpm is None:
            raise RuntimeError("the machine has no TPM")
        server = self._open.enter_context(TpmServer(self._tpm))
        server.listen_control(self._folder / "tpm")
        return self._folder / "tpm"

    def _connected(self, listening: socket.socket) -> Monitor:
        """Return QEMU's monitor. Raises LocalFault where it ended instead."""
        deadline = time.monotonic() + START_SECONDS
        listening.settimeout(_LOOK_SECONDS)
        while time.monotonic() < deadline and self._namespace.wait(0) is None:
            with contextlib.suppress(TimeoutError, LocalFault):  # QEMU may end after it has connected, too
                return Monitor(listening.accept()[0], self._event)
        self._namespace.stop()
        raise LocalFault(
            "qemu.not-started", f"expected QEMU to start the machine, found: {self._namespace.errors or 'nothing said'}"
        )

    def _forward(self) -> None:
        ports = []
        for number, forward in enumerate(self.hardware.forwards):
            inner = FIRST_FORWARDED + number
            forwarding = Forwarding(
                forward.host,
                lambda inner=inner: self._namespace.dial(FORWARDED_AT, inner),  # type: ignore[misc]
            )
            self._open.callback(forwarding.close)
            ports.append(forwarding.port)
        self.forwarded = tuple(ports)

    def _event(self, name: str, data: Mapping[str, Any]) -> None:
        if name == "SHUTDOWN":
            self._shut_down = str(data.get("reason", ""))

    def _ended(self, status: int) -> Ending:
        with self._lock:
            if self._ending is None:
                if self._monitor is not None:
                    self._monitor.drain()
                self.console.close()
                seconds = time.monotonic() - self._started_at if self._started_at else 0.0
                self._ending = self._told(status, seconds)
            return self._ending

    def _told(self, status: int, seconds: float) -> Ending:
        if self._shut_down in {Cause.POWERED_OFF, Cause.RESET}:
            return Ending(Cause(self._shut_down), seconds)
        if self._asked is not None:
            return Ending(self._asked, seconds)
        said = self._namespace.errors
        return Ending(Cause.FAILED, seconds, said or f"QEMU ended with status {status}")
