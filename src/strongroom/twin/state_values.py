# SPDX-License-Identifier: Apache-2.0
"""Values that several kinds of rows of the state file have (docs/formats/twin-state.md)."""

from __future__ import annotations

from datetime import datetime

from strongroom.formats.tree import Node


def read_time(node: Node) -> datetime:
    """Read a time with its zone. Raises FormatError."""
    text = node.text()
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise node.refused("twin.state-time", f"expected a time, found {text[:64]!r}") from error
    if found.tzinfo is None:
        raise node.refused("twin.state-time", "expected a time with a zone, found one without")
    return found


def read_flag(node: Node) -> bool:
    """Read true or false. Raises FormatError."""
    if not isinstance(node.value, bool):
        raise node.refused("twin.state-flag", "expected true or false, found something else")
    return node.value
