# SPDX-License-Identifier: Apache-2.0
"""JSON (RFC 8259) without its loose ends: no duplicate keys, fractions, `NaN`, deep nesting or second encoding."""

from __future__ import annotations

import json
from typing import NoReturn

from strongroom.errors import FormatError

_SPEC = "RFC 8259"


def decode(data: bytes, *, maximum_bytes: int) -> object:
    """Parse one JSON text in UTF-8. Raises FormatError, with the offset where the syntax breaks."""
    if len(data) > maximum_bytes:
        raise FormatError("json.too-large", f"expected at most {maximum_bytes} bytes, found {len(data)}", spec=_SPEC)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError("json.not-utf8", "expected UTF-8", offset=error.start, spec=_SPEC) from error
    try:
        return json.loads(text, object_pairs_hook=_object, parse_float=_refuse_number, parse_constant=_refuse_number)
    except json.JSONDecodeError as error:
        offset = len(text[: error.pos].encode())
        raise FormatError("json.syntax", f"expected JSON: {error.msg}", offset=offset, spec=_SPEC) from error
    except RecursionError as error:
        raise FormatError("json.too-deep", "expected fewer levels of nesting", spec=_SPEC) from error
    except ValueError as error:  # an integer of more digits than Python converts
        raise FormatError("json.number", "expected an integer of reasonable size", spec=_SPEC) from error


def encode(value: object) -> bytes:
    """Write the one encoding: ASCII, sorted keys, two spaces of indentation, a newline at the end."""
    return (json.dumps(value, ensure_ascii=True, allow_nan=False, sort_keys=True, indent=2) + "\n").encode("ascii")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for key, value in pairs:
        if key in members:
            raise FormatError("json.duplicate-key", f"the key {key!r} stands twice in one object", spec=_SPEC)
        members[key] = value
    return members


def _refuse_number(text: str) -> NoReturn:
    raise FormatError("json.number", f"expected an integer, found {text}", spec=_SPEC)
