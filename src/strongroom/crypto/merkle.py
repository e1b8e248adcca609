# SPDX-License-Identifier: Apache-2.0
"""The SHA-256 tree over a bundle's body (docs/formats/bundle.md section 8).

It stops whoever holds a data key from forging content under the vendor's signature (ATTACKS K27). Leaves and nodes
are hashed with different first bytes, so that no node can pass for a block.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.errors import NotAuthentic
from strongroom.formats.bundle_layout import GROUP_HASHES, HASH_BYTES

LEAF = hashlib.sha256(b"\0")
NODE = hashlib.sha256(b"\1")

_GROUP_BYTES = GROUP_HASHES * HASH_BYTES


@dataclass(frozen=True, slots=True)
class HashTree:
    """The root, and the hash table: every level below it, leaves first."""

    root: bytes
    table: bytes


def _blocks(data: memoryview, size: int) -> Iterable[memoryview]:
    return (data[start : start + size] for start in range(0, len(data), size))


def _hash_level(prefix: hashlib._Hash, data: memoryview, size: int) -> bytes:
    """Return the hash of the prefix and each block, one after the other."""
    hashes = []
    for block in _blocks(data, size):
        state = prefix.copy()
        state.update(block)
        hashes.append(state.digest())
    return b"".join(hashes)


def hash_tree(body: memoryview, *, block_bytes: int) -> HashTree:
    """Return the tree over `body`, which is not empty, cut into blocks of `block_bytes`."""
    level = _hash_level(LEAF, body, block_bytes)
    table = []
    while len(level) > HASH_BYTES:
        table.append(level)
        level = _hash_level(NODE, memoryview(level), _GROUP_BYTES)
    return HashTree(root=level, table=b"".join(table))


def verify_tree(body: memoryview, table: memoryview, *, root: bytes, block_bytes: int) -> None:
    """Return if `body` has that root and `table` is its hash table. Raises NotAuthentic."""
    tree = hash_tree(body, block_bytes=block_bytes)
    if not hmac.compare_digest(tree.root, root):
        raise NotAuthentic("bundle.root", "expected a body with the signed root, found another: somebody changed it")
    if not hmac.compare_digest(tree.table, table):
        raise NotAuthentic("bundle.hash-table", "expected the hash table of this body, found another")
