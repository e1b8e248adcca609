# SPDX-License-Identifier: Apache-2.0
"""Good bytes, damaged, and what a reader says of them: for properties of readers of untrusted bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

from strongroom.errors import FormatError

Edit = tuple[int, bytes]
"""Where, in bytes from the start, and what stands there instead of as many bytes."""


def edits(last: int, *, least: int = 1) -> st.SearchStrategy[list[Edit]]:
    """Return up to four edits of at most four bytes each, none behind the byte `last`."""
    return st.lists(st.tuples(st.integers(0, last), st.binary(min_size=1, max_size=4)), min_size=least, max_size=4)


def edited(data: bytes, changes: Sequence[Edit]) -> bytes:
    """Return bytes after these edits, longer only where one reaches over their end."""
    changed = bytearray(data)
    for offset, replacement in changes:
        changed[offset : offset + len(replacement)] = replacement
    return bytes(changed)


def damaged(good: bytes, *, least: int = 1) -> st.SearchStrategy[bytes]:
    """Return good bytes after up to four edits anywhere: of the same length, or a few bytes longer."""
    return edits(len(good), least=least).map(lambda changes: edited(good, changes))


@st.composite
def mutations(draw: st.DrawFn, good: bytes, *, places: int = 3, gone: int = 3, new: int = 3) -> bytes:
    """Return good bytes where at up to so many places up to so many bytes went, and up to so many others came."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, places))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, gone))] = draw(st.binary(max_size=new))
    return bytes(data)


def refusal(parse: Callable[..., object], *arguments: Any) -> FormatError | None:
    """Return the FormatError that a parser raises, None if it raises none. Anything else escapes."""
    try:
        parse(*arguments)
    except FormatError as error:
        return error
    return None


def with_another_end(data: bytes) -> bytes:
    """The same bytes, but for one bit of the last: never the same bytes, whatever they are."""
    return data[:-1] + bytes([data[-1] ^ 1])
