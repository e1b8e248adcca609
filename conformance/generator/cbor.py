# SPDX-License-Identifier: Apache-2.0
"""A CBOR writer that writes whatever it is told, right or wrong (RFC 8949 section 3).

Every function returns encoded bytes and takes encoded members, so that any part can be replaced by a faulty one.
"""

from __future__ import annotations

from collections.abc import Iterable

NULL = b"\xf6"
BREAK = b"\xff"
TAG_18 = b"\xd2"
UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG = range(7)
"""Major types."""


def head(major: int, argument: int, *, width: int | None = None) -> bytes:
    """Return an initial byte and its argument: in the shortest form, or in `width` bytes (0, 1, 2, 4, 8)."""
    if width is None:
        fitting = (w for w in (0, 1, 2, 4, 8) if argument < (24 if w == 0 else 1 << (8 * w)))
        width = next(fitting)
    if width == 0:
        return bytes([major << 5 | argument])
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[width]]) + argument.to_bytes(width)


def integer(value: int) -> bytes:
    """Encode an integer of either sign."""
    return head(UNSIGNED, value) if value >= 0 else head(NEGATIVE, -1 - value)


def data(value: bytes) -> bytes:
    """Encode a byte string."""
    return head(BYTES, len(value)) + value


def text(value: str) -> bytes:
    """Encode a text string."""
    encoded = value.encode()
    return head(TEXT, len(encoded)) + encoded


def array(items: Iterable[bytes]) -> bytes:
    """Encode an array of encoded items."""
    members = list(items)
    return head(ARRAY, len(members)) + b"".join(members)


def map_of(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode a map of definite length, its pairs in the given order, duplicates and all."""
    members = list(pairs)
    return head(MAP, len(members)) + b"".join(key + value for key, value in members)


def open_map_of(pairs: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Encode a map of indefinite length, as the NitroTPM does."""
    return b"\xbf" + b"".join(key + value for key, value in pairs) + BREAK
