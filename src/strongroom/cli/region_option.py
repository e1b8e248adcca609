# SPDX-License-Identifier: Apache-2.0
"""A region as commands take it."""

from __future__ import annotations

from strongroom.errors import UsageError
from strongroom.formats.names import REGION
from strongroom.ids import Region


def parse_region(text: str) -> Region:
    """Return a region. Raises UsageError for what has not the shape of one."""
    if not REGION.fullmatch(text):
        raise UsageError("usage.region", f"expected an AWS region such as eu-central-1, found {text!r}")
    return Region(text)
