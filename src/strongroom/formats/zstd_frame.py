# SPDX-License-Identifier: Apache-2.0
"""Where a Zstandard frame ends (RFC 8878, section 3.1.1). Nothing is decompressed: blocks tell their sizes."""

from __future__ import annotations

from strongroom.errors import FormatError

SPEC = "RFC 8878 section 3.1.1"
MAGIC = b"\x28\xb5\x2f\xfd"
_SINGLE_SEGMENT, _CHECKSUM, _RESERVED = 1 << 5, 1 << 2, 1 << 3
_DICTIONARY_BYTES = (0, 1, 2, 4)
_CONTENT_SIZE_BYTES = (0, 2, 4, 8)
_REPEATED, _NO_BLOCK = 1, 3
_BLOCK_HEADER_BYTES, _CHECKSUM_BYTES = 3, 4


def zstd_frame_end(data: memoryview) -> int:
    """Return where the frame at the start of `data` ends, in bytes. Raises FormatError for what is no whole frame."""
    if bytes(data[:4]) != MAGIC or len(data) < len(MAGIC) + 1:
        raise _refused("magic", "expected a Zstandard frame", 0)
    descriptor = data[4]
    if descriptor & _RESERVED:
        raise _refused("descriptor", f"expected bit 3 of the descriptor to be zero, found {descriptor:#04x}", 4)
    single = bool(descriptor & _SINGLE_SEGMENT)
    at = 5 + (not single) + _DICTIONARY_BYTES[descriptor & 3]
    at += _CONTENT_SIZE_BYTES[descriptor >> 6] or single
    last = False
    while not last:
        header = int.from_bytes(data[at : at + _BLOCK_HEADER_BYTES], "little")
        last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        if kind == _NO_BLOCK or at + _BLOCK_HEADER_BYTES > len(data):
            raise _refused("block", "expected a block of a known kind", at)
        at += _BLOCK_HEADER_BYTES + (1 if kind == _REPEATED else size)
    at += _CHECKSUM_BYTES if descriptor & _CHECKSUM else 0
    if at > len(data):
        raise _refused("truncated", f"expected a frame of {at} bytes, found {len(data)}", len(data))
    return at


def _refused(code: str, message: str, offset: int) -> FormatError:
    return FormatError(f"zstd.{code}", message, offset=offset, spec=SPEC)
