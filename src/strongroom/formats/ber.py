# SPDX-License-Identifier: Apache-2.0
"""The part of BER (ITU-T X.690) that AWS uses: KMS in its replies, EC2 in identity documents. Nothing more.

Low tag numbers, definite lengths in shortest form, and indefinite lengths on constructed elements. Depth, size and
the number of elements are bounded before anything is built, so hostile input costs little (ATTACKS A10).

An element says which children it has only to somebody who names the tags that he expects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.errors import FormatError

MAX_DEPTH = 12
"""Genuine KMS replies nest 11 levels."""
MAX_ELEMENTS = 512
END_OF_CONTENTS = b"\0\0"
CONSTRUCTED = 0x20
INTEGER, OCTET_STRING, NULL, OID, SEQUENCE, SET = 0x02, 0x04, 0x05, 0x06, 0x30, 0x31
"""Tags of universal types, the constructed ones with their bit (X.690 section 8.1.2; X.680 table 1)."""

_SPEC = "ITU-T X.690 section 8.1"
_LONG_FORM = 0x80
_MAX_LENGTH_BYTES = 3
_HIGH_TAG = 0x1F
_SHOWN_BYTES = 32


@dataclass(frozen=True, slots=True)
class BerElement:
    """One element. `raw` is all of it; a primitive one holds `content`, a constructed one `children`.

    `spec` is what says how elements of this message are put together.
    """

    tag: int
    offset: int
    raw: bytes
    spec: str
    content: bytes = b""
    children: tuple[BerElement, ...] = ()

    def unpack(self, tag: int, tags: Sequence[int]) -> tuple[BerElement, ...]:
        """Return the children: this element has `tag`, and they have `tags`, in this order. Raises FormatError."""
        children = self.open(tag, minimum=len(tags), maximum=len(tags))
        for child, wanted in zip(children, tags, strict=True):
            child.expect_tag(wanted)
        return children

    def open(self, tag: int, *, minimum: int, maximum: int) -> tuple[BerElement, ...]:
        """Return the children, of which there are `minimum` to `maximum`, with any tags. Raises FormatError."""
        self.expect_tag(tag)
        if not minimum <= len(self.children) <= maximum:
            count = f"{minimum}" if minimum == maximum else f"{minimum} to {maximum}"
            raise self.refused("ber.members", f"expected {count} members, found {len(self.children)}")
        return self.children

    def expect_tag(self, tag: int) -> None:
        """Return if this element has `tag`. Raises FormatError."""
        if self.tag != tag:
            raise self.refused("ber.wrong-tag", f"expected the tag 0x{tag:02x}, found 0x{self.tag:02x}")

    def expect_content(self, content: bytes, what: str) -> None:
        """Return if this primitive element holds `content`, which people call `what`. Raises FormatError."""
        if self.content != content:
            raise self.refused("ber.wrong-content", f"expected {what}, found {self.content[:_SHOWN_BYTES].hex()}")

    def refused(self, code: str, message: str) -> FormatError:
        """Return the error that says what is wrong with this element."""
        return FormatError(code, message, offset=self.offset, spec=self.spec)


class _Reader:
    def __init__(self, data: bytes, spec: str) -> None:
        self.data = data
        self.spec = spec
        self.position = 0
        self.elements = 0

    def fail(self, code: str, message: str, offset: int) -> FormatError:
        return FormatError(f"ber.{code}", message, offset=offset, spec=_SPEC)

    def byte(self) -> int:
        if self.position >= len(self.data):
            raise self.fail("truncated", "expected another byte, found the end", self.position)
        self.position += 1
        return self.data[self.position - 1]

    def element(self, depth: int) -> BerElement:
        start = self.position
        self.elements += 1
        if depth > MAX_DEPTH or self.elements > MAX_ELEMENTS:
            raise self.fail(
                "too-complex", f"expected at most {MAX_DEPTH} levels and {MAX_ELEMENTS} elements, found more", start
            )
        tag = self.byte()
        if tag & _HIGH_TAG == _HIGH_TAG or tag == 0:
            raise self.fail("tag", f"expected a tag number from 0 to 30, found the byte 0x{tag:02x}", start)
        length = self.length()
        if not tag & CONSTRUCTED:
            return self.primitive(tag, length, start)
        children = self.until_end_of_contents(depth) if length is None else self.until(self.end(length, start), depth)
        return BerElement(tag, start, self.data[start : self.position], self.spec, children=children)

    def length(self) -> int | None:
        """Return the length in bytes, None for indefinite."""
        start = self.position
        first = self.byte()
        if first < _LONG_FORM:
            return first
        width = first - _LONG_FORM
        if width == 0:
            return None
        if width > _MAX_LENGTH_BYTES:
            raise self.fail("length", f"expected a length of at most {_MAX_LENGTH_BYTES} bytes, found {width}", start)
        length = int.from_bytes(bytes(self.byte() for _ in range(width)))
        if length < _LONG_FORM or length >> (8 * (width - 1)) == 0:
            raise self.fail("length", "expected the shortest form of a length", start)
        return length

    def end(self, length: int, start: int) -> int:
        end = self.position + length
        if end > len(self.data):
            left = len(self.data) - self.position
            raise self.fail("truncated", f"expected {length} bytes of content, found {left}", start)
        return end

    def primitive(self, tag: int, length: int | None, start: int) -> BerElement:
        if length is None:
            raise self.fail("length", "expected a definite length in a primitive element", start)
        content_start, self.position = self.position, self.end(length, start)
        content = self.data[content_start : self.position]
        return BerElement(tag, start, self.data[start : self.position], self.spec, content=content)

    def until(self, end: int, depth: int) -> tuple[BerElement, ...]:
        children = []
        while self.position < end:
            children.append(self.element(depth + 1))
        if self.position != end:
            raise self.fail("overrun", f"expected the content to end at byte {end}, found more", self.position)
        return tuple(children)

    def until_end_of_contents(self, depth: int) -> tuple[BerElement, ...]:
        children = []
        while self.data[self.position : self.position + 2] != END_OF_CONTENTS:
            children.append(self.element(depth + 1))
        self.position += 2
        return tuple(children)


def parse_ber(data: bytes, *, maximum_bytes: int, spec: str = _SPEC) -> BerElement:
    """Parse exactly one element that fills `data`; `spec` says what governs its members. Raises FormatError."""
    if len(data) > maximum_bytes:
        raise FormatError(
            "ber.too-large", f"expected at most {maximum_bytes} bytes, found {len(data)}", offset=0, spec=_SPEC
        )
    reader = _Reader(data, spec)
    root = reader.element(1)
    if reader.position != len(data):
        raise reader.fail("trailing-bytes", "expected the end, found more bytes", reader.position)
    return root


def encode_definite(tag: int, content: bytes) -> bytes:
    """Encode one element with a definite length in shortest form."""
    length = len(content)
    if length < _LONG_FORM:
        return bytes([tag, length]) + content
    width = (length.bit_length() + 7) // 8
    return bytes([tag, _LONG_FORM | width]) + length.to_bytes(width) + content


def encode_indefinite(tag: int, content: bytes) -> bytes:
    """Encode one constructed element with an indefinite length."""
    return bytes([tag | CONSTRUCTED, _LONG_FORM]) + content + END_OF_CONTENTS
