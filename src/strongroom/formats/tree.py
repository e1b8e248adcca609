# SPDX-License-Identifier: Apache-2.0
"""Typed reading of the trees that JSON and TOML parse to: one `Node` per value, which knows where it stands.

Accessors return the value in its type or raise FormatError with the place. `where` turns a path into words: a
JSON path for `trust.json`, a line of the file for `strongroom.toml`.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypeVar

from strongroom.errors import FormatError
from strongroom.formats.names import ACCOUNT_ID, ID, INSTANCE_ID, REGION
from strongroom.ids import AccountId, InstanceId, Region

Path: TypeAlias = tuple[str | int, ...]
Where: TypeAlias = Callable[[Path], str]
Choice = TypeVar("Choice")
Member = TypeVar("Member", bound=StrEnum)

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
"""All but the line feed: names of files end at NUL, and the rest can play tricks with a terminal."""
_SURROGATE = re.compile(r"[\ud800-\udfff]")
"""What an escape such as `\\ud800` leaves behind without its other half (RFC 8259, section 8.2)."""
MAX_ENTRIES = 4096
_SHOWN_BITS = 64
MAX_TEXT = 4096
"""Characters of one string: more than any path or key that has its place in our files."""
MAX_SHOWN = 80
"""Characters of a value in a message."""


def json_path(path: Path) -> str:
    """Write a path as RFC 9535 does: `$.signers[0].roles`, or `$['a b']` for a name that is not plain."""
    return "$" + "".join(f".{step}" if _is_plain(step) else f"[{shown(step)}]" for step in path)


def _is_plain(step: str | int) -> bool:
    return isinstance(step, str) and step.isidentifier() and len(step) <= MAX_SHOWN


def shown(value: object) -> str:
    """Return an untrusted value fit for a message: short, quoted, without control characters."""
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a parsed tree."""

    value: object
    path: Path
    where: Where
    spec: str

    def refused(self, code: str, message: str, *, remedy: str = "") -> FormatError:
        """Return the error that says what is wrong with this value, and where."""
        return FormatError(code, f"{self.where(self.path)}: {message}", spec=self.spec, remedy=remedy)

    def child(self, step: str | int, value: object) -> Node:
        """Return the node of a value inside this one."""
        return Node(value, (*self.path, step), self.where, self.spec)

    def key(self) -> Node:
        """Return the key under which this value stands, as a value to be read."""
        return Node(self.path[-1], self.path, self.where, self.spec)

    def string(self, *, minimum: int = 0, maximum: int | None = None, wanted: str = "a string") -> str:
        """Return any string of `minimum` to `maximum` whole characters, as it is. `wanted` names what was expected."""
        if not isinstance(self.value, str):
            raise self.refused("field.wrong-type", f"expected {wanted}, found {_kind(self.value)}")
        if len(self.value) < minimum or (maximum is not None and len(self.value) > maximum):
            raise self.refused("field.length", f"expected {minimum} to {maximum} characters, found {len(self.value)}")
        if _SURROGATE.search(self.value):
            raise self.refused("field.surrogate", f"expected {wanted} of whole characters, found half of one")
        return self.value

    def text(self, pattern: re.Pattern[str] | None = None, *, wanted: str = "a string") -> str:
        """Return a string without control characters that `pattern` matches as a whole."""
        text = self.string(minimum=1, maximum=MAX_TEXT, wanted=wanted)
        if _CONTROL.search(text):
            raise self.refused("field.control-character", f"expected {wanted} without control characters")
        if pattern is not None and not pattern.fullmatch(text):
            raise self.refused("field.pattern", f"expected {wanted}, found {shown(text)}")
        return text

    def id(self) -> str:
        """Return an id: `[a-z0-9][a-z0-9-]{0,62}`."""
        return self.text(ID, wanted="an id (a-z, 0-9 and -, at most 63, not starting with -)")

    def account(self) -> AccountId:
        """Return an AWS account id."""
        return AccountId(self.text(ACCOUNT_ID, wanted="an AWS account id (12 digits, quoted)"))

    def region(self) -> Region:
        """Return an AWS region name."""
        return Region(self.text(REGION, wanted="an AWS region such as eu-central-1"))

    def instance_id(self) -> InstanceId:
        """Return the id of an EC2 instance."""
        return InstanceId(self.text(INSTANCE_ID, wanted="an instance id such as i-0123456789abcdef0"))

    def integer(self, minimum: int, maximum: int) -> int:
        """Return an integer in a range; true and false are none."""
        if not isinstance(self.value, int) or isinstance(self.value, bool):
            raise self.refused("field.wrong-type", f"expected an integer, found {_kind(self.value)}")
        if not minimum <= self.value <= maximum:
            # Python writes no number of thousands of digits; TOML takes such ones in hexadecimal.
            found = str(self.value) if self.value.bit_length() <= _SHOWN_BITS else "one far outside"
            raise self.refused("field.range", f"expected {minimum} to {maximum}, found {found}")
        return self.value

    def boolean(self) -> bool:
        """Return true or false."""
        if not isinstance(self.value, bool):
            raise self.refused("field.wrong-type", f"expected true or false, found {_kind(self.value)}")
        return self.value

    def base64(self, *, maximum_bytes: int) -> bytes:
        """Return the bytes behind canonical base64 (RFC 4648 section 4)."""
        text = self.value if isinstance(self.value, str) else ""
        try:
            data = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            data = b""
        if not 1 <= len(data) <= maximum_bytes or base64.b64encode(data).decode() != text:
            raise self.refused("field.base64", f"expected canonical base64 of 1 to {maximum_bytes} bytes")
        return data

    def hex(self, *, size_bytes: int) -> bytes:
        """Return the `size_bytes` bytes behind lower-case hex digits (RFC 4648 section 8, in lower case)."""
        digits = 2 * size_bytes
        return bytes.fromhex(self.text(re.compile(rf"[0-9a-f]{{{digits}}}"), wanted=f"{digits} lower-case hex digits"))

    def pick(self, options: Mapping[str, Choice]) -> Choice:
        """Return what `options` has under this string."""
        text = self.text(wanted=f"one of {', '.join(options)}")
        if text not in options:
            raise self.refused(
                "field.choice",
                f"expected one of {', '.join(options)}, found {shown(text)}",
                remedy=_did_you_mean(text, tuple(options)),
            )
        return options[text]

    def member(self, kind: type[Member]) -> Member:
        """Return a member of an enumeration of strings."""
        return self.pick({member.value: member for member in kind})

    def items(self, *, minimum: int = 0, maximum: int = MAX_ENTRIES) -> tuple[Node, ...]:
        """Return the elements of a list."""
        if not isinstance(self.value, list):
            raise self.refused("field.wrong-type", f"expected a list, found {_kind(self.value)}")
        self._expect_size(len(self.value), minimum, maximum)
        return tuple(self.child(index, value) for index, value in enumerate(self.value))

    def table(self, *, minimum: int = 0, maximum: int = MAX_ENTRIES) -> tuple[tuple[str, Node], ...]:
        """Return the members of an object whose keys are free."""
        if not isinstance(self.value, Mapping):
            raise self.refused("field.wrong-type", f"expected a table (object), found {_kind(self.value)}")
        self._expect_size(len(self.value), minimum, maximum)
        return tuple((key, self.child(key, value)) for key, value in self.value.items())

    def record(self, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, Node]:
        """Return the members of an object: all of `required`, nothing beyond `required` and `optional`."""
        known = (*required, *optional)
        for key, node in self.table():
            if key not in known:
                raise node.refused("field.unknown", f"unknown key {shown(key)}", remedy=_did_you_mean(key, known))
        return self.members(required)

    def members(self, required: Sequence[str]) -> dict[str, Node]:
        """Return the members of an object: all of `required`, and whatever else is there."""
        members = dict(self.table())
        for key in required:
            if key not in members:
                raise self.refused("field.missing", f"expected the key {key!r}, found none")
        return members

    def distinct(self, values: Iterable[str]) -> tuple[str, ...]:
        """Return `values` in their order. Raises FormatError when one stands there twice."""
        seen = tuple(values)
        for value in seen:
            if seen.count(value) > 1:
                raise self.refused("field.duplicate", f"{shown(value)} stands here twice")
        return seen

    def _expect_size(self, size: int, minimum: int, maximum: int) -> None:
        if not minimum <= size <= maximum:
            raise self.refused("field.length", f"expected {minimum} to {maximum} entries, found {size}")


def _did_you_mean(text: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(text, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else f"Known here: {', '.join(sorted(known)) or 'nothing'}."


def _kind(value: object) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", list: "a list"}
    if isinstance(value, Mapping):
        return "a table (object)"
    return names.get(type(value), "nothing" if value is None else type(value).__name__)
