# SPDX-License-Identifier: Apache-2.0
"""Compressed streams, unpacked into files with a bound on their size.

gzip and xz are read with Python; zstd and lz4 with Debian's programs, in the sandbox.
"""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from strongroom.errors import FormatError
from strongroom.formats.zstd_frame import MAGIC as _ZSTD
from strongroom.formats.zstd_frame import zstd_frame_end
from strongroom.imaging.sandbox import INPUT, SCRATCH, Limits, find_program, run_in_sandbox
from strongroom.imaging.tree.folder import file_contents

_GZIP, _XZ, _LZ4 = b"\x1f\x8b", b"\xfd7zXZ\0", b"\x02\x21\x4c\x18"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_XZ_MEMORY_BYTES = 256 << 20
_STEP_BYTES = 1 << 20
_OUTPUT = "unpacked"


class Room:
    """How much may still be unpacked of one image, in bytes."""

    def __init__(self, maximum_bytes: int) -> None:
        self.left_bytes = maximum_bytes

    def take(self, size: int) -> None:
        """Note what was unpacked. Raises FormatError when it is more than is left."""
        self.left_bytes -= size
        if self.left_bytes < 0:
            raise FormatError("compression.too-large", "expected less when unpacked, found more than is read here")


def is_compressed(data: memoryview) -> bool:
    """Tell whether this begins as a stream does that `unpack` reads."""
    return bytes(data[:6]).startswith((_GZIP, _XZ, _ZSTD, _LZ4))


def unpack(data: memoryview, room: Room, scratch: Path) -> tuple[memoryview, int]:
    """Unpack the stream at the start of `data`. Return what was in it, and how many bytes it took of `data`.

    `scratch` is a folder; nothing stays in it. Of lz4 nothing may follow. Raises FormatError for a stream that is
    broken, of another kind or too large, LocalFault where a program is missing.
    """
    head = bytes(data[:6])
    if head.startswith(_GZIP):
        return _by_python(zlib.decompressobj(_GZIP_WINDOW), data, room, scratch)
    if head.startswith(_XZ):
        return _by_python(lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY_BYTES), data, room, scratch)
    if head.startswith(_ZSTD):
        end = zstd_frame_end(data)
        options = ("-d", "-q", "-f", "--memory=256MB", INPUT, "-o", f"{SCRATCH}/{_OUTPUT}")
        return _by_program(("zstd", *options), data[:end], room, scratch), end
    if head.startswith(_LZ4):
        return _by_program(("lz4", "-d", "-q", "-f", INPUT, f"{SCRATCH}/{_OUTPUT}"), data, room, scratch), len(data)
    raise FormatError("compression.kind", f"expected gzip, xz, zstd or lz4, found {head!r}")


def _by_python(
    stream: zlib._Decompress | lzma.LZMADecompressor, data: memoryview, room: Room, scratch: Path
) -> tuple[memoryview, int]:
    output = scratch / _OUTPUT
    with output.open("wb") as file:
        for start in range(0, len(data), _STEP_BYTES):
            given = data[start : start + _STEP_BYTES]
            for unpacked in _steps(stream, given):
                room.take(len(unpacked))
                file.write(unpacked)
            if stream.eof:
                break
        else:
            raise FormatError("compression.truncated", "expected a whole stream, found it to end before its end")
    return _taken(output), start + len(given) - len(stream.unused_data)


def _steps(stream: zlib._Decompress | lzma.LZMADecompressor, data: memoryview) -> Iterator[bytes]:
    """Yield what comes of some more input, a bounded piece at a time."""
    waiting: bytes | memoryview = data
    while not stream.eof:
        try:
            unpacked = stream.decompress(waiting, _STEP_BYTES)
        except (zlib.error, lzma.LZMAError) as error:
            raise FormatError("compression.stream", f"expected a stream that can be unpacked: {error}") from error
        yield unpacked
        waiting = getattr(stream, "unconsumed_tail", b"")
        if not waiting and len(unpacked) < _STEP_BYTES:
            return


def _by_program(command: Sequence[str], data: memoryview, room: Room, scratch: Path) -> memoryview:
    packed = scratch.with_name(f"{scratch.name}.packed")
    packed.write_bytes(data)
    limits = Limits(disk_bytes=2 * max(room.left_bytes, 1))
    run_in_sandbox((find_program(command[0]), *command[1:]), source=packed, scratch=scratch, limits=limits)
    packed.unlink()
    unpacked = _taken(scratch / _OUTPUT)
    room.take(len(unpacked))
    return unpacked


def _taken(output: Path) -> memoryview:
    """Return what is in a file, and take away its name: it is gone when nobody looks at it any more."""
    contents = file_contents(output)
    output.unlink(missing_ok=True)
    return contents
