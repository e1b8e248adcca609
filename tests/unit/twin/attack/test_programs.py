# SPDX-License-Identifier: Apache-2.0
"""The attacker's programs have the form that firmware and Linux load. That they run is seen in boots."""

import platform
import struct
import subprocess
import sys

import pytest

from strongroom.formats.pe import parse_pe
from strongroom.formats.small_pe import EFI_APPLICATION, EFI_BOOT_SERVICE_DRIVER
from strongroom.twin.attack.efi_program import chain_loader, driver, program
from strongroom.twin.attack.kexec_program import ON_CRASH, kexec_program

SUBSYSTEM_AT = 68


def subsystem(image):
    return struct.unpack_from("<H", image, parse_pe(image).optional_offset + SUBSYSTEM_AT)[0]


def test_a_driver_and_a_program_differ_in_what_firmware_takes_them_for():
    assert subsystem(driver("[here]")) == EFI_BOOT_SERVICE_DRIVER
    assert subsystem(program("[here]")) == EFI_APPLICATION
    assert len(driver("[here]")) < 4096


def test_a_chain_loader_carries_its_image_where_its_code_looks_for_it():
    image = bytes(range(256)) * 33
    loader = chain_loader(image, "[here]")
    code, payload = parse_pe(loader).sections
    text = loader[code.raw_offset : code.raw_offset + code.virtual_size]
    load = text.index(b"\x4c\x8d\x0d")  # lea r9, [rip + distance]
    (distance,) = struct.unpack_from("<i", text, load + 3)
    (size,) = struct.unpack_from("<I", text, load + 8)
    assert code.virtual_address + load + 7 + distance == payload.virtual_address
    assert size == len(image)
    assert loader[payload.raw_offset :][:size] == image


def test_a_line_that_is_too_long_is_refused():
    with pytest.raises(ValueError, match="short line"):
        chain_loader(b"image", "x" * 2000)


@pytest.mark.skipif(
    platform.machine() != "x86_64" or sys.platform != "linux", reason="the program is for Linux on x86_64"
)
@pytest.mark.parametrize("flags", [0, ON_CRASH])
def test_the_kexec_program_runs_and_tells_linux_error_number(tmp_path, flags):
    """There is no `/kernel` here, and nobody may load one: EBADF, EPERM, or ENOSYS in a sandbox."""
    file = tmp_path / "kexec"
    file.write_bytes(kexec_program("quiet", flags=flags))
    file.chmod(0o755)
    assert subprocess.run([file], check=False).returncode in {1, 9, 38}


def test_the_kexec_program_ends_with_its_command_line():
    assert kexec_program("console=ttyS0 quiet").endswith(b"/kernel\0/initrd\0console=ttyS0 quiet\0")
