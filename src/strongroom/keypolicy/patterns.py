# SPDX-License-Identifier: Apache-2.0
"""Wildcards of the IAM policy language: `*` is any run of characters, `?` is exactly one.

IAM User Guide, "IAM JSON policy elements: Resource" and "... Action".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

ARN_PARTS = 6
"""arn:partition:service:region:account:resource; the resource may hold more colons (IAM User Guide, IAM ARNs)."""


def wildcard(pattern: str) -> re.Pattern[str]:
    """Compile a pattern for `fullmatch`. Each run between stars is atomic, so no input makes it backtrack."""
    first, *rest = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1] if part)
    last = f".*{rest[-1]}" if rest else ""
    return re.compile(first + middle + last, re.DOTALL)


def any_of(patterns: Iterable[str]) -> Callable[[str], bool]:
    """Return a test: does a text match one of `patterns`? Plain texts are looked up, wildcards are tried in turn."""
    texts = tuple(patterns)
    plain = frozenset(text for text in texts if not has_wildcard(text))
    compiled = tuple(wildcard(text).fullmatch for text in texts if has_wildcard(text))
    return lambda value: value in plain or any(match(value) for match in compiled)


def has_wildcard(text: str) -> bool:
    """Tell whether a text holds `*` or `?`."""
    return "*" in text or "?" in text


def arn_parts(arn: str) -> list[str]:
    """Split an ARN into its six parts. Raises ValueError."""
    parts = arn.split(":", ARN_PARTS - 1)
    if len(parts) != ARN_PARTS or parts[0] != "arn":
        raise ValueError(f"expected an ARN of six parts, found {arn!r}")
    return parts
