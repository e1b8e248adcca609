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
_ONE_BYTE, _EIGHT_BYTES, _INDEFINITE = 24, 27, 31
"""Additional information (RFC 8949 section 3): the argument follows in 1, 2, 4 or 8 bytes; there is none."""
_BREAK = 0xFF
_SIMPLE_MAJOR = 7


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
_KEY_KINDS = (Kind.UNSIGNED, Kind.TEXT, Kind.NEGATIVE)
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
    keys: dict[bytes, None]
    """Encoded keys, in the order they came."""


class _Head(NamedTuple):
    """What an initial byte says (RFC 8949 section 3). `kind` is None where no profile knows it."""

    kind: Kind | None
    argument: int
    width: int
    """Bytes that follow and hold the argument, 0 where it is in the initial byte."""
    indefinite: bool


def _head(initial: int) -> _Head:
    major, info = initial >> 5, initial & 0x1F
    if major == _SIMPLE_MAJOR:
        return _Head(_SIMPLE[info][0] if info in _SIMPLE else None, info, 0, info == _INDEFINITE)
    if info == _INDEFINITE:
        return _Head(_MAJOR_KINDS.get(major), 0, 0, indefinite=True)
    if info < _ONE_BYTE:
        return _Head(_MAJOR_KINDS.get(major), info, 0, indefinite=False)
    if info > _EIGHT_BYTES:
        return _Head(None, 0, 0, indefinite=False)
    return _Head(_MAJOR_KINDS.get(major), 0, 1 << (info - _ONE_BYTE), indefinite=False)


_HEADS = tuple(map(_head, range(256)))
_new_item = tuple.__new__
"""Makes a CborItem in a third of the time that its constructor takes; a document has dozens of them."""


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
        item: CborItem | None = None
        while item is None:
            item = self._next(self.position)
            if item is not None and self.stack:
                item = self._hand_over(item)
        if self.position != len(self.data):
            raise self.fail("trailing-bytes", "expected the end, found more bytes", self.position)
        return item

    def _next(self, start: int) -> CborItem | None:
        """Read one item. Return it, or None after opening a container that has children."""
        if start >= len(self.data):
            raise self.fail("truncated", "expected another item, found the end of the input", start)
        kind, argument, width, indefinite = _HEADS[self.data[start]]
        self.position = start + 1
        if kind is None or indefinite:
            return self._rare(kind, start)
        if width:
            argument = self._argument(width, start)
        if kind is Kind.BYTES:
            return _new_item(CborItem, (kind, self.base + start, self._take(argument, start), ()))
        if kind is Kind.UNSIGNED:
            return _new_item(CborItem, (kind, self.base + start, argument, ()))
        if kind is Kind.MAP or kind is Kind.ARRAY:
            return self._container(kind, argument, start)
        return CborItem(kind, self.base + start, self._scalar(kind, argument, start))

    def _rare(self, kind: Kind | None, start: int) -> CborItem | None:
        """Read a break, the head of an indefinite map, or refuse."""
        initial = self.data[start]
        if initial == _BREAK and self.stack and self.stack[-1].due is None:
            return self._pop_indefinite()
        if initial & 0x1F != _INDEFINITE:
            raise self.fail("forbidden", f"forbidden initial byte 0x{initial:02x}", start)
        if not (self.profile is Profile.AWS and kind is Kind.MAP and not self.stack):
            raise self.fail("indefinite", "expected a definite length, found an indefinite one or a stray break", start)
        self.stack.append(_Open(kind, self.base + start, None, [], {}))
        return None

    def _pop_indefinite(self) -> CborItem:
        top = self.stack.pop()
        if len(top.children) % 2:
            raise self.fail("odd-map", "expected a value for the last key, found the end of the map", self.position - 1)
        return CborItem(top.kind, top.offset, None, tuple(top.children))

    def _argument(self, width: int, start: int) -> int:
        argument = int.from_bytes(self._take(width, start))
        if argument < _ONE_BYTE or (width > 1 and argument < 1 << (4 * width)):
            raise self.fail("not-shortest", "expected the shortest form of an integer or length", start)
        return argument

    def _take(self, length: int, start: int) -> bytes:
        end = self.position + length
        if end > len(self.data):
            left = len(self.data) - self.position
            raise self.fail("truncated", f"expected {length} more bytes, found {left}", start)
        taken = self.data[self.position : end]
        self.position = end
        return taken

    def _container(self, kind: Kind, length: int, start: int) -> CborItem | None:
        if len(self.stack) >= MAX_DEPTH:
            raise self.fail("too-deep", f"expected at most {MAX_DEPTH} levels of nesting, found more", start)
        due = length if kind is Kind.ARRAY else 2 * length
        if due > len(self.data) - self.position:
            raise self.fail("truncated", f"expected {due} more items, found too few bytes for them", start)
        if due == 0:
            return CborItem(kind, self.base + start)
        self.stack.append(_Open(kind, self.base + start, due, [], {}))
        return None

    def _scalar(self, kind: Kind, argument: int, start: int) -> Scalar:
        if kind is Kind.TEXT:
            return self._text(argument, start)
        return -1 - argument if kind is Kind.NEGATIVE else _SIMPLE[argument][1]

    def _text(self, length: int, start: int) -> str:
        try:
            return self._take(length, start).decode("utf-8")
        except UnicodeDecodeError as error:
            raise self.fail("not-utf8", "expected UTF-8 in a text string", start) from error

    def _hand_over(self, item: CborItem) -> CborItem | None:
        """Hand a finished item to its container, closing containers that are full. Return the root when done."""
        while self.stack:
            top = self.stack[-1]
            children = top.children
            if top.kind is Kind.MAP and not len(children) % 2:
                self._note_key(top, item)
            children.append(item)
            if len(children) != top.due:
                return None
            self.stack.pop()
            item = CborItem(top.kind, top.offset, None, tuple(children))
        return item

    def _note_key(self, top: _Open, key: CborItem) -> None:
        start = key.offset - self.base
        if key.kind not in _KEY_KINDS:
            raise self.fail("wrong-key", f"expected an integer or text key, found {key.kind.value}", start)
        encoded = self.data[start : self.position]
        if encoded in top.keys:
            raise self.fail("duplicate-key", f"duplicate key {key.scalar!r}", start)
        if self.profile is Profile.DETERMINISTIC and top.keys and encoded < next(reversed(top.keys)):
            raise self.fail("key-order", f"expected keys in bytewise order, found {key.scalar!r} late", start)
        top.keys[encoded] = None


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
