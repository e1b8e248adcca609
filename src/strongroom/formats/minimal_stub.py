# SPDX-License-Identifier: Apache-2.0
"""A stand-in for an EFI stub and a kernel, for machines without Debian's: right in form, and useless to boot."""

from __future__ import annotations

import re
import struct

from strongroom.formats.pe import MACHINE_AARCH64, MACHINE_X86_64
from strongroom.formats.uki import Architecture

_HEADER_BYTES = 2_048
_FILE_STEP, _MEMORY_STEP = 512, 4_096
_COFF, _OPTIONAL_BYTES, _DIRECTORIES = 0x40, 240, 16
_CODE_FLAGS, _DATA_FLAGS = 0x6000_0020, 0x4000_0040
_VERSION = re.compile(r"[0-9]{1,4}[!-~]{0,60}")
_RETURNS = {
    Architecture.X86_64: (MACHINE_X86_64, b"\xc3"),
    Architecture.ARM64: (MACHINE_AARCH64, b"\xc0\x03\x5f\xd6"),
}


def minimal_stub(architecture: Architecture, *, version: str) -> bytes:
    """Return a tiny PE image that names itself systemd-stub `version` in `.sdmagic`.

    It does not boot: its only instruction returns to the firmware. It is for rehearsals on the twin, where an image has
    to be assembled and measured but is not run. Starts with the major version, as in "258.1"; ValueError otherwise.
    """
    if not _VERSION.fullmatch(version):
        raise ValueError(f"expected a version such as 258.1, found {version!r}")
    return _image(architecture, magic=f"#### LoaderInfo: systemd-stub {version} ####\0".encode())


def minimal_kernel(architecture: Architecture, *, release: str) -> bytes:
    """Return a tiny PE image for `.linux`, which differs by `release`. It does not boot either."""
    return _image(architecture, magic=f"not a kernel: {release}\0".encode())


def _image(architecture: Architecture, *, magic: bytes) -> bytes:
    machine, code = _RETURNS[architecture]
    rows = ((b".text", code, _CODE_FLAGS), (b".sdmagic", magic, _DATA_FLAGS))
    header = bytearray(_HEADER_BYTES)
    header[:2], header[_COFF : _COFF + 4] = b"MZ", b"PE\0\0"
    struct.pack_into("<I", header, 0x3C, _COFF)
    # IMAGE_FILE_HEADER: executable, large addresses; then IMAGE_OPTIONAL_HEADER64 of an EFI application (subsystem 10)
    struct.pack_into("<HHIIIHH", header, _COFF + 4, machine, len(rows), 0, 0, 0, _OPTIONAL_BYTES, 0x0022)
    size_of_image = _MEMORY_STEP * (1 + len(rows))
    struct.pack_into(
        "<HBBIIIIIQIIHHHHHHIIIIHHQQQQII",
        header,
        _COFF + 24,
        *(0x20B, 0, 0, _FILE_STEP, _FILE_STEP, 0, _MEMORY_STEP, _MEMORY_STEP, 0, _MEMORY_STEP, _FILE_STEP),
        *(0, 0, 0, 0, 0, 0, 0, size_of_image, _HEADER_BYTES, 0, 10, 0, 0, 0, 0, 0, 0, _DIRECTORIES),
    )
    body = bytearray()
    for number, (name, contents, flags) in enumerate(rows):
        place = (len(contents), _MEMORY_STEP * (1 + number), _FILE_STEP, _HEADER_BYTES + len(body))
        offset = _COFF + 24 + _OPTIONAL_BYTES + 40 * number
        struct.pack_into("<8sIIIIIIHHI", header, offset, name, *place, 0, 0, 0, 0, flags)
        body.extend(contents.ljust(_FILE_STEP, b"\0"))
    return bytes(header + body)
