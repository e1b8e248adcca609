# SPDX-License-Identifier: Apache-2.0
"""A part of a disk image as a file of its own, for programs that take no offset."""

from __future__ import annotations

from pathlib import Path

_STEP_BYTES = 1 << 20
_ZEROS = bytes(_STEP_BYTES)


def write_part(data: memoryview, path: Path) -> None:
    """Write bytes to a new file, with holes where they are zero. Raises OSError."""
    with path.open("xb") as file:
        for at in range(0, len(data), _STEP_BYTES):
            piece = data[at : at + _STEP_BYTES]
            if piece == _ZEROS[: len(piece)]:
                file.seek(len(piece), 1)
            else:
                file.write(piece)
        file.truncate(len(data))
