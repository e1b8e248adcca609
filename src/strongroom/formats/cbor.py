# SPDX-License-Identifier: Apache-2.0
"""Strict CBOR (RFC 8949) in two profiles.

`Profile.AWS` reads what the Nitro system writes: definite lengths in shortest form, except that one map, the
outermost, may be of indefinite length (every genuine NitroTPM document has that). `Profile.DETERMINISTIC` is
RFC 8949 section 4.2.1, which our own formats use: definite lengths, shortest form, map keys in bytewise order.

Both refuse duplicate keys, trailing bytes, floats, undefined, tags, indefinite strings and arrays, and anything nested
deeper than `MAX_DEPTH`. Decoding is iterative and copies nothing it has not bounded first (ATTACKS A9, A10).

`decode` returns a `CborItem` that knows where it stood; its accessors raise `FormatError` with that offset when the
type is not the expected one. `encode` writes the deterministic profile.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.errors import FormatError
from strongroom.formats.cbor_item import (
    ARRAY,
    BOOL,
    BYTES,
    MAP,
    MAX_INPUT_BYTES,
    NEGATIVE,
    NULL,
    TEXT,
    UNSIGNED,
    CborItem,
    Kind,
)

__all__ = [
    "MAX_DEPTH",
    "MAX_INPUT_BYTES",
    "CborItem",
    "Kind",
    "Plain",
    "Profile",
    "byte_string_head",
    "decode",
    "decode_first",
    "encode",
]

MAX_DEPTH = 4
"""Levels of arrays and maps. A COSE_Sign1 is one; an attestation document's payload has two."""

_SPEC = "RFC 8949"
_ONE_BYTE, _EIGHT_BYTES, _INDEFINITE = 24, 27, 31
"""Additional information (RFC 8949 section 3): the argument follows in 1, 2, 4 or 8 bytes; there is none."""
_SHORT_BYTE_STRING, _INDEFINITE_MAP, _BREAK = 0x58, 0xBF, 0xFF
_SIMPLE_MAJOR = 7
_SIMPLE = {20: (BOOL, False), 21: (BOOL, True), 22: (NULL, None)}
_KEY_KINDS = (UNSIGNED, TEXT, NEGATIVE)

Plain: TypeAlias = "int | bytes | str | bool | Sequence[Plain] | Mapping[int | str, Plain] | None"


class Profile(enum.Enum):
    """Which deviations from deterministic encoding are accepted."""

    DETERMINISTIC = "deterministic"
    AWS = "aws"


@dataclass(slots=True)
class _Open:
    """A container being filled, and how many children it is to have (None: as many as come before a break)."""

    kind: Kind
    offset: int
    due: int | None
    children: list[CborItem]


_new_item = tuple.__new__
"""Makes a CborItem in less time than its constructor takes; a document has dozens of them."""


