# SPDX-License-Identifier: Apache-2.0
"""Our CBOR decoder beside cbor2: where the two may differ, and why (docs/adr/0002 shows the same table).

Whatever we decode, cbor2 decodes to the same value, and reads as far. What we refuse and cbor2 decodes is refused with
a code of ACCEPTED. There is no third case.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import cbor2

from strongroom.errors import FormatError
from strongroom.formats.cbor import CborItem, Kind, Profile, decode

ACCEPTED: Mapping[str, str] = {
    "cbor.duplicate-key": "the last of two equal keys counts",
    "cbor.forbidden": "tags, floats, undefined and other simple values are decoded",
    "cbor.indefinite": "indefinite lengths are decoded wherever they stand",
    "cbor.key-order": "keys come in any order (deterministic profile only)",
    "cbor.not-shortest": "integers and lengths come in longer forms",
    "cbor.too-deep": "containers nest up to 400 levels",
    "cbor.too-large": "input has no limit",
    "cbor.trailing-bytes": "bytes behind the item are left over",
    "cbor.wrong-key": "byte strings, booleans, null and arrays are keys",
}
"""Codes with which we refuse what cbor2 decodes, and what cbor2 does there."""


def plain(item: CborItem) -> Any:
    """Return an item as Python values. An item is nested MAX_DEPTH deep at most."""
    if item.kind is Kind.ARRAY:
        return [plain(child) for child in item.children]
    if item.kind is Kind.MAP:
        return {key.scalar: plain(value) for key, value in item.map()}
    return item.scalar


def same(ours: Any, theirs: Any) -> bool:
    """Equality that tells True from 1."""
    if isinstance(ours, list):
        return isinstance(theirs, list) and len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(ours, dict):
        return (
            isinstance(theirs, dict)
            and list(map(type, ours)) == list(map(type, theirs))
            and list(ours) == list(theirs)
            and all(same(ours[key], theirs[key]) for key in ours)
        )
    return type(ours) is type(theirs) and bool(ours == theirs)


def expect_accounted_for(data: bytes, profile: Profile) -> None:
    """Decode with both. Raises AssertionError for a difference that ACCEPTED does not name."""
    stream = io.BytesIO(data)
    try:
        ours = plain(decode(data, profile))
    except FormatError as error:
        assert error.code in ACCEPTED or not decodes(stream), f"cbor2 decodes what we refuse with {error.code}"
        return
    assert same(ours, cbor2.load(stream)), "the two decode different values"
    assert not stream.read(), "cbor2 reads less than we do"


def decodes(stream: io.BytesIO) -> bool:
    """Tell whether cbor2 takes it."""
    try:
        cbor2.load(stream)
    except (cbor2.CBORDecodeError, TypeError, ValueError, OverflowError):  # it does not promise the first one alone
        return False
    return True
