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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from strongroom.errors import FormatError

MAX_DEPTH = 4
"""Levels of arrays and maps. A COSE_Sign1 is one; an attestation document's payload has two."""
MAX_INPUT_BYTES = 262_144
"""KMS accepts attestation documents up to this size (KMS API: RecipientInfo.AttestationDocument)."""

_SPEC = "RFC 8949"
_INDEFINITE = 31
_BREAK = b"\xff"


class Profile(enum.Enum):
    """Which deviations from deterministic encoding are accepted."""

    DETERMINISTIC = "deterministic"
    AWS = "aws"


class Kind(enum.Enum):
    """The types the two profiles know. The values are how errors name them."""

    UNSIGNED = "an unsigned integer"
    NEGATIVE = "a negative integer"
    BYTES = "a byte string"
    TEXT = "a text string"
    ARRAY = "an array"
    MAP = "a map"
    BOOL = "a boolean"
    NULL = "null"


_MAJOR_KINDS = {
    0: Kind.UNSIGNED,
    1: Kind.NEGATIVE,
    2: Kind.BYTES,
    3: Kind.TEXT,
    4: Kind.ARRAY,
    5: Kind.MAP,
}
_SIMPLE = {20: (Kind.BOOL, False), 21: (Kind.BOOL, True), 22: (Kind.NULL, None)}

Plain: TypeAlias = "int | bytes | str | bool | Sequence[Plain] | Mapping[int | str, Plain] | None"
Scalar: TypeAlias = "int | bytes | str | bool | None"


class CborItem(NamedTuple):
    """One decoded item and the offset, in bytes, of its first byte in the input.

    A NamedTuple, because a document has dozens of them and a frozen dataclass costs three times as much to make.
    """

    kind: Kind
    offset: int
    scalar: Scalar = None
    children: tuple[CborItem, ...] = ()

    def _expect(self, kind: Kind) -> None:
        if self.kind is not kind:
            raise FormatError(
                "cbor.wrong-type", f"expected {kind.value}, found {self.kind.value}", offset=self.offset, spec=_SPEC
            )

    def uint(self) -> int:
        """Return an unsigned integer, 0 to 2**64-1."""
        self._expect(Kind.UNSIGNED)
        return int(self.scalar)  # type: ignore[arg-type]  # the kind fixes the type of the scalar

    def integer(self) -> int:
        """Return an integer of either sign."""
        if self.kind is Kind.NEGATIVE:
            return int(self.scalar)  # type: ignore[arg-type]
        return self.uint()

    def bytes(self, *, minimum: int = 0, maximum: int = MAX_INPUT_BYTES) -> bytes:
        """Return a byte string whose length in bytes lies in the given range."""
        self._expect(Kind.BYTES)
        value: bytes = self.scalar  # type: ignore[assignment]
        self._expect_length(len(value), minimum, maximum)
        return value

    def text(self, *, minimum: int = 0, maximum: int = MAX_INPUT_BYTES) -> str:
        """Return a text string whose length in characters lies in the given range."""
        self._expect(Kind.TEXT)
        value: str = self.scalar  # type: ignore[assignment]
        self._expect_length(len(value), minimum, maximum)
        return value

    def boolean(self) -> bool:
        """Return a boolean."""
        self._expect(Kind.BOOL)
        return bool(self.scalar)

    def is_null(self) -> bool:
        """Tell whether this is null."""
        return self.kind is Kind.NULL

    def array(self, *, minimum: int = 0, maximum: int = MAX_INPUT_BYTES) -> tuple[CborItem, ...]:
        """Return the elements of an array whose length lies in the given range."""
        self._expect(Kind.ARRAY)
        self._expect_length(len(self.children), minimum, maximum)
        return self.children

    def map(self) -> tuple[tuple[CborItem, CborItem], ...]:
        """Return the pairs of a map in the order they were written; keys are known to differ."""
        self._expect(Kind.MAP)
        return tuple(zip(self.children[::2], self.children[1::2], strict=True))

    def _expect_length(self, length: int, minimum: int, maximum: int) -> None:
        if not minimum <= length <= maximum:
            raise FormatError(
                "cbor.wrong-length",
                f"expected {self.kind.value} of length {minimum} to {maximum}, found length {length}",
                offset=self.offset,
                spec=_SPEC,
            )

    def record(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, CborItem]:
        """Return a map with text keys as a dict: all of `required` and nothing beyond `required` and `optional`."""
        found = {}
        known = {*required, *optional}
        for key, value in self.map():
            name = key.text()
            if name not in known:
                raise FormatError("cbor.unknown-key", f"unknown key {name!r}", offset=key.offset, spec=_SPEC)
            found[name] = value
        for name in required:
            if name not in found:
                raise FormatError(
                    "cbor.missing-key", f"expected the key {name!r}, found none", offset=self.offset, spec=_SPEC
                )
        return found


@dataclass(slots=True)
class _Open:
    """A container being filled: how many children are still due (None: until a break)."""

    kind: Kind
    offset: int
    due: int | None
    children: list[CborItem]
    keys: dict[bytes, int]
    key_start: int = 0


