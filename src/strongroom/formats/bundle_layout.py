# SPDX-License-Identifier: Apache-2.0
"""Where things stand in a bundle's body and hash table (docs/formats/bundle.md 6.3 and 8): arithmetic only."""

from __future__ import annotations

TAG_BYTES = 16
HASH_BYTES = 32
GROUP_HASHES = 128
"""Hashes per node of the tree: a group is 4 KiB."""


def _ceil_div(value: int, by: int) -> int:
    return -(-value // by)


def chunk_count(size: int, chunk_log2: int) -> int:
    """Return the number of chunks of an entry of `size` bytes: an empty entry has one, empty chunk."""
    return max(1, _ceil_div(size, 1 << chunk_log2))


def ciphertext_bytes(size: int, chunk_log2: int) -> int:
    """Return the bytes that an entry of `size` bytes takes in the body."""
    return size + TAG_BYTES * chunk_count(size, chunk_log2)


def block_bytes(chunk_log2: int) -> int:
    """Return the size of a block of the tree: that of a full encrypted chunk."""
    return (1 << chunk_log2) + TAG_BYTES


def level_sizes(body_length: int, chunk_log2: int) -> tuple[int, ...]:
    """Return the number of hashes on each level of the tree, leaves first, root (1) last."""
    sizes = [_ceil_div(body_length, block_bytes(chunk_log2))]
    while sizes[-1] > 1:
        sizes.append(_ceil_div(sizes[-1], GROUP_HASHES))
    return tuple(sizes)


def hash_table_bytes(body_length: int, chunk_log2: int) -> int:
    """Return the size of the hash table: every level below the root."""
    return HASH_BYTES * sum(level_sizes(body_length, chunk_log2)[:-1])