class _Decoder:
    """Fills containers, the innermost first; those around it wait on a stack.

    The lowest one is not in the input: it holds the one item that the input has to be.
    """

    def __init__(self, data: bytes, profile: Profile, base_offset: int) -> None:
        self.data = data
        self.end = len(data)
        self.profile = profile
        self.base = base_offset
        self.position = 0
        self.stack = [_Open(ARRAY, base_offset, 1, [])]

    def fail(self, code: str, message: str, position: int) -> FormatError:
        return FormatError(f"cbor.{code}", message, offset=self.base + position, spec=_SPEC)

    def run(self) -> CborItem:
        while True:
            full = self._fill(self.stack[-1])
            if full is None:
                continue
            self.stack.pop()
            if not self.stack:
                break
            self.stack[-1].children.append(full)
        return full.children[0]

    def expect_end(self) -> None:
        if self.position != self.end:
            raise self.fail("trailing-bytes", "expected the end, found more bytes", self.position)

    def _fill(self, top: _Open) -> CborItem | None:
        """Read children of a container. Return it when it is full, None where one opened inside it comes first."""
        data, end, children, due = self.data, self.end, top.children, top.due
        while len(children) != due:
            start = self.position
            if start >= end:
                raise self.fail("truncated", "expected another item, found the end of the input", start)
            read, argument, width = _HEADS[data[start]]
            self.position = start + 1
            if width:
                argument = self._argument(width, argument, start)
            child = read(self, argument, start)
            if child is None:
                return None
            children.append(child)
        if top.kind is MAP:
            self._expect_keys(children)
        return _new_item(CborItem, (top.kind, top.offset, None, tuple(children)))

    def _argument(self, width: int, least: int, start: int) -> int:
        """Read an argument that follows the initial byte in `width` bytes and needs so many from `least` on."""
        end = start + 1 + width
        if end > self.end:
            raise self._truncated(width, start)
        self.position = end
        argument = int.from_bytes(self.data[start + 1 : end])
        if argument < least:
            raise self.fail("not-shortest", "expected the shortest form of an integer or length", start)
        return argument

    def _take(self, length: int, start: int) -> bytes:
        begin = self.position
        end = begin + length
        if end > self.end:
            raise self._truncated(length, start)
        self.position = end
        return self.data[begin:end]

    def _truncated(self, length: int, start: int) -> FormatError:
        left = self.end - self.position
        return self.fail("truncated", f"expected {length} more bytes, found {left}", start)

    def unsigned(self, argument: int, start: int) -> CborItem:
        return _new_item(CborItem, (UNSIGNED, self.base + start, argument, ()))

    def negative(self, argument: int, start: int) -> CborItem:
        return CborItem(NEGATIVE, self.base + start, -1 - argument)

    def byte_string(self, length: int, start: int) -> CborItem:
        return _new_item(CborItem, (BYTES, self.base + start, self._take(length, start), ()))

    def short_byte_string(self, least: int, start: int) -> CborItem:
        """Read a byte string whose length stands in one byte, as that of every digest does, in one step.

        What is wrong with it is left to the general steps to find and to refuse.
        """
        begin = start + 2
        length = self.data[start + 1] if begin <= self.end else 0
        end = begin + length
        if length < least or end > self.end:
            return self.byte_string(self._argument(1, least, start), start)
        self.position = end
        return _new_item(CborItem, (BYTES, self.base + start, self.data[begin:end], ()))

    def text_string(self, length: int, start: int) -> CborItem:
        try:
            value = self._take(length, start).decode()
        except UnicodeDecodeError as error:
            raise self.fail("not-utf8", "expected UTF-8 in a text string", start) from error
        return _new_item(CborItem, (TEXT, self.base + start, value, ()))

    def array(self, length: int, start: int) -> CborItem | None:
        return self._open(ARRAY, length, start)

    def map(self, pairs: int, start: int) -> CborItem | None:
        return self._open(MAP, 2 * pairs, start)

    def simple(self, argument: int, start: int) -> CborItem:
        kind, value = _SIMPLE[argument]
        return _new_item(CborItem, (kind, self.base + start, value, ()))

    def _open(self, kind: Kind, due: int, start: int) -> CborItem | None:
        """Open a container to be filled next. Return it where it is empty."""
        if len(self.stack) > MAX_DEPTH:
            raise self.fail("too-deep", f"expected at most {MAX_DEPTH} levels of nesting, found more", start)
        if due > self.end - self.position:
            raise self.fail("truncated", f"expected {due} more items, found too few bytes for them", start)
        if due == 0:
            return CborItem(kind, self.base + start)
        self.stack.append(_Open(kind, self.base + start, due, []))
        return None

    def indefinite_map(self, _: int, start: int) -> None:
        if self.profile is not Profile.AWS or len(self.stack) > 1:
            raise self._indefinite(start)
        self.stack.append(_Open(MAP, self.base + start, None, []))

    def stop(self, _: int, start: int) -> None:
        """Read a break: the indefinite map that it ends has all its children now."""
        top = self.stack[-1]
        if top.due is not None:
            raise self._indefinite(start)
        if len(top.children) % 2:
            raise self.fail("odd-map", "expected a value for the last key, found the end of the map", start)
        top.due = len(top.children)

    def indefinite(self, _: int, start: int) -> None:
        raise self._indefinite(start)

    def _indefinite(self, start: int) -> FormatError:
        return self.fail("indefinite", "expected a definite length, found an indefinite one or a stray break", start)

    def forbidden(self, _: int, start: int) -> None:
        raise self.fail("forbidden", f"forbidden initial byte 0x{self.data[start]:02x}", start)

    def _expect_keys(self, children: Sequence[CborItem]) -> None:
        """Refuse keys that are no integer or text, or come twice; in our own formats also those that come late."""
        seen = set()
        for kind, offset, scalar, _ in children[::2]:
            if kind not in _KEY_KINDS:
                raise self.fail("wrong-key", f"expected an integer or text key, found {kind.value}", offset - self.base)
            if scalar in seen:
                raise self.fail("duplicate-key", f"duplicate key {scalar!r}", offset - self.base)
            seen.add(scalar)
        if self.profile is Profile.DETERMINISTIC:
            self._expect_order(children)

    def _expect_order(self, children: Sequence[CborItem]) -> None:
        """Compare each key, as it is encoded, with the one before it (RFC 8949 section 4.2.1)."""
        starts = [item.offset - self.base for item in children]
        encoded = [self.data[key:value] for key, value in zip(starts[::2], starts[1::2], strict=True)]
        for place, (before, late) in enumerate(itertools.pairwise(encoded), start=1):
            if late < before:
                key = children[2 * place].scalar
                raise self.fail("key-order", f"expected keys in bytewise order, found {key!r} late", starts[2 * place])


