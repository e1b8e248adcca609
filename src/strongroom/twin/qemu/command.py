# SPDX-License-Identifier: Apache-2.0
"""QEMU's command line for a machine (QEMU documentation, "Invocation")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from strongroom.twin.qemu.hardware import Hardware
from strongroom.twin.qemu.programs import CODE_NAME, MACHINE, emulator, firmware_file

_CONFINED = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
"""QEMU's own system call filter: no programs, no other users."""
FORWARDED_AT = "127.0.0.2"
"""Where QEMU waits inside for what is forwarded to the guest; the guest's own way to its host is 127.0.0.1."""
FIRST_FORWARDED = 20_000


def qemu_command(
    hardware: Hardware, *, store: Path, monitor: Path, tpm: Path | None, processor: Sequence[str]
) -> list[str]:
    """Return the command. `monitor` and `tpm` are sockets that somebody listens at; the machine waits for `cont`.

    Raises LocalFault without QEMU or its firmware.
    """
    flash = "if=pflash,format=raw"
    return [
        emulator(),
        *("-name", "strongroom", "-S", "-no-reboot", "-nodefaults", "-no-user-config"),
        *("-display", "none", "-vga", "none", "-sandbox", _CONFINED),
        *("-machine", MACHINE, "-global", "driver=cfi.pflash01,property=secure,value=on", *processor),
        *("-smp", str(hardware.processors), "-m", str(hardware.memory_mib)),
        *("-drive", f"{flash},unit=0,readonly=on,file={_escaped(firmware_file(CODE_NAME))}"),
        *("-drive", f"{flash},unit=1,file={_escaped(store)}"),
        *("-chardev", f"socket,id=monitor,path={_escaped(monitor)}", "-mon", "chardev=monitor,mode=control"),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *("-device", "virtio-rng-pci"),
        *_disks(hardware),
        *_network(hardware),
        *(_tpm(tpm) if tpm is not None else ()),
    ]


def _disks(hardware: Hardware) -> Iterator[str]:
    """Yield the disks, as NVMe. Nothing is written to a file: what the guest writes is gone with the machine."""
    tried = len(hardware.disks_before) + 1
    for number, path in enumerate(hardware.disks):
        place = f"driver=raw,file.driver=file,file.filename={_escaped(path)}"
        yield from ("-drive", f"if=none,id=disk{number},snapshot=on,{place}")
        index = f",bootindex={number + 1}" if number < tried else ""
        yield from ("-device", f"nvme,serial=vol{number:017x},drive=disk{number}{index}")


def _network(hardware: Hardware) -> Iterator[str]:
    """Yield a network card behind QEMU's user network, without an option ROM: that would be measured into PCR 2."""
    forwards = "".join(
        f",hostfwd=tcp:{FORWARDED_AT}:{FIRST_FORWARDED + number}-:{forward.guest}"
        for number, forward in enumerate(hardware.forwards)
    )
    yield from ("-netdev", f"user,id=net,ipv6=off{forwards}")
    yield from ("-device", "virtio-net-pci,netdev=net,romfile=")


def _tpm(socket: Path) -> Iterator[str]:
    yield from ("-chardev", f"socket,id=tpm,path={_escaped(socket)}", "-tpmdev", "emulator,id=tpm0,chardev=tpm")
    yield from ("-device", "tpm-crb,tpmdev=tpm0")


def _escaped(path: Path) -> str:
    return str(path.absolute()).replace(",", ",,")
