# SPDX-License-Identifier: Apache-2.0
"""The root hash of dm-verity over a file system (Linux, Documentation/admin-guide/device-mapper/verity.rst)."""

from __future__ import annotations

import hashlib

from strongroom.errors import FormatError
from strongroom.formats.verity import SPEC, VeritySuperblock


def measure_root_hash(data: memoryview, how: VeritySuperblock) -> str:
    """Return the root hash in hex over the blocks that a superblock names. Raises FormatError when there are fewer.

    It is computed from the data alone: the stored tree is not looked at.
    """
    size = how.data_blocks * how.data_block_bytes
    if not 0 < size <= len(data):
        raise FormatError("verity.data-size", f"expected {size} bytes of data, found {len(data)}", spec=SPEC)
    if how.data_blocks == 1:
        return _hash(data[:size], how).hexdigest()
    level = _hashes(data[:size], how.data_block_bytes, how)
    while len(level) > how.hash_block_bytes:
        level = _hashes(memoryview(level), how.hash_block_bytes, how)
    return _hash(memoryview(level), how).hexdigest()


def _hashes(data: memoryview, block_bytes: int, how: VeritySuperblock) -> bytes:
    """Return the digests of all blocks, laid out in blocks: each padded, and the last block filled with zeros."""
    digest_bytes = hashlib.new(how.algorithm).digest_size
    slot_bytes = 1 << (digest_bytes - 1).bit_length() if how.hash_type else digest_bytes
    per_block = 1 << (how.hash_block_bytes // slot_bytes).bit_length() - 1
    padding = bytes(slot_bytes - digest_bytes)
    digests = [_hash(data[at : at + block_bytes], how).digest() + padding for at in range(0, len(data), block_bytes)]
    blocks = (b"".join(digests[at : at + per_block]) for at in range(0, len(digests), per_block))
    return b"".join(block.ljust(how.hash_block_bytes, b"\0") for block in blocks)


def _hash(block: memoryview, how: VeritySuperblock) -> hashlib._Hash:
    first, second = (how.salt, block) if how.hash_type else (block, how.salt)
    digest = hashlib.new(how.algorithm, first)
    digest.update(second)
    return digest
