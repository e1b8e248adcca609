# SPDX-License-Identifier: Apache-2.0
"""The worst inputs of up to 64 KiB for a reader that has made a mistake with depth, lengths or repetition."""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.fuzz import campaign
from tests.fuzz.target import Target

MAX_BYTES = 65_536
OPENERS = (
    b"[",
    b'{"a":',
    b'[{"a":',
    b"\x81",  # CBOR: an array of one
    b"\xa1\x00",  # a map of one
    b"\x9f",  # an array of any length
    b"\xbf\x00",
    b"\xd2",  # a tag
    b"\x30\x80",  # BER: a SEQUENCE of any length
    b"\x24\x80",  # an OCTET STRING of OCTET STRINGs
    b"\xa0\x80",
    b"a.",  # TOML: a table in a table
    b"[[a]]\n",
    b"a={",
    b"(",
)
_REPLACED = ((1, b"\xff"), (2, b"\xff\xff"), (4, b"\xff\xff\xff\x7f"), (4, b"\xff\xff\xff\xff"), (8, b"\xff" * 8))
_FIRST_BYTES = 512


def worst_cases(target: Target) -> Iterator[bytes]:
    """Yield them for a target: those of all formats, those of its own, and what becomes of its seeds and corpus."""
    yield b""
    yield random.Random(0).randbytes(MAX_BYTES)
    yield from (byte * MAX_BYTES for byte in (b"\0", b"\xff", b"a", b"\n", b" ", b'"', b"\\"))
    yield from (opener * (MAX_BYTES // len(opener)) for opener in OPENERS)
    yield from (data[:MAX_BYTES] for data in target.worst())
    seeds = [*target.seeds()][:4]
    for seed in seeds:
        yield from claimed_lengths(seed)
    for data in (*seeds, *(path.read_bytes() for path in campaign.kept(target))):
        yield from scaled(data)


def claimed_lengths(seed: bytes) -> Iterator[bytes]:
    """Yield a seed with the largest numbers at each of its first bytes: one of them is a length."""
    for at in range(min(len(seed), _FIRST_BYTES)):
        for width, replacement in _REPLACED:
            if not at % width:
                yield seed[:at] + replacement + seed[at + width :]


def scaled(data: bytes) -> Iterator[bytes]:
    """Yield an input that is repeated, and one with more behind it, in front of it and inside."""
    if not data:
        return
    yield (data * (MAX_BYTES // len(data)))[:MAX_BYTES]
    more, middle = MAX_BYTES - len(data), len(data) // 2
    if more > 0:
        yield data + bytes(more)
        yield b" " * more + data
        yield data[:middle] + data[middle - 1 : middle] * more + data[middle:]
