# SPDX-License-Identifier: Apache-2.0
"""One text for every way in which texts can meet a list of patterns.

All patterns run side by side as one nondeterministic automaton whose state is one integer: a bit for each place in
each pattern. A search through its reachable states, shortest texts first, meets every combination of matches that any
text has: this is the subset construction (Rabin and Scott 1959). No text behaves unlike all that are returned.
"""

from __future__ import annotations

import string
from collections import deque
from collections.abc import Callable, Sequence

from strongroom.keypolicy.symbolic.patterns import Pattern, Token, Unreadable

MAX_STATES = 20_000
"""Reachable states after which the search gives up: patterns with many stars multiply."""
_READABLE = "x" + string.ascii_lowercase + string.ascii_uppercase + string.digits


class _Automaton:
    """The patterns, laid one after the other. Place i of a pattern is before its token i; the last place accepts."""

    def __init__(self, patterns: Sequence[Pattern], within: int) -> None:
        self._places: list[Token | None] = []
        self.accepting: list[int] = []
        start = 0
        for pattern in patterns:
            start |= 1 << len(self._places)
            self._places += [*pattern, None]
            self.accepting.append(1 << (len(self._places) - 1))
        self._stars = sum(1 << at for at, token in enumerate(self._places) if token is not None and token.star)
        self.wanted = sum(self.accepting[:within])
        self._alive = (self.accepting[within - 1] << 1) - 1
        moves, stays = self._masks(star=False), self._masks(star=True)
        self._steps = [(char, moves(char), stays(char)) for char in self._alphabet()]
        self.start = self._closed(start)

    def _alphabet(self) -> list[str]:
        named = {char for token in self._places if token is not None for char in token.letters.chars}
        other = next((char for char in _READABLE if char not in named), None)
        other = other or next(char for char in map(chr, range(0x100, 0x10000)) if char not in named)
        return [other, *sorted(named, reverse=True)]

    def _masks(self, *, star: bool) -> Callable[[str], int]:
        """Return for a character the places that take it: of tokens with a star, or of the others."""
        wide, named = 0, dict[str, int]()
        for at, token in enumerate(self._places):
            if token is not None and token.star is star:
                wide |= (1 << at) * token.letters.others
                for char in token.letters.chars:
                    named[char] = named.get(char, 0) | 1 << at
        # What names a character takes it, or, where it takes all others, leaves it out.
        return lambda char: wide ^ named.get(char, 0)

    def _closed(self, state: int) -> int:
        """Add what is reached by taking nothing for a star."""
        while True:
            wider = state | (state & self._stars) << 1
            if wider == state:
                return state
            state = wider

    def after(self, state: int) -> dict[int, str]:
        """Return the states one character further, each with one character that leads there."""
        found: dict[int, str] = {}
        seen: set[int] = set()
        for char, moves, stays in self._steps:
            raw = (state & moves) << 1 | state & stays
            if raw in seen:
                continue
            seen.add(raw)
            reached = self._closed(raw)
            if reached & self._alive:
                found.setdefault(reached, char)
        return found


def words(patterns: Sequence[Pattern], within: Sequence[Pattern]) -> list[str]:
    """Return one text for each set of `patterns` that some text matches, among the texts that match one of `within`.

    Raises Unreadable when there are too many ways to follow.
    """
    automaton = _Automaton((*within, *patterns), len(within))
    found: dict[int, str] = {}
    accepting = sum(automaton.accepting)
    reached = {automaton.start: ""}
    waiting = deque([automaton.start])
    while waiting:
        state = waiting.popleft()
        if state & automaton.wanted:
            found.setdefault(state & accepting, reached[state])
        for following, char in automaton.after(state).items():
            if following not in reached:
                reached[following] = reached[state] + char
                waiting.append(following)
        if len(reached) > MAX_STATES:
            raise Unreadable("its patterns, together with others of the same key, make too many cases")
    return list(found.values())
