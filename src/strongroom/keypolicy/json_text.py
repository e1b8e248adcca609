# SPDX-License-Identifier: Apache-2.0
"""Strict JSON for policy documents (RFC 8259): duplicate members, odd numbers and unknown members are refused.

A lenient reader keeps the last of two equal members, so the text an auditor reads would not be the policy that counts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

from strongroom.errors import FormatError

MAX_POLICY_BYTES = 32_768
"""A key policy document in bytes (KMS quota "Key policy document size", API reference PutKeyPolicy)."""
_FOREIGN = re.compile("[^\t\n\r\x20-\u00ff]")
"""What PolicyType of the KMS API leaves out: all but tab, line feed, carriage return, and U+0020 to U+00FF."""
_MAX_DIGITS = 18
_SPEC = "RFC 8259"
_GRAMMAR = "IAM User Guide, grammar of the IAM JSON policy language"

JsonValue: TypeAlias = "bool | int | str | list[JsonValue] | Members | None"


@dataclass(frozen=True, slots=True)
class Members:
    """The members of one JSON object, in order, duplicates still in."""

    pairs: tuple[tuple[str, JsonValue], ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and where it stands, such as `Statement[2].Condition`."""

    value: JsonValue
    path: str

    def refuse(self, code: str, message: str) -> NoReturn:
        """Raise FormatError that names this place."""
        raise FormatError(code, f"{self.path or 'the document'}: {message}", spec=_GRAMMAR)

    def members(self, *, known: Collection[str] = (), required: Collection[str] = ()) -> dict[str, Node]:
        """Return an object's members. `known` empty means that any name may stand here. Raises FormatError."""
        if not isinstance(self.value, Members):
            self.refuse("keypolicy.type", f"expected an object, found {_described(self.value)}")
        found: dict[str, Node] = {}
        for name, value in self.value.pairs:
            if name in found:
                self.refuse("keypolicy.duplicate", f"expected each member once, found {name!r} twice")
            if known and name not in known:
                self.refuse("keypolicy.unknown-member", f"expected one of {', '.join(known)}, found {name!r}")
            found[name] = Node(value, f"{self.path}.{name}" if self.path else name)
        for name in required:
            if name not in found:
                self.refuse("keypolicy.missing-member", f"expected the member {name!r}, found none")
        return found

    def text(self) -> str:
        """Return a string. Raises FormatError."""
        if not isinstance(self.value, str):
            self.refuse("keypolicy.type", f"expected a string, found {_described(self.value)}")
        return self.value

    def one_or_more(self) -> tuple[Node, ...]:
        """Return the elements of a list, or the value itself as the only one. Raises FormatError for an empty list."""
        if not isinstance(self.value, list):
            return (self,)
        if not self.value:
            self.refuse("keypolicy.empty", "expected at least one value, found an empty list")
        return tuple(Node(value, f"{self.path}[{index}]") for index, value in enumerate(self.value))

    def texts(self) -> tuple[str, ...]:
        """Return one string or a list of them. Raises FormatError."""
        return tuple(node.text() for node in self.one_or_more())

    def scalar(self) -> str:
        """Return a string, a boolean or a whole number as IAM reads it in a condition: as text. Raises FormatError."""
        if isinstance(self.value, bool):
            return "true" if self.value else "false"
        if isinstance(self.value, int):
            return str(self.value)
        return self.text()


def parse_json(text: str) -> Node:
    """Parse one policy document of at most MAX_POLICY_BYTES. Raises FormatError."""
    foreign = _FOREIGN.search(text)
    if foreign is not None:
        offset = len(text[: foreign.start()].encode())
        raise FormatError(
            "keypolicy.character", "expected U+0020 to U+00FF or white space", offset=offset, spec="KMS PolicyType"
        )
    size_bytes = len(text.encode())
    if size_bytes > MAX_POLICY_BYTES:
        raise FormatError(
            "keypolicy.too-large",
            f"expected at most {MAX_POLICY_BYTES} bytes, found {size_bytes}",
            spec="KMS quota: key policy document size",
        )
    return Node(_loads(text), "")


def _loads(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(
            text,
            object_pairs_hook=lambda pairs: Members(tuple(pairs)),
            parse_int=_whole_number,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode())
        raise FormatError("keypolicy.json", f"expected JSON: {error.msg}", offset=offset, spec=_SPEC) from error
    except RecursionError as error:
        raise FormatError("keypolicy.depth", "expected a policy, found values nested too deeply", spec=_SPEC) from error
    return value


def _whole_number(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise FormatError("keypolicy.number", f"expected at most {_MAX_DIGITS} digits, found {len(digits)}", spec=_SPEC)
    return int(digits)


def _no_number(digits: str) -> NoReturn:
    raise FormatError("keypolicy.number", f"expected a whole number, found {digits[:_MAX_DIGITS]}", spec=_SPEC)


def _described(value: JsonValue) -> str:
    if isinstance(value, Members):
        return "an object"
    if isinstance(value, list):
        return "a list"
    return repr(value)[:80]
