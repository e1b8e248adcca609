# SPDX-License-Identifier: Apache-2.0
"""Superblocks of dm-verity."""

import pytest
from tests.small_trees import verity_superblock

from strongroom.errors import FormatError
from strongroom.formats.verity import VeritySuperblock, parse_verity


def test_a_superblock_is_read():
    expected = VeritySuperblock(1, "sha256", 4096, 4096, 7, b"salt")
    assert parse_verity(memoryview(verity_superblock(blocks=7))) == expected
    assert parse_verity(memoryview(verity_superblock(algorithm=b"sha512", hash_type=0))).hash_type == 0


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"magic": b"verityyy"}, "verity.magic"),
        ({"version": 2}, "verity.kind"),
        ({"hash_type": 2}, "verity.kind"),
        ({"algorithm": b"md5"}, "verity.kind"),
        ({"data": 4095}, "verity.sizes"),
        ({"hash": 0}, "verity.sizes"),
        ({"salt_bytes": 257}, "verity.sizes"),
    ],
)
def test_what_is_wrong_is_named(fields, code):
    with pytest.raises(FormatError) as caught:
        parse_verity(memoryview(verity_superblock(**fields)))
    assert caught.value.code == code


def test_a_short_one_is_none():
    with pytest.raises(FormatError):
        parse_verity(memoryview(verity_superblock()[:-1]))
