# SPDX-License-Identifier: Apache-2.0
"""The few bytes of TPM frames that tests make and take apart by hand."""

from __future__ import annotations

PASSWORD_HANDLE = 0x40000009
EMPTY_AREA = b"\0\0"
"""An empty nonce."""


def u8(value: int) -> bytes:
    return value.to_bytes(1, "big")


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def response(rc: int, body: bytes = b"", *, tag: int = 0x8001) -> bytes:
    return u16(tag) + u32(10 + len(body)) + u32(rc) + body


def code_of(command: bytes) -> int:
    return int.from_bytes(command[6:10], "big")


rc_of = code_of
"""The response code stands where the command code stands."""


def flipped(data: bytes, place: int) -> bytes:
    """Return the data with one bit of the byte at `place` changed."""
    changed = bytearray(data)
    changed[place] ^= 1
    return bytes(changed)


def cut(answer: bytes, size: int) -> bytes:
    """Return a response that ends early, and says that it is that short."""
    return answer[:2] + u32(size) + answer[6:size]
