# SPDX-License-Identifier: Apache-2.0
"""The tree of an initrd: archives one after another, each of them perhaps compressed, as Linux unpacks them.

Linux, init/initramfs.c: an archive that begins on a multiple of four bytes is one that is not compressed, zeros are
skipped, anything else is a compressed stream, behind which it goes on.
"""

from __future__ import annotations

from pathlib import Path

from strongroom.errors import FormatError
from strongroom.formats.cpio import MAGICS, CpioArchive, parse_cpio
from strongroom.imaging.tree.archives import cpio_tree
from strongroom.imaging.tree.compression import Room, unpack
from strongroom.imaging.tree.tree import Tree

MAX_BYTES = 1 << 30
"""Of all archives of an initrd, unpacked."""
MAX_ARCHIVES = 64
_STEP_BYTES = 65_536


def initrd_tree(data: memoryview, scratch: Path) -> Tree:
    """Return what the kernel has of an initrd. `scratch` is an empty folder. Raises FormatError, or LocalFault."""
    found: list[CpioArchive] = []
    pending = [data]
    room = Room(MAX_BYTES)
    while pending:
        here = _behind_zeros(pending.pop())
        if not here:
            continue
        if bytes(here[:6]) in MAGICS:
            archive = parse_cpio(here)
            found.append(archive)
            pending.append(here[archive.end :])
        else:
            unpacked, taken = unpack(here, room, scratch)
            pending += [here[taken:], unpacked]
        if len(pending) + len(found) > MAX_ARCHIVES:
            raise FormatError("initrd.too-many", f"expected at most {MAX_ARCHIVES} archives, found more")
    return cpio_tree(found)


def _behind_zeros(data: memoryview) -> memoryview:
    for start in range(0, len(data), _STEP_BYTES):
        rest = bytes(data[start : start + _STEP_BYTES]).lstrip(b"\0")
        if rest:
            return data[min(start + _STEP_BYTES, len(data)) - len(rest) :]
    return data[:0]
