# SPDX-License-Identifier: Apache-2.0
"""Sets of texts as rows of tokens: what the texts and wildcards of a policy match.

A token takes one character of a set, or, with a star, any number of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

from strongroom.keypolicy.patterns import Exact, Pieces, arn_pattern

_LATIN = 0xFF
_FOLDED = {"k": "\u212a", "å": "\u212b", "ß": "\u1e9e"}
"""Letters beyond U+00FF whose lower-case form is not: str.lower() folds them, so a case-blind operator takes them."""


@dataclass(frozen=True, slots=True)
class Letters:
    """A set of characters: these, or all others."""

    chars: frozenset[str]
    others: bool = False

    def has(self, char: str) -> bool:
        """Tell whether a character is in the set."""
        return (char in self.chars) is not self.others


@dataclass(frozen=True, slots=True)
class Token:
    """One character of a set; with `star`, any number of them."""

    letters: Letters
    star: bool = False


Pattern: TypeAlias = tuple[Token, ...]

ANY = Letters(frozenset(), others=True)
NO_COLON = Letters(frozenset(":"), others=True)
NO_SLASH = Letters(frozenset("/:"), others=True)
DIGIT = Letters(frozenset("0123456789"))
HEX = Letters(frozenset("0123456789abcdef"))
ANYTHING: Pattern = (Token(ANY, star=True),)


class Unreadable(Exception):  # noqa: N818 -- not an error of the caller's: what asked takes it as "cannot decide"
    """A text that this theory cannot express."""


def exactly(text: str) -> Pattern:
    """Match one text."""
    return tuple(map(_char, text))


def any_case(text: str) -> Pattern:
    """Match what has the same lower-case form. Raises Unreadable for letters whose forms differ in length."""
    if any(ord(char) > _LATIN for char in text):
        raise Unreadable("letters beyond U+00FF have no simple case")
    return tuple(map(_char_of_any_case, text))


@cache
def _char(char: str) -> Token:
    return Token(Letters(frozenset(char)))


@cache
def _char_of_any_case(char: str) -> Token:
    lower = char.lower()
    forms = {char, lower, lower.upper(), _FOLDED.get(lower, lower)}
    return Token(Letters(frozenset(form for form in forms if form.lower() == lower)))


def like(pieces: Pieces, wild: Letters = ANY) -> Pattern:
    """Match what a text with wildcards matches; `wild` is what a wildcard may stand for."""
    tokens: list[Token] = []
    for piece in pieces:
        if isinstance(piece, Exact):
            tokens.extend(exactly(piece.text))
            continue
        tokens.extend(_wild(char, wild) for char in piece)
    return tuple(tokens)


def _wild(char: str, wild: Letters) -> Token:
    if char in "*?":
        return Token(wild, star=char == "*")
    return _char(char)


def like_arn(pieces: Pieces) -> Pattern:
    """Match what an ARN pattern matches: a wildcard of the first five parts never reaches over a colon."""
    if pieces == ("*",):
        return ARN
    *first, last = arn_pattern(pieces)
    tokens: list[Token] = []
    for part in first:
        tokens += [*like(part, NO_COLON), *exactly(":")]
    return (*tokens, *like(last))


def some(letters: Letters) -> Pattern:
    """Match any number of characters of a set."""
    return (Token(letters, star=True),)


def repeated(letters: Letters, times: int) -> Pattern:
    """Match exactly so many characters of a set."""
    return (Token(letters),) * times


ARN: Pattern = (*exactly("arn:"), *((*some(NO_COLON), *exactly(":")) * 4), *ANYTHING)
"""Every text that is read as an ARN (keypolicy.patterns.arn_parts)."""
