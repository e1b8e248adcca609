# SPDX-License-Identifier: Apache-2.0
"""A decoded CBOR item (RFC 8949), and the questions that parsers ask of it: each answers or raises FormatError."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from strongroom.errors import FormatError

MAX_INPUT_BYTES = 262_144
"""KMS accepts attestation documents up to this size (KMS API: RecipientInfo.AttestationDocument)."""

_SPEC = "RFC 8949"


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


UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, BOOL, NULL = Kind
"""By name: on Python 3.11, looking up a member of an enum takes longer than most of what is done with it here."""

Scalar: TypeAlias = "int | bytes | str | bool | None"


class CborItem(NamedTuple):
    """One decoded item and the offset, in bytes, of its first byte in the input.

    A NamedTuple, because a document has dozens of them and a frozen dataclass costs three times as much to make.
    """

    kind: Kind
    offset: int
    scalar: Scalar = None
    children: tuple[CborItem, ...] = ()

    def uint(self) -> int:
        """Return an unsigned integer, 0 to 2**64-1."""
        if self.kind is not UNSIGNED:
            raise self._wrong_type(UNSIGNED)
        return self.scalar  # type: ignore[return-value]  # the kind fixes the type of the scalar

    def integer(self) -> int:
        """Return an integer of either sign."""
        if self.kind is NEGATIVE:
            return self.scalar  # type: ignore[return-value]
        return self.uint()

    def bytes(self, *, minimum: int = 0, maximum: int = MAX_INPUT_BYTES) -> bytes:
        """Return a byte string whose length in bytes lies in the given range."""
        if self.kind is not BYTES:
            raise self._wrong_type(BYTES)
        value: bytes = self.scalar  # type: ignore[assignment]
        if not minimum <= len(value) <= maximum:
            raise self._wrong_length(len(value), minimum, maximum)
        return value

    def text(self, *, minimum: int = 0, maximum: int = MAX_INPUT_BYTES) -> str:
        """Return a text string whose length in characters lies in the given range."""
        if self.kind is not TEXT:
            raise self._wrong_type(TEXT)
        value: str = self.scalar  # type: ignore[assignment]
        if not minimum <= len(value) <= maximum:
            raise self._wrong_length(len(value), minimum, maximum)
        return value

    def boolean(self) -> bool:
        """Return a boolean."""
        if self.kind is not BOOL:
            raise self._wrong_type(BOOL)
        return self.scalar  # type: ignore[return-value]

    def is_null(self) -> bool:
        """Tell whether this is null."""
        return self.kind is NULL

    def array(self, *, minimum: int = 0, maximum: int = MAX_INPUT_BYTES) -> tuple[CborItem, ...]:
        """Return the elements of an array whose length lies in the given range."""
        if self.kind is not ARRAY:
            raise self._wrong_type(ARRAY)
        if not minimum <= len(self.children) <= maximum:
            raise self._wrong_length(len(self.children), minimum, maximum)
        return self.children

    def map(self) -> tuple[tuple[CborItem, CborItem], ...]:
        """Return the pairs of a map in the order they were written; keys are known to differ."""
        if self.kind is not MAP:
            raise self._wrong_type(MAP)
        return tuple(zip(self.children[::2], self.children[1::2], strict=True))

    def _wrong_type(self, expected: Kind) -> FormatError:
        return FormatError(
            "cbor.wrong-type", f"expected {expected.value}, found {self.kind.value}", offset=self.offset, spec=_SPEC
        )

    def _wrong_length(self, length: int, minimum: int, maximum: int) -> FormatError:
        return FormatError(
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