_Head: TypeAlias = tuple[Callable[[_Decoder, int, int], CborItem | None], int, int]
"""What an initial byte says: what to do, the argument, and 0. Or, where the argument follows: what to do, the least
argument that needs so many bytes, and how many. `short_byte_string` takes the least and reads the argument itself."""
_MAJOR = (
    _Decoder.unsigned,
    _Decoder.negative,
    _Decoder.byte_string,
    _Decoder.text_string,
    _Decoder.array,
    _Decoder.map,
)
"""By major type, 0 to 5 (RFC 8949 section 3.1). No profile reads 6, tags."""


def _head(initial: int) -> _Head:
    major, info = initial >> 5, initial & 0x1F
    if info == _INDEFINITE:
        known = {_INDEFINITE_MAP: _Decoder.indefinite_map, _BREAK: _Decoder.stop}
        return known.get(initial, _Decoder.indefinite), 0, 0
    if major == _SIMPLE_MAJOR and info in _SIMPLE:
        return _Decoder.simple, info, 0
    if initial == _SHORT_BYTE_STRING:
        return _Decoder.short_byte_string, _ONE_BYTE, 0
    if major >= len(_MAJOR) or info > _EIGHT_BYTES:
        return _Decoder.forbidden, 0, 0
    if info < _ONE_BYTE:
        return _MAJOR[major], info, 0
    width = 1 << (info - _ONE_BYTE)
    return _MAJOR[major], 1 << (4 * width) if width > 1 else _ONE_BYTE, width


_HEADS: tuple[_Head, ...] = tuple(map(_head, range(256)))


def decode(data: bytes, profile: Profile, *, base_offset: int = 0, maximum_bytes: int = MAX_INPUT_BYTES) -> CborItem:
    """Decode exactly one item that fills `data`.

    `base_offset` is added to every offset that is reported, for input that stands inside other input.
    Raises FormatError for anything the profile does not allow.
    """
    if len(data) > maximum_bytes:
        raise FormatError(
            "cbor.too-large",
            f"expected at most {maximum_bytes} bytes, found {len(data)}",
            offset=base_offset,
            spec=_SPEC,
        )
    decoder = _Decoder(data, profile, base_offset)
    item = decoder.run()
    decoder.expect_end()
    return item


def decode_first(data: bytes, profile: Profile) -> tuple[CborItem, int]:
    """Decode the item that `data` begins with, and say how many bytes it took. What follows it is not looked at.

    For one that stands in a buffer larger than itself. Raises FormatError, `cbor.truncated` where it ends too early.
    """
    if len(data) > MAX_INPUT_BYTES:
        raise FormatError("cbor.too-large", f"expected at most {MAX_INPUT_BYTES} bytes, found {len(data)}", spec=_SPEC)
    decoder = _Decoder(data, profile, 0)
    item = decoder.run()
    return item, decoder.position


def _encode_head(major: int, argument: int) -> bytes:
    if argument < 24:  # noqa: PLR2004
        return bytes([major << 5 | argument])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * width):
            return bytes([major << 5 | info]) + argument.to_bytes(width)
    raise OverflowError(argument)


def byte_string_head(length: int) -> bytes:
    """Encode what stands before the bytes of a byte string, of which there are `length`."""
    return _encode_head(2, length)


def _encode_container(value: Sequence[Plain] | Mapping[int | str, Plain]) -> bytes:
    if isinstance(value, Mapping):
        pairs = sorted((encode(key), encode(item)) for key, item in value.items())
        return _encode_head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    return _encode_head(4, len(value)) + b"".join(encode(item) for item in value)


def encode(value: Plain) -> bytes:
    """Encode in the deterministic profile (RFC 8949 section 4.2.1). Raises TypeError for other Python types."""
    match value:
        case None:
            return b"\xf6"
        case bool():
            return b"\xf5" if value else b"\xf4"
        case int():
            return _encode_head(0, value) if value >= 0 else _encode_head(1, -1 - value)
        case bytes():
            return byte_string_head(len(value)) + value
        case str():
            text = value.encode("utf-8")
            return _encode_head(3, len(text)) + text
        case Mapping() | list() | tuple():
            return _encode_container(value)
        case _:
            raise TypeError(f"cannot encode {type(value).__name__} as CBOR")
