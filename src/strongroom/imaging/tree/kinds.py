# SPDX-License-Identifier: Apache-2.0
"""Which file system something looks like, by the marks of their specifications. A guess: readers look again."""

from __future__ import annotations

import enum


class FileSystem(enum.StrEnum):
    """File systems that may hold a root. The values are Linux's names of their drivers."""

    EROFS = "erofs"
    SQUASHFS = "squashfs"
    EXT = "ext4"
    XFS = "xfs"
    BTRFS = "btrfs"
    F2FS = "f2fs"


_MARKS = (
    (1_024, b"\xe2\xe1\xf5\xe0", FileSystem.EROFS),
    (0, b"hsqs", FileSystem.SQUASHFS),
    (1_080, b"\x53\xef", FileSystem.EXT),
    (0, b"XFSB", FileSystem.XFS),
    (65_600, b"_BHRfS_M", FileSystem.BTRFS),
    (1_024, b"\x10\x20\xf5\xf2", FileSystem.F2FS),
)


def guess_file_system(data: memoryview) -> FileSystem | None:
    """Return which file system it looks like; None for others, and for what is none."""
    return next((kind for at, mark, kind in _MARKS if bytes(data[at : at + len(mark)]) == mark), None)
