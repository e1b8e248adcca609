# SPDX-License-Identifier: Apache-2.0
"""Values that several kinds of rows of the state file have (docs/formats/twin-state.md)."""

from __future__ import annotations

from datetime import datetime

from strongroom.formats.times import read_moment
from strongroom.formats.tree import Node


def read_time(node: Node) -> datetime:
    """Read a time with its zone. Raises FormatError."""
    text = node.text()
    try:
        return read_moment(text)
    except ValueError as error:
        raise node.refused("twin.state-time", f"expected a time with its zone, found {text[:64]!r}") from error


def read_flag(node: Node) -> bool:
    """Read true or false. Raises FormatError."""
    if not isinstance(node.value, bool):
        raise node.refused("twin.state-flag", "expected true or false, found something else")
    return node.value
