# SPDX-License-Identifier: Apache-2.0
"""Writes PE32+ images of a few sections (PE Format, Microsoft): the programs that rehearsals make for themselves.

An image starts at the first byte of its first section and needs no relocation: its code is position-independent.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from strongroom.formats.pe import MACHINE_AARCH64, MACHINE_X86_64
from strongroom.formats.uki import Architecture

EFI_APPLICATION, EFI_BOOT_SERVICE_DRIVER = 10, 11
"""IMAGE_SUBSYSTEM_EFI_APPLICATION and _EFI_BOOT_SERVICE_DRIVER. Firmware measures the first into PCR 4, and the second
into PCR 2 (TCG PC Client Platform Firmware Profile 1.06, section 3.3.4)."""
MEMORY_STEP_BYTES = 4_096
CODE, DATA = 0x6000_0020, 0x4000_0040
"""Code to read and execute; initialised data to read."""

_HEADER_BYTES = 2_048
_FILE_STEP = 512
_COFF, _OPTIONAL_BYTES, _DIRECTORIES = 0x40, 240, 16
_MACHINES = {Architecture.X86_64: MACHINE_X86_64, Architecture.ARM64: MACHINE_AARCH64}

SmallSection = tuple[bytes, bytes, int]
"""Name of at most eight bytes, contents, and CODE or DATA."""


def small_pe(
    architecture: Architecture, sections: Sequence[SmallSection], *, subsystem: int = EFI_APPLICATION
) -> bytes:
    """Return an image of these sections, which lie in memory one after the other at steps of MEMORY_STEP_BYTES."""
    header = bytearray(_HEADER_BYTES)
    header[:2], header[_COFF : _COFF + 4] = b"MZ", b"PE\0\0"
    struct.pack_into("<I", header, 0x3C, _COFF)
    # IMAGE_FILE_HEADER: executable, large addresses; then IMAGE_OPTIONAL_HEADER64
    machine = _MACHINES[architecture]
    struct.pack_into("<HHIIIHH", header, _COFF + 4, machine, len(sections), 0, 0, 0, _OPTIONAL_BYTES, 0x0022)
    body, address = bytearray(), MEMORY_STEP_BYTES
    for number, (name, contents, flags) in enumerate(sections):
        raw_bytes = _up(len(contents), _FILE_STEP)
        place = (len(contents), address, raw_bytes, _HEADER_BYTES + len(body))
        offset = _COFF + 24 + _OPTIONAL_BYTES + 40 * number
        struct.pack_into("<8sIIIIIIHHI", header, offset, name, *place, 0, 0, 0, 0, flags)
        body.extend(contents.ljust(raw_bytes, b"\0"))
        address += _up(len(contents), MEMORY_STEP_BYTES)
    _write_optional_header(header, subsystem, size_of_image=address)
    return bytes(header + body)


def _write_optional_header(header: bytearray, subsystem: int, *, size_of_image: int) -> None:
    steps = (MEMORY_STEP_BYTES, _FILE_STEP)
    struct.pack_into(
        "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII",
        header,
        _COFF + 24,
        *(0x20B, 0, 0, _FILE_STEP, _FILE_STEP, 0, MEMORY_STEP_BYTES, MEMORY_STEP_BYTES, 0, *steps),
        *(0, 0, 0, 0, 0, 0, 0, size_of_image, _HEADER_BYTES, 0, subsystem, 0, 0, 0, 0, 0, 0, _DIRECTORIES),
    )


def _up(value: int, step: int) -> int:
    return -(-value // step) * step
