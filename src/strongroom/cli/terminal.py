# SPDX-License-Identifier: Apache-2.0
"""Text on its way to a terminal. Apart from `output`, so that errors are reported without loading more."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return text of unknown origin as one line for a terminal: control and format characters are spelled out.

    Files that nobody vouches for may hold sequences that clear the screen, or a line that is another verdict, written
    as ours are (ATTACKS A16).
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
