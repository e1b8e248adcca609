# SPDX-License-Identifier: Apache-2.0
"""Lists in pages: Limit, Marker, Truncated, NextMarker (KMS API Reference, ListKeys)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.request import Reply

MAX_LIMIT = 1000
MAX_MARKER = 1024
_PREFIX = b"twin\0"
Entry = TypeVar("Entry")


def page(
    parameters: Parameters, entries: Sequence[Entry], *, name: Callable[[Entry], str], default: int, maximum: int
) -> tuple[Sequence[Entry], Reply]:
    """Return the entries of the asked page, and the members that say whether there are more.

    `entries` are in the order of their names, so that a page begins where the last one ended whatever came or went in
    between. `default` and `maximum` are the operation's own (KMS API Reference, Limit of each); KMS takes numbers up to
    1,000 and gives no more than the maximum. Raises AwsFault (InvalidMarkerException).
    """
    limit = min(parameters.whole_number("Limit", maximum=MAX_LIMIT) or default, maximum)
    after = _after(parameters.optional_text("Marker", maximum=MAX_MARKER))
    rest = [entry for entry in entries if after is None or name(entry) > after]
    shown = rest[:limit]
    if len(rest) <= limit:
        return shown, {"Truncated": False}
    return shown, {"Truncated": True, "NextMarker": base64.b64encode(_PREFIX + name(shown[-1]).encode()).decode()}


def _after(marker: str | None) -> str | None:
    if marker is None:
        return None
    try:
        data = base64.b64decode(marker, validate=True)
        name = data.removeprefix(_PREFIX).decode()
    except (binascii.Error, ValueError) as error:
        raise _invalid() from error
    if not data.startswith(_PREFIX):
        raise _invalid()
    return name


def _invalid() -> AwsFault:
    return AwsFault("InvalidMarkerException", "Could not deserialize marker")
