# SPDX-License-Identifier: Apache-2.0
"""A stand-in for an EFI stub and a kernel, for machines without Debian's: right in form, and useless to boot."""

from __future__ import annotations

import re

from strongroom.formats.small_pe import CODE, DATA, small_pe
from strongroom.formats.uki import Architecture

_VERSION = re.compile(r"[0-9]{1,4}[!-~]{0,60}")
_RETURNS = {
    Architecture.X86_64: b"\xc3",
    Architecture.ARM64: b"\xc0\x03\x5f\xd6",
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
    return small_pe(architecture, ((b".text", _RETURNS[architecture], CODE), (b".sdmagic", magic, DATA)))
