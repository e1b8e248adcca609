# SPDX-License-Identifier: Apache-2.0
"""Boots of what the attacker made of an image. As many at a time as the arena has slots.

Most rows need a machine as far as the kernel only: firmware and stub have measured all that they will once the kernel's
own EFI stub extends PCR 9 (command line and initrd; Linux 6.1, drivers/firmware/efi/libstub). The machine is switched
off then; its NitroTPM still signs what it holds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from strongroom.errors import LocalFault
from strongroom.formats.pcrs import ZERO_SHA384, PcrIndex
from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.vendor import CUSTOMER, ROLE
from strongroom.twin.instances.booted import BootedInstance
from strongroom.twin.qemu.hardware import Hardware

KERNEL_SECONDS = 120
"""Until the kernel has started; 7 s under software emulation on an idle machine."""
_KERNEL_PCR = PcrIndex(9)
_LOOK_SECONDS = 0.1
_SAID_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Boot:
    """A machine that booted, and was switched off."""

    instance: BootedInstance
    console: str

    def line_with(self, words: str) -> str:
        """Return the first line of the console that has these words, empty where there is none."""
        return next((line.strip() for line in self.console.splitlines() if words in line), "")


@contextmanager
def running(arena: Arena, hardware: Hardware, *, user_data: bytes | None = None) -> Iterator[BootedInstance]:
    """Switch on a machine of the customer's for the block. Raises LocalFault where this one cannot run it."""
    with arena.slots:
        instance = arena.twin.boot(hardware, account=CUSTOMER, role=ROLE, user_data=user_data)
        try:
            yield instance
        finally:
            instance.machine.stop()


def boot_to_kernel(arena: Arena, hardware: Hardware, *, awaited: str = "") -> Boot:
    """Boot until the kernel runs, and until it has said `awaited` where something is.

    Raises LocalFault where that takes too long or the machine ends before.
    """
    with running(arena, hardware) as instance:
        _await_kernel(instance)
        if awaited:
            await_any(instance, [awaited], seconds=KERNEL_SECONDS)
    return Boot(instance, instance.console.text)


def boot_until(arena: Arena, hardware: Hardware, marks: Sequence[str], *, seconds: float) -> Boot:
    """Boot until the console shows one of these marks. Raises LocalFault where it does not."""
    with running(arena, hardware) as instance:
        await_any(instance, marks, seconds=seconds)
    return Boot(instance, instance.console.text)


def await_any(instance: BootedInstance, marks: Sequence[str], *, seconds: float) -> str:
    """Return the mark that the console shows first. Raises LocalFault where it shows none, or the machine ends."""
    deadline = time.monotonic() + seconds
    while True:
        ended = instance.machine.wait(_LOOK_SECONDS) is not None
        said = instance.console.contents
        for mark in marks:
            if mark.encode() in said:
                return mark
        if ended or time.monotonic() > deadline:
            raise _not_reached(f"{' or '.join(map(repr, marks))} on the console", instance, seconds)


def _await_kernel(instance: BootedInstance) -> None:
    deadline = time.monotonic() + KERNEL_SECONDS
    while instance.pcrs[_KERNEL_PCR] == ZERO_SHA384:
        if instance.machine.wait(_LOOK_SECONDS) is not None or time.monotonic() > deadline:
            raise _not_reached("a kernel that starts", instance, KERNEL_SECONDS)


def _not_reached(what: str, instance: BootedInstance, seconds: float) -> LocalFault:
    said = instance.console.text[-_SAID_CHARACTERS:].strip()
    return LocalFault("attack.no-boot", f"expected {what} within {seconds:.0f} s, found on the console: {said!r}")
