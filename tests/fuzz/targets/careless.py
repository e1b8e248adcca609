# SPDX-License-Identifier: Apache-2.0
"""Readers with one planted bug each. A suite that does not find them finds nothing (tests/fuzz/test_fuzz.py)."""

from tests.fuzz.target import Target

from strongroom.errors import FormatError


def length(data: bytes) -> None:
    """Trusts a length."""
    if data[:2] == b"MZ":
        data[int.from_bytes(data[2:4], "little")]


def encoding(data: bytes) -> None:
    """Does not write what it reads: a leading zero is lost."""
    if not data[:4].isdigit():
        raise FormatError("careless.digits", "expected digits")
    assert str(int(data[:4])).encode() == data[:4]


def memory(data: bytes) -> None:
    """Makes room for as much as is claimed, before looking whether it is there."""
    if bytearray(int.from_bytes(data[:4])) == data[4:]:
        raise FormatError("careless.full", "expected another length")


def depth(data: bytes) -> None:
    """Calls itself for every level."""
    if data[:1] == b"[":
        depth(data[1:])


def time(data: bytes) -> None:
    """Compares everything with everything."""
    assert sum(one == other for one in data for other in data) >= len(data)


def accepting(data: bytes) -> None:
    """Lets out an error of another kind."""
    if data[:4] == b"4242":
        raise ValueError(data)


TARGETS = (
    Target("careless.length", length, lambda: [b"MZ\0\0"]),
    Target("careless.encoding", encoding, lambda: [b"1234"]),
    Target("careless.memory", memory, lambda: [bytes(4)]),
    Target("careless.depth", depth, lambda: [b"[x"]),
    Target("careless.time", time, lambda: [b"x"]),
    Target("careless.accepting", accepting, lambda: [b"x"]),
)