class _Decoder:
    def __init__(self, data: bytes, profile: Profile, base_offset: int) -> None:
        self.data = data
        self.profile = profile
        self.base = base_offset
        self.position = 0
        self.stack: list[_Open] = []

    def fail(self, code: str, message: str, position: int) -> FormatError:
        return FormatError(f"cbor.{code}", message, offset=self.base + position, spec=_SPEC)

    def run(self) -> CborItem:
        while True:
            item = self._next()
            if item is None:
                continue
            item = self._close_full(item)
            if item is not None:
                break
        if self.position != len(self.data):
            raise self.fail("trailing-bytes", "expected the end, found more bytes", self.position)
        return item

    def _next(self) -> CborItem | None:
        """Read one head. Return a finished item, or None after opening a container that has children."""
        start = self.position
        if self.stack:
            top = self.stack[-1]
            if top.due is None and self.data[start : start + 1] == _BREAK:
                return self._pop_indefinite()
            if top.kind is Kind.MAP and len(top.children) % 2 == 0:
                top.key_start = start
        major, argument = self._head()
        if argument is None or major in (4, 5):  # without a length it is a map: _head has refused all else
            return self._container(_MAJOR_KINDS[major], argument, start)
        return self._scalar(major, argument, start)

    def _pop_indefinite(self) -> CborItem:
        top = self.stack.pop()
        if len(top.children) % 2:
            raise self.fail("odd-map", "expected a value for the last key, found the end of the map", self.position)
        self.position += 1
        return CborItem(top.kind, top.offset, None, tuple(top.children))

    def _head(self) -> tuple[int, int | None]:
        """Return the major type and its argument (None: indefinite length)."""
        start = self.position
        if start >= len(self.data):
            raise self.fail("truncated", "expected another item, found the end of the input", start)
        major, info = self.data[start] >> 5, self.data[start] & 0x1F
        self.position += 1
        if info < 24:  # noqa: PLR2004 -- RFC 8949 section 3: the argument itself
            return major, info
        if info == _INDEFINITE:
            self._expect_indefinite_allowed(major, start)
            return major, None
        if info > 27 or major == 7:  # noqa: PLR2004 -- 28 to 30 are reserved; wide simple values and floats are refused
            raise self.fail("forbidden", f"forbidden initial byte 0x{self.data[start]:02x}", start)
        width = 1 << (info - 24)
        argument = int.from_bytes(self._take(width, start))
        if argument < 24 or (width > 1 and argument < 1 << (4 * width)):  # noqa: PLR2004
            raise self.fail("not-shortest", "expected the shortest form of an integer or length", start)
        return major, argument

    def _expect_indefinite_allowed(self, major: int, start: int) -> None:
        if not (self.profile is Profile.AWS and major == 5 and not self.stack):  # noqa: PLR2004 -- major type 5: map
            raise self.fail("indefinite", "expected a definite length, found an indefinite one or a stray break", start)

    def _take(self, length: int, start: int) -> bytes:
        end = self.position + length
        if end > len(self.data):
            left = len(self.data) - self.position
            raise self.fail("truncated", f"expected {length} more bytes, found {left}", start)
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def _container(self, kind: Kind, length: int | None, start: int) -> CborItem | None:
        if len(self.stack) >= MAX_DEPTH:
            raise self.fail("too-deep", f"expected at most {MAX_DEPTH} levels of nesting, found more", start)
        due = length if length is None or kind is Kind.ARRAY else 2 * length
        if due is not None and due > len(self.data) - self.position:
            raise self.fail("truncated", f"expected {due} more items, found too few bytes for them", start)
        if due == 0:
            return CborItem(kind, self.base + start)
        self.stack.append(_Open(kind, self.base + start, due, [], {}))
        return None

    def _scalar(self, major: int, argument: int, start: int) -> CborItem:
        kind = _MAJOR_KINDS.get(major)
        value: Scalar = argument
        if kind is Kind.NEGATIVE:
            value = -1 - argument
        elif kind is Kind.BYTES:
            value = self._take(argument, start)
        elif kind is Kind.TEXT:
            value = self._text(argument, start)
        elif kind is None:
            if major != 7 or argument not in _SIMPLE:  # noqa: PLR2004 -- RFC 8949 section 3.3
                raise self.fail("forbidden", f"forbidden initial byte 0x{self.data[start]:02x}", start)
            kind, value = _SIMPLE[argument]
        return CborItem(kind, self.base + start, value)

    def _text(self, length: int, start: int) -> str:
        try:
            return self._take(length, start).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fail("not-utf8", "expected UTF-8 in a text string", start) from error

    def _close_full(self, item: CborItem) -> CborItem | None:
        """Hand a finished item to its container, closing containers that are full. Return the root when done."""
        while self.stack:
            top = self.stack[-1]
            top.children.append(item)
            if top.kind is Kind.MAP and len(top.children) % 2:
                self._note_key(top, item)
            if top.due is None or len(top.children) < top.due:
                return None
            self.stack.pop()
            item = CborItem(top.kind, top.offset, None, tuple(top.children))
        return item

    def _note_key(self, top: _Open, key: CborItem) -> None:
        if key.kind not in (Kind.UNSIGNED, Kind.NEGATIVE, Kind.TEXT):
            raise self.fail("wrong-key", f"expected an integer or text key, found {key.kind.value}", top.key_start)
        encoded = self.data[top.key_start : self.position]
        if encoded in top.keys:
            raise self.fail("duplicate-key", f"duplicate key {key.scalar!r}", top.key_start)
        if self.profile is Profile.DETERMINISTIC and top.keys and encoded < next(reversed(top.keys)):
            raise self.fail("key-order", f"expected keys in bytewise order, found {key.scalar!r} late", top.key_start)
        top.keys[encoded] = top.key_start


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
    return _Decoder(data, profile, base_offset).run()


def _encode_head(major: int, argument: int) -> bytes:
    if argument < 24:  # noqa: PLR2004
        return bytes([major << 5 | argument])
    for info, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << (8 * width):
            return bytes([major << 5 | info]) + argument.to_bytes(width)
    raise OverflowError(argument)


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
            return _encode_head(2, len(value)) + value
        case str():
            text = value.encode("utf-8")
            return _encode_head(3, len(text)) + text
        case Mapping() | list() | tuple():
            return _encode_container(value)
        case _:
            raise TypeError(f"cannot encode {type(value).__name__} as CBOR")
