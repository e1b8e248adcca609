# SPDX-License-Identifier: Apache-2.0
"""JSON (RFC 8259) without its loose ends: no duplicate keys, `NaN`, huge numbers, deep nesting or second encoding.

Two readers of a duplicate key would see two documents, so it is refused wherever it stands. Fractions parse, because
documents of others may hold them where nobody reads; no accessor of `Node` returns one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import NoReturn, TypeAlias

from strongroom.errors import FormatError
from strongroom.formats.file_kind import looks_like
from strongroom.formats.tree import Node, Path, json_path, shown

MAX_DIGITS = 18
"""Of an integer: any of them fits into 64 bits."""
_SPEC = "RFC 8259"


class _Repeated:
    """Stands in the tree for an object in which `key` stands twice."""

    def __init__(self, key: str) -> None:
        self.key = key


def parse(data: bytes, *, maximum_bytes: int, spec: str) -> Node:
    """Parse one JSON text in UTF-8; `spec` says what governs its fields.

    Raises FormatError with the offset where the syntax breaks, or the JSON path of a key that stands twice.
    """
    if len(data) > maximum_bytes:
        raise FormatError("json.too-large", f"expected at most {maximum_bytes} bytes, found {len(data)}", spec=spec)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(data, error.start) from error
    return Node(_loads(text), (), json_path, spec)


def encode(value: object) -> bytes:
    """Write the one encoding: ASCII, sorted keys, two spaces of indentation, a newline at the end."""
    return (json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, indent=2) + "\n").encode("ascii")


def _loads(text: str) -> object:
    repeated: list[_Repeated] = []

    def members(pairs: list[tuple[str, object]]) -> object:
        found = dict(pairs)
        if len(found) == len(pairs):
            return found
        repeated.append(_Repeated(Counter(key for key, _ in pairs).most_common(1)[0][0]))
        return repeated[-1]

    try:
        value = json.loads(text, object_pairs_hook=members, parse_int=_integer, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        before = text[: error.pos].encode()
        if not before.strip():
            message = f"expected JSON, found what looks like {looks_like(text.encode())}"
            raise FormatError("json.syntax", message, offset=len(before) or None, spec=_SPEC) from error
        raise FormatError("json.syntax", f"expected JSON: {error.msg}", offset=len(before), spec=_SPEC) from error
    except RecursionError as error:
        raise FormatError("json.too-deep", "expected fewer levels of nesting", spec=_SPEC) from error
    if repeated:
        # The last one made is in the tree: what holds it would be made later, and be the last itself if repeated.
        place = Node(repeated[-1], _path_to(repeated[-1], value), json_path, _SPEC)
        raise place.refused("json.duplicate-key", f"the key {shown(repeated[-1].key)} stands twice in one object")
    return value


_Place: TypeAlias = tuple[object, int, str | int]
"""A value, the number of the place that holds it, and its key or index there."""


def _path_to(wanted: object, root: object) -> Path:
    """Return where `wanted` stands in a tree, without recursion. Of each value only its own step is kept."""
    places: list[_Place] = [(root, -1, "")]
    number = next(number for number, value in _grown(places) if value is wanted)
    steps: list[str | int] = []
    while number:
        _, number, step = places[number]
        steps.append(step)
    return tuple(reversed(steps))


def _grown(places: list[_Place]) -> Iterator[tuple[int, object]]:
    """Yield every value of a tree with its number in `places`, which holds the root and is filled on the way."""
    for number, (value, _, _) in enumerate(places):
        yield number, value
        if isinstance(value, dict):
            places.extend((each, number, key) for key, each in value.items())
        if isinstance(value, list):
            places.extend((each, number, index) for index, each in enumerate(value))


def _not_utf8(data: bytes, offset: int) -> FormatError:
    """Return what to say of other bytes: where they stand in JSON, or what the file is that is none."""
    if data[:offset].strip():
        return FormatError("json.not-utf8", "expected JSON in UTF-8, found other bytes", offset=offset, spec=_SPEC)
    return FormatError("json.not-utf8", f"expected JSON in UTF-8, found what looks like {looks_like(data)}", spec=_SPEC)


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise FormatError("json.number", f"expected at most {MAX_DIGITS} digits, found {len(digits)}", spec=_SPEC)
    return int(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise FormatError("json.number", f"expected a number, found {name}", spec="RFC 8259 section 6")
