# SPDX-License-Identifier: Apache-2.0
"""One boot under software emulation: QEMU, Debian's OVMF, and a TPM that is swtpm unless the machine says otherwise.

Firmware and swtpm are not ours, so they may judge. The initrd prints every PCR and the event log, and powers off.
Nothing outlives `boot`, whatever happens.
"""

import base64
import contextlib
import hashlib
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.processes import ended, program, wait_until
from tests.swtpm import start as start_swtpm

from strongroom.formats.tpm.algorithms import Alg
from strongroom.twin.clock import SystemClock
from strongroom.twin.initrd import (
    build_initrd,
    character_device_entry,
    folder_entry,
    link_entry,
    program_entry,
)
from strongroom.twin.machine import DEFAULT_REGION
from strongroom.twin.nitrotpm.board import Board
from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.transports.server import TpmServer
from strongroom.twin.tpm_folder import open_folder, run_tpm

BOOT_SECONDS = 180
COMMAND_LINE = b"console=ttyS0 quiet"
FIRMWARE = Path("/usr/share/OVMF")
CODE = "OVMF_CODE_4M.secboot.fd"
"""As on EC2, a firmware that can do Secure Boot; the variable store says whether it does. The build that cannot leaves
out the variable SecureBoot since OVMF 2025.02 (Debian 13), and its PCR 7 is another than that of genuine documents."""
PCR_LINE = re.compile(r"^MEASURED (\w+) (\d+) ([0-9A-Fa-f]+)\r?$", re.MULTILINE)
BANK_BYTES = {"sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
STATIC = range(16)
"""PCRs of firmware, loader and system; the others are for dynamic launches, debugging and applications."""
LOG_LINE = re.compile(r"^LOGGED ([A-Za-z0-9+/=]{1,76})\r?$", re.MULTILINE)
LOG_SIZE = re.compile(r"^LOGGED BYTES (\d+)\r?$", re.MULTILINE)
INIT = b"""#!/bin/sh
mount -t sysfs sysfs /sys
mount -t proc proc /proc
mount -t securityfs securityfs /sys/kernel/security
echo 1 > /proc/sys/kernel/printk  # no message of the kernel may cut a line in two
for bank in /sys/class/tpm/tpm0/pcr-*; do
  for pcr in $bank/*; do
    echo "MEASURED ${bank##*-} ${pcr##*/} $(cat $pcr)"
  done
done
echo "COMMAND LINE $(cat /proc/cmdline)"
log=/sys/kernel/security/tpm0/binary_bios_measurements
base64 $log | while read -r line; do echo "LOGGED $line"; done
echo "LOGGED BYTES $(cat $log | wc -c)"
poweroff -f
"""


def initrd_that_prints_pcrs(busybox: bytes) -> bytes:
    names = ("sh", "mount", "cat", "echo", "poweroff", "base64", "wc")
    applets = [link_entry(f"bin/{name}", "busybox") for name in names]
    return build_initrd(
        [
            program_entry("bin/busybox", busybox),
            *applets,
            program_entry("init", INIT),
            folder_entry("proc"),
            folder_entry("sys"),
            folder_entry("dev"),
            character_device_entry("dev/console", major=5, minor=1),
        ]
    )


class Tpm(Protocol):
    """A TPM for one boot, on a control socket of swtpm's kind."""

    @property
    def banks(self) -> tuple[str, ...]: ...

    def run(self, folder: Path) -> contextlib.AbstractContextManager[Path]: ...


@dataclass(frozen=True)
class DebianTpm:
    """Debian's swtpm, on libtpms."""

    banks: tuple[str, ...] = ("sha384",)

    @contextlib.contextmanager
    def run(self, folder: Path) -> Iterator[Path]:
        state, socket = folder / "tpm", folder / "tpm.sock"
        state.mkdir()
        (folder / "setup.conf").touch()
        setup = [program("swtpm_setup"), "--tpm2", "--tpm-state", str(state), "--config", str(folder / "setup.conf")]
        subprocess.run([*setup, "--pcr-banks", ",".join(self.banks)], check=True, capture_output=True, timeout=60)
        with ended(start_swtpm(state, "--ctrl", f"type=unixio,path={socket}")):
            wait_until(socket.exists, "swtpm did not start")
            yield socket


@dataclass(frozen=True)
class EmulatedNitroTpm:
    """The twin's, in this process."""

    banks: tuple[str, ...] = ("sha384",)
    home: Path | None = None
    """Where its instance and root are kept; without it, a folder of the boot."""

    @contextlib.contextmanager
    def run(self, folder: Path) -> Iterator[Path]:
        profile = Profile(banks=tuple(Alg[bank.upper()] for bank in self.banks))
        home = open_folder(self.home or folder / "tpm", region=DEFAULT_REGION, clock=SystemClock())
        with run_tpm(home, profile=profile, clock=SystemClock()) as tpm, TpmServer(Board(tpm)) as server:
            server.listen_control(folder / "tpm.sock")
            yield folder / "tpm.sock"


@dataclass(frozen=True)
class Booted:
    banks: Mapping[str, Mapping[int, bytes]]
    """Every PCR of every bank that is active."""
    serial: str
    seconds: float
    event_log: bytes
    """What firmware, stub and kernel logged, as the kernel hands it out."""

    @property
    def pcrs(self) -> Mapping[int, bytes]:
        """What is measured of a boot, in the bank that NitroTPM's documents show."""
        return {index: value for index, value in self.banks["sha384"].items() if index in STATIC}


@dataclass(frozen=True)
class Machine:
    """What differs between boots. `files` go onto the EFI system partition beside the image."""

    image: bytes
    files: Mapping[str, bytes] = field(default_factory=dict)
    store: bytes = field(default_factory=(FIRMWARE / "OVMF_VARS_4M.fd").read_bytes)
    empty_disks: int = 0
    """Disks without anything on them that the firmware tries first."""
    tpm: Tpm = field(default_factory=DebianTpm)
    device: str = "tpm-crb"
    """How it is attached, as QEMU names it."""
    reboots: bool = False
    """Whether a reset starts it again, once in its time; without, a reset is its end."""

    @property
    def digest(self) -> bytes:
        parts = [
            self.image,
            self.store,
            bytes([self.empty_disks]),
            repr((self.tpm, self.device, self.reboots)).encode(),
            *(part for name in sorted(self.files) for part in (name.encode(), self.files[name])),
        ]
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


_BOOTED: dict[bytes, Booted] = {}


def boot(machine: Machine) -> Booted:
    """Boot each machine once: the predictor and the twin are compared with the same boots."""
    if machine.digest not in _BOOTED:
        _BOOTED[machine.digest] = _boot(machine)
    return _BOOTED[machine.digest]


def boots_so_far() -> tuple[Booted, ...]:
    """Return what this process has booted: which boots these are is up to the tests that ran before."""
    return tuple(_BOOTED.values())


def _boot(machine: Machine) -> Booted:
    started = time.monotonic()
    serial = run_until_off(machine)
    banks = _banks(serial)
    assert set(banks) == set(machine.tpm.banks), f"the image did not print its PCRs:\n{serial[-3000:]}"
    return Booted(banks, serial, time.monotonic() - started, _event_log(serial))


def run_until_off(machine: Machine) -> str:
    """Return what a machine wrote to its serial line until it switched itself off."""
    with tempfile.TemporaryDirectory(prefix="strongroom-boot-") as scratch:
        folder = Path(scratch)
        _write_disk(folder / "esp", {"EFI/BOOT/BOOTX64.EFI": machine.image, **machine.files})
        (folder / "vars.fd").write_bytes(machine.store)
        with machine.tpm.run(folder) as socket:
            tpm = _tpm_device(machine.device, socket)
            ends = [] if machine.reboots else ["-no-reboot"]
            command = [*_qemu(folder), *ends, *tpm, *_empty_disks(folder, machine.empty_disks)]
            return _run(command, seconds=BOOT_SECONDS * (2 if machine.reboots else 1))


def _banks(serial: str) -> Mapping[str, Mapping[int, bytes]]:
    banks: dict[str, dict[int, bytes]] = {}
    for bank, number, value in PCR_LINE.findall(serial):
        banks.setdefault(bank, {})[int(number)] = bytes.fromhex(value)
    for bank, pcrs in banks.items():
        assert {index: len(value) for index, value in pcrs.items()} == dict.fromkeys(range(24), BANK_BYTES[bank])
    return banks


def _event_log(serial: str) -> bytes:
    log = base64.b64decode("".join(LOG_LINE.findall(serial)), validate=True)
    said = [int(size) for size in LOG_SIZE.findall(serial)]
    assert said == [len(log)], f"the image said that its event log has {said} bytes, and printed {len(log)}"
    return log


def _write_disk(root: Path, files: Mapping[str, bytes]) -> None:
    for path, contents in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(contents)


def _qemu(folder: Path) -> list[str]:
    assert (FIRMWARE / CODE).exists(), "OVMF is missing: install the Debian package ovmf (make setup does)"
    pflash = "if=pflash,format=raw"
    return [
        program("qemu-system-x86_64"),
        *("-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"),
        *("-accel", "tcg", "-cpu", "Nehalem", "-smp", "1", "-m", "512"),
        *("-nodefaults", "-display", "none", "-serial", "stdio", "-net", "none"),
        *("-drive", f"{pflash},unit=0,readonly=on,file={FIRMWARE / CODE}"),
        *("-drive", f"{pflash},unit=1,file={folder / 'vars.fd'}"),
        *("-drive", f"if=none,id=esp,format=raw,file=fat:rw:{folder / 'esp'}"),
        *("-device", "nvme,serial=esp,drive=esp,bootindex=9"),
    ]


def _tpm_device(device: str, socket: Path) -> list[str]:
    backend = ["-chardev", f"socket,id=tpm,path={socket}", "-tpmdev", "emulator,id=tpm0,chardev=tpm"]
    return [*backend, "-device", f"{device},tpmdev=tpm0"]


def _empty_disks(folder: Path, count: int) -> Iterator[str]:
    for number in range(count):
        file = folder / f"empty{number}"
        file.touch()
        os.truncate(file, 1 << 20)
        yield from ("-drive", f"if=none,id=empty{number},format=raw,file={file}")
        yield from ("-device", f"nvme,serial=empty{number},drive=empty{number},bootindex={number + 1}")


def _run(command: list[str], *, seconds: int) -> str:
    with ended(
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ) as emulator:
        overdue = threading.Timer(seconds, emulator.kill)
        overdue.start()
        try:
            output = emulator.communicate()[0].decode("utf-8", "replace")
        finally:
            overdue.cancel()
        assert emulator.returncode != -signal.SIGKILL, f"no end after {seconds} s:\n{output[-3000:]}"
        return output
