# SPDX-License-Identifier: Apache-2.0
"""Starts instances, serves each of them its network, and ends them all."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass

from strongroom.errors import LocalFault
from strongroom.ports import Clock
from strongroom.twin.accounts import Principal
from strongroom.twin.imds import Imds
from strongroom.twin.instances.booted import BootedInstance
from strongroom.twin.instances.guest import GuestServices, guest_network
from strongroom.twin.listener import Handler
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.qemu.console import Heard
from strongroom.twin.qemu.hardware import Hardware
from strongroom.twin.qemu.machine import Machine
from strongroom.twin.tls import TlsServer

MOST_MACHINES = 8
"""At a time. Each has a gibibyte of memory, and a processor to itself while it boots."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the twin a guest meets. `endpoint` has no pages of the twin's own: those are not for guests."""

    endpoint: Handler
    tls: TlsServer
    tls_port: Callable[[], int]
    metadata: Callable[[BootedInstance, Principal | None, bytes | None], Imds]
    clock: Clock


class Boots:
    """All instances that were booted. `ended` is told each one that has ended, in a thread of its own."""

    def __init__(self, around: Surroundings, *, ended: Callable[[BootedInstance], None] = lambda _: None) -> None:
        self._around = around
        self._ended = ended
        self._watching: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._started: list[BootedInstance] = []

    @property
    def instances(self) -> tuple[BootedInstance, ...]:
        """Every one, in the order of their launch; those that have ended too."""
        with self._lock:
            return tuple(self._started)

    def start(
        self,
        instance: BootedInstance,
        hardware: Hardware,
        *,
        role: Principal | None,
        user_data: bytes | None,
        heard: Heard | None = None,
    ) -> BootedInstance:
        """Switch an instance on, and return it. Raises LocalFault where this machine cannot, or has too many."""
        self._expect_room()
        around = self._around
        machine = Machine(hardware, tpm=Board(instance.tpm), network=guest_network([around.tls_port()]), heard=heard)
        instance.machine = machine
        with contextlib.ExitStack() as undo:
            undo.enter_context(machine)
            services = GuestServices(
                machine.sockets,
                metadata=around.metadata(instance, role, user_data).answer,
                endpoint=around.endpoint,
                tls=around.tls,
                clock=around.clock,
            )
            undo.callback(services.stop)
            machine.switch_on()
            undo.pop_all()
        thread = threading.Thread(
            target=self._see_off, args=(instance, services), name=instance.instance_id, daemon=True
        )
        with self._lock:
            self._started.append(instance)
            self._watching.append(thread)
        thread.start()
        return instance

    def stop(self) -> None:
        """End every one that runs."""
        for each in self.instances:
            each.machine.stop()
        with self._lock:
            watching = list(self._watching)
        for thread in watching:
            thread.join()

    def _see_off(self, instance: BootedInstance, services: GuestServices) -> None:
        """Wait for an instance's end, and let go of what it had."""
        instance.machine.wait()
        services.stop()
        instance.machine.stop()
        self._ended(instance)

    def _expect_room(self) -> None:
        running = sum(each.ending is None for each in self.instances)
        if running >= MOST_MACHINES:
            raise LocalFault(
                "twin.too-many-machines",
                f"expected at most {MOST_MACHINES} instances that boot at a time, found {running} running",
                remedy="Terminate one of them.",
            )
