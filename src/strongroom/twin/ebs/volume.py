# SPDX-License-Identifier: Apache-2.0
"""What a volume made from a snapshot reads as, for whoever boots it.

Blocks that were never written are zeros, unless the snapshot is encrypted: then they are noise, because what is read
there is decrypted all the same (awslabs/coldsnap issue 470, where an XFS did not mount for it).
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from strongroom.twin.ebs.blocks import Blocks
from strongroom.twin.ebs.snapshots import BLOCK_BYTES, Snapshot

_ZEROS = bytes(BLOCK_BYTES)


class Volume:
    """The bytes of a volume, in blocks."""

    def __init__(self, snapshot: Snapshot, blocks: Blocks) -> None:
        self._snapshot = snapshot
        self._blocks = blocks
        self._written = frozenset(blocks.all)

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return self._snapshot.block_count * BLOCK_BYTES

    def block(self, index: int) -> bytes:
        """Return a block. Raises OSError, and FormatError for one that was damaged."""
        if index in self._written:
            return self._blocks.get(index)[1]
        return _noise(self._snapshot, index) if self._snapshot.encrypted else _ZEROS

    def write_to(self, path: Path) -> None:
        """Write the volume as a file, with holes for zeros. Raises OSError, and FormatError."""
        with path.open("xb") as file:
            for index in range(self._snapshot.block_count):
                if index in self._written or self._snapshot.encrypted:
                    os.pwrite(file.fileno(), self.block(index), index * BLOCK_BYTES)
            os.truncate(file.fileno(), self.size_bytes)


def _noise(snapshot: Snapshot, index: int) -> bytes:
    """Return what nobody wrote: the same each time, and other bytes under another key."""
    seed = f"{snapshot.key_arn} {snapshot.lineage} {index}".encode()
    return hashlib.shake_128(seed).digest(BLOCK_BYTES)
