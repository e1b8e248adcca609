# SPDX-License-Identifier: Apache-2.0
"""Root hashes of dm-verity, compared with those that veritysetup 2.6.1 printed for the same bytes."""

import hashlib

import pytest

from strongroom.errors import FormatError
from strongroom.formats.verity import VeritySuperblock
from strongroom.measure.verity import measure_root_hash

DATA = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(128 * 200))


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ((1, "sha256", 4096, 4096, 200), "f760333ed4a6052e1848de0a6a21f0abbb0a1811b7bf75875286eb0c71dfe6a3"),
        (
            (1, "sha384", 4096, 4096, 200),
            "5414446217661ecaf6a0209b002775bbcea5078cdcbf588029a7c45c28da44299ce8af2e4668b8cbb7ca71a8c32d3c17",
        ),
        ((1, "sha256", 512, 1024, 1600), "5408ad6f41442422deee3c427906ef55801aa79f1904c096455e7c58a45d6b83"),
        ((0, "sha256", 4096, 4096, 200), "ba8b15c28da460e19d473a923f3b4b52b238692eecca1e43173a028166321cb6"),
        (
            (1, "sha512", 4096, 4096, 1),
            "39ddce13f5f57699faa66d1e98f08800c6d1e6642efe6acdcd389e094e76d83b157a37ef6b2829d5f4c0da62542a5b2e45528717dac8aaaa1559925e732c2198",
        ),
    ],
)
def test_root_hashes_are_those_of_veritysetup(how, expected):
    superblock = VeritySuperblock(*how, bytes.fromhex("0123456789abcdef"))
    assert measure_root_hash(memoryview(DATA + b"behind"), superblock) == expected


@pytest.mark.parametrize("blocks", [0, 201])
def test_data_that_is_not_there_has_no_hash(blocks):
    with pytest.raises(FormatError) as caught:
        measure_root_hash(memoryview(DATA), VeritySuperblock(1, "sha256", 4096, 4096, blocks, b""))
    assert caught.value.code == "verity.data-size"
