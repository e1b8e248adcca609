# SPDX-License-Identifier: Apache-2.0
"""The tree over a body."""

import hashlib

import pytest

from strongroom.crypto.merkle import hash_tree, verify_tree
from strongroom.errors import NotAuthentic
from strongroom.formats.bundle_layout import GROUP_HASHES, HASH_BYTES


def leaf(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node(data: bytes) -> bytes:
    return hashlib.sha256(b"\1" + data).digest()


def test_one_block_is_its_own_root():
    tree = hash_tree(memoryview(b"abc"), block_bytes=4)
    assert (tree.root, tree.table) == (leaf(b"abc"), b"")


def test_levels_stand_in_the_table_leaves_first():
    count = GROUP_HASHES * GROUP_HASHES + 1
    body = bytes(i % 256 for i in range(count))
    tree = hash_tree(memoryview(body), block_bytes=1)
    leaves = [leaf(body[i : i + 1]) for i in range(count)]
    first = [node(b"".join(leaves[i : i + GROUP_HASHES])) for i in range(0, count, GROUP_HASHES)]
    second = [node(b"".join(first[i : i + GROUP_HASHES])) for i in range(0, len(first), GROUP_HASHES)]
    assert len(second) == 2
    assert tree.table == b"".join(leaves + first + second)
    assert tree.root == node(b"".join(second))


def test_a_node_cannot_pass_for_a_block():
    body = bytes(range(64))
    tree = hash_tree(memoryview(body), block_bytes=32)
    assert len(tree.table) == 2 * HASH_BYTES
    assert hash_tree(memoryview(tree.table), block_bytes=64).root != tree.root


@pytest.mark.attack("K27")
@pytest.mark.parametrize("position", [0, 31, 32, 99])
def test_any_change_of_the_body_is_noticed(position):
    body = bytearray(100)
    tree = hash_tree(memoryview(body), block_bytes=32)
    verify_tree(memoryview(body), memoryview(tree.table), root=tree.root, block_bytes=32)
    body[position] ^= 1
    with pytest.raises(NotAuthentic) as caught:
        verify_tree(memoryview(body), memoryview(tree.table), root=tree.root, block_bytes=32)
    assert caught.value.code == "bundle.root"


def test_another_hash_table_is_noticed():
    body = memoryview(bytes(100))
    tree = hash_tree(body, block_bytes=32)
    changed = memoryview(tree.table[:-1] + b"\0")
    with pytest.raises(NotAuthentic) as caught:
        verify_tree(body, changed, root=tree.root, block_bytes=32)
    assert caught.value.code == "bundle.hash-table"
