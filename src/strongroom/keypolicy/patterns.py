# SPDX-License-Identifier: Apache-2.0
"""Wildcards of the IAM policy language: `*` is any run of characters, `?` is exactly one.

IAM User Guide, "IAM JSON policy elements: Resource" and "... Action". A text is a row of pieces: in a plain string the
wildcards are alive, in an `Exact` piece they are themselves (what `${*}` and the value of a variable become).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

ARN_PARTS = 6
"""arn:partition:service:region:account:resource; the resource may hold more colons (IAM User Guide, IAM ARNs)."""


@dataclass(frozen=True, slots=True)
class Exact:
    """A piece of a text in which `*` and `?` mean themselves."""

    text: str


Pieces: TypeAlias = tuple[str | Exact, ...]


def wildcard(*pieces: str | Exact) -> re.Pattern[str]:
    """Compile a pattern for `fullmatch`. Each run between stars is atomic, so no input makes it backtrack."""
    runs = [""]
    for piece in pieces:
        if isinstance(piece, Exact):
            runs[-1] += re.escape(piece.text)
            continue
        first, *rest = (re.escape(part).replace(r"\?", ".") for part in piece.split("*"))
        runs[-1] += first
        runs += rest
    first, *rest = runs
    middle = "".join(f"(?>.*?{part})" for part in rest[:-1] if part)
    last = f".*{rest[-1]}" if rest else ""
    return re.compile(first + middle + last, re.DOTALL)


def any_of(texts: Iterable[Pieces]) -> Callable[[str], bool]:
    """Return a test: does a text match one of `texts`? Plain ones are looked up, wildcards are tried in turn."""
    every = tuple(texts)
    plain = frozenset(plain_text(text) for text in every if not is_pattern(text))
    compiled = tuple(wildcard(*text).fullmatch for text in every if is_pattern(text))
    if not compiled:
        return plain.__contains__
    return lambda value: value in plain or any(match(value) for match in compiled)


def plain_text(text: Pieces) -> str:
    """Return a text as it reads, its wildcards as characters."""
    return "".join(piece.text if isinstance(piece, Exact) else piece for piece in text)


def is_pattern(text: Pieces) -> bool:
    """Tell whether a text holds a wildcard that is alive."""
    return any(isinstance(piece, str) and has_wildcard(piece) for piece in text)


def has_wildcard(text: str) -> bool:
    """Tell whether a text holds `*` or `?`."""
    return "*" in text or "?" in text


def arn_parts(arn: str) -> list[str]:
    """Split an ARN into its six parts. Raises ValueError."""
    parts = arn.split(":", ARN_PARTS - 1)
    if len(parts) != ARN_PARTS or parts[0] != "arn":
        raise ValueError(f"expected an ARN of six parts, found {arn!r}")
    return parts


def arn_pattern(text: Pieces) -> list[Pieces]:
    """Split a pattern of an ARN into its six parts: only at colons that stand in it, not in a variable's value.

    Raises ValueError.
    """
    parts: list[list[str | Exact]] = [[]]
    for piece in text:
        if isinstance(piece, Exact):
            parts[-1].append(piece)
            continue
        first, *rest = piece.split(":", ARN_PARTS - len(parts))
        parts[-1].append(first)
        parts += [[part] for part in rest]
    if len(parts) != ARN_PARTS or parts[0] != ["arn"]:
        raise ValueError(f"expected an ARN of six parts, found {plain_text(text)!r}")
    return [tuple(part) for part in parts]
