# SPDX-License-Identifier: Apache-2.0
"""What a machine needs of this one: QEMU, OVMF, and how fast it can run."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from strongroom.errors import LocalFault

_FIRMWARE = Path("/usr/share/OVMF")
CODE_NAME, STORE_NAME = "OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.fd"
"""As on EC2, a firmware that can do Secure Boot: the variable store says whether it does. The build that cannot leaves
out the variable SecureBoot since OVMF 2025.02, and its PCR 7 is another than that of genuine documents."""
MACHINE = "q35,smm=on"
"""That firmware keeps its variables from the system, which takes SMM."""
_EMULATED = ("-accel", "tcg", "-cpu", "Nehalem")
"""The plainest processor that Debian's kernel runs on: each feature more costs time under emulation."""
_HARDWARE = ("-accel", "kvm", "-cpu", "host")
_PROBE_SECONDS = 5
_PROBE_PORT = 0xF4
_PROBE_SAYS = 0x10
_ROM_BYTES = 64 * 1024
_RESET_VECTOR = _ROM_BYTES - 16
_HLT = b"\xf4"


def find_program(name: str, package: str) -> str:
    """Return where a program is. Raises LocalFault with the Debian package that has it."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise LocalFault(
            "qemu.no-program",
            f"expected the program {name}, found none",
            remedy=f"Install the Debian package {package}.",
        )
    return found


def emulator() -> str:
    """Return where QEMU is. Raises LocalFault."""
    return find_program("qemu-system-x86_64", "qemu-system-x86")


def firmware_file(name: str) -> Path:
    """Return where a file of OVMF is. Raises LocalFault."""
    path = _FIRMWARE / name
    if not path.is_file():
        raise LocalFault(
            "qemu.no-firmware", f"expected the firmware {path}, found none", remedy="Install the Debian package ovmf."
        )
    return path


def expect_qemu() -> None:
    """Raise LocalFault where this machine cannot run another, and what it lacks."""
    emulator()
    firmware_file(CODE_NAME)
    firmware_file(STORE_NAME)
    find_program("unshare", "util-linux")


def processor_options() -> tuple[str, ...]:
    """Return QEMU's options for the processor: this machine's own where it runs the machine, else software emulation.

    Raises LocalFault without QEMU.
    """
    return _HARDWARE if _kvm_works(emulator()) else _EMULATED


def is_emulated(options: tuple[str, ...]) -> bool:
    """Say whether `processor_options` chose software emulation."""
    return options == _EMULATED


@functools.cache
def _kvm_works(qemu: str) -> bool:
    """Run four instructions on the machine that is meant, once a process: that /dev/kvm opens says little."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    rom = bytearray(_HLT * _ROM_BYTES)
    code = bytes((0xB0, _PROBE_SAYS, 0xE6, _PROBE_PORT)) + _HLT  # mov al, SAYS; out PORT, al
    rom[_RESET_VECTOR : _RESET_VECTOR + len(code)] = code
    with tempfile.TemporaryDirectory(prefix="strongroom-kvm-") as folder:
        path = Path(folder) / "rom"
        path.write_bytes(rom)
        command = [qemu, "-machine", MACHINE, *_HARDWARE, "-m", "16", "-nodefaults", "-display", "none", "-no-reboot"]
        command += ["-bios", str(path), "-device", f"isa-debug-exit,iobase={_PROBE_PORT:#x},iosize=1"]
        try:
            done = subprocess.run(  # noqa: S603 -- QEMU with options of ours
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PROBE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return False
    return done.returncode == _PROBE_SAYS << 1 | 1
