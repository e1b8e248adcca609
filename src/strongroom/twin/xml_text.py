# SPDX-License-Identifier: Apache-2.0
"""Texts of callers in XML replies: what XML 1.0 has no way to carry (section 2.2, "Char") is replaced."""

from __future__ import annotations

import re

_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def sayable(text: str) -> str:
    """Return a text with U+FFFD in the place of each character that no XML document can have."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
