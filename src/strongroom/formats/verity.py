# SPDX-License-Identifier: Apache-2.0
"""Strict reader of dm-verity superblocks (cryptsetup, "DMVerity" on-disk format, version 1)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from strongroom.errors import FormatError

SPEC = "cryptsetup DMVerity"
MAGIC = b"verity\0\0"
_SUPERBLOCK = struct.Struct("<8sII16s32sIIQH6x256s")
_ALGORITHMS = ("sha256", "sha384", "sha512")
_BLOCK_BYTES = tuple(1 << bits for bits in range(9, 17))
_TYPES = (0, 1)
_MAX_SALT_BYTES = 256


@dataclass(frozen=True, slots=True)
class VeritySuperblock:
    """How a hash tree was made. What it covers is on another partition."""

    hash_type: int
    """1: the salt is hashed first; 0 (Chrome OS): last, and digests are not padded."""
    algorithm: str
    data_block_bytes: int
    hash_block_bytes: int
    data_blocks: int
    salt: bytes


def parse_verity(data: memoryview) -> VeritySuperblock:
    """Read the superblock at the start of a hash device. Raises FormatError."""
    if len(data) < _SUPERBLOCK.size or bytes(data[: len(MAGIC)]) != MAGIC:
        raise _refused("magic", "expected a dm-verity superblock, found none", 0)
    fields = _SUPERBLOCK.unpack_from(data)
    _, version, hash_type, _, algorithm, data_block, hash_block, blocks, salt_bytes, salt = fields
    name = algorithm.partition(b"\0")[0].decode("ascii", "replace")
    if version != 1 or hash_type not in _TYPES or name not in _ALGORITHMS:
        raise _refused("kind", f"expected version 1 with {' or '.join(_ALGORITHMS)}, found {version} with {name!r}", 8)
    if data_block not in _BLOCK_BYTES or hash_block not in _BLOCK_BYTES or salt_bytes > _MAX_SALT_BYTES:
        raise _refused("sizes", f"expected blocks of 512 bytes to 64 KiB, found {data_block} and {hash_block}", 64)
    return VeritySuperblock(hash_type, name, data_block, hash_block, blocks, salt[:salt_bytes])


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"verity.{code}", message, offset=offset, spec=SPEC)
