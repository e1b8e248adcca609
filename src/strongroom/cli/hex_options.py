# SPDX-License-Identifier: Apache-2.0
"""Options that take bytes in hex."""

from __future__ import annotations

from strongroom.errors import UsageError


def read_hex(option: str, text: str, *, remedy: str = "") -> bytes:
    """Return the bytes in the text of an option. Raises UsageError for anything but pairs of hex digits."""
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise UsageError(
            "verify.not-hex", f"expected pairs of hex digits for {option}, found {text!r}", remedy=remedy
        ) from error
