# SPDX-License-Identifier: Apache-2.0
"""Where a Zstandard frame ends."""

import pytest

from strongroom.errors import FormatError
from strongroom.formats.zstd_frame import MAGIC, zstd_frame_end


def frame(descriptor: int, rest: bytes) -> bytes:
    return MAGIC + bytes([descriptor]) + rest


RAW = (1 | 0 << 1 | 3 << 3).to_bytes(3, "little") + b"abc"
REPEATED = (0 | 1 << 1 | 9_000 << 3).to_bytes(3, "little") + b"a"


@pytest.mark.parametrize(
    "data",
    [
        frame(0x20, b"\x03" + RAW),
        frame(0x00, b"\x50" + RAW),
        frame(0x24, b"\x03" + REPEATED + RAW + b"\1\2\3\4"),
        frame(0x61, b"\x09" + bytes(2) + RAW),
        frame(0xE3, bytes(4) + bytes(8) + RAW),
        frame(0x82, b"\x50" + bytes(2) + bytes(4) + RAW),
    ],
)
def test_the_end_is_told(data):
    assert zstd_frame_end(memoryview(data)) == len(data)
    assert zstd_frame_end(memoryview(data + b"behind")) == len(data)
    with pytest.raises(FormatError):
        zstd_frame_end(memoryview(data[:-1]))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x28\xb5\x2f\xfc" + bytes(9), "zstd.magic"),
        (MAGIC, "zstd.magic"),
        (frame(0x28, b"\x03" + RAW), "zstd.descriptor"),
        (frame(0x20, b"\x03" + b"\x07\0\0"), "zstd.block"),
        (frame(0x20, b"\x03" + REPEATED), "zstd.block"),
        (frame(0x20, b"\x03" + RAW[:-1]), "zstd.truncated"),
    ],
)
def test_what_is_wrong_is_named(data, code):
    with pytest.raises(FormatError) as caught:
        zstd_frame_end(memoryview(data))
    assert caught.value.code == code
