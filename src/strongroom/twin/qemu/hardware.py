# SPDX-License-Identifier: Apache-2.0
"""What differs between machines: disks, UEFI variables, memory, ports that are forwarded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from strongroom.formats.efi_variables import EfiVariables

MEMORY_MIB = 1024
"""Debian's kernel with systemd and Python boots in half of it; under emulation more costs nothing."""
LEAST_MEMORY_MIB, MOST_MEMORY_MIB = 128, 65_536
NO_VARIABLES = EfiVariables(())


@dataclass(frozen=True, slots=True)
class Forward:
    """A port of this machine, on 127.0.0.1, that leads to one of the guest. `host` 0 is one of the system's choice."""

    host: int
    guest: int


@dataclass(frozen=True, slots=True)
class Hardware:
    """One machine. Disks are files with the bytes of a disk; they are never written to.

    The firmware tries `disks_before` first, then `disk`; `disks_behind` it does not try. `variables` are what its
    variable store holds when it is switched on: Boot####, Driver####, keys of Secure Boot.
    """

    disk: Path
    variables: EfiVariables = NO_VARIABLES
    disks_before: tuple[Path, ...] = ()
    disks_behind: tuple[Path, ...] = ()
    memory_mib: int = MEMORY_MIB
    processors: int = 1
    """One boots faster than two under software emulation."""
    has_tpm: bool = True
    forwards: tuple[Forward, ...] = ()

    def __post_init__(self) -> None:
        if not LEAST_MEMORY_MIB <= self.memory_mib <= MOST_MEMORY_MIB:
            raise ValueError(f"expected {LEAST_MEMORY_MIB} to {MOST_MEMORY_MIB} MiB, found {self.memory_mib}")

    @property
    def disks(self) -> tuple[Path, ...]:
        """All disks, in the order in which the guest finds them."""
        return (*self.disks_before, self.disk, *self.disks_behind)
