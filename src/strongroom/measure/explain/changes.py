# SPDX-License-Identifier: Apache-2.0
"""Two lists of events, and what one has that the other lacks."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from strongroom.formats.pcrs import PcrIndex
from strongroom.measure.events import Event
from strongroom.measure.explain.account import BootAccount

_MOST_ALIGNED = 256


@dataclass(frozen=True, slots=True)
class Changes:
    """Events by their digests: text never counts."""

    gone: tuple[Event, ...]
    new: tuple[Event, ...]

    def rows(self, reference: str, seen: str) -> tuple[str, ...]:
        """Return a line for each event that only one of the two has, a line that repeats once."""
        rows = [f"only in {reference}: {event.about}" for event in self.gone]
        rows += [f"only in {seen}: {event.about}" for event in self.new]
        return tuple(row if count == 1 else f"{row} ({count} times)" for row, count in Counter(rows).items())


def event_changes(pcr: PcrIndex, reference: BootAccount, seen: BootAccount) -> Changes | None:
    """Return what changed among the events of a register; None where one account does not know its events."""
    expected, found = reference.events.get(pcr), seen.events.get(pcr)
    if expected is None or found is None:
        return None
    return changes_between(expected, found)


def changes_between(expected: Sequence[Event], found: Sequence[Event]) -> Changes:
    """Return which events left and which came, in order."""
    gone, new = moved_between(*([event.digest for event in events] for events in (expected, found)))
    return Changes(gone=tuple(expected[at] for at in gone), new=tuple(found[at] for at in new))


def moved_between(before: Sequence[Hashable], after: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    """Return the places in `before` of what left, and those in `after` of what came.

    Lists are hostile, and to align them takes time with the square of their lengths or worse: what is longer than
    _MOST_ALIGNED, without what is the same at both ends, is counted only, so that a move goes unnoticed.
    """
    start = _same(before, after)
    end = _same(before[start:][::-1], after[start:][::-1])
    one, other = before[start : len(before) - end], after[start : len(after) - end]
    moved = _aligned if max(len(one), len(other)) <= _MOST_ALIGNED else _counted
    gone, new = moved(one, other)
    return [start + at for at in gone], [start + at for at in new]


def _same(one: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Return how many values at the start of both are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (left, right) in pairs if left != right), min(len(one), len(other)))


def _aligned(one: Sequence[Hashable], other: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    blocks = difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    moved = [block for block in blocks if block[0] != "equal"]
    gone = [at for _, first, end, _, _ in moved for at in range(first, end)]
    return gone, [at for _, _, _, first, end in moved for at in range(first, end)]


def _counted(one: Sequence[Hashable], other: Sequence[Hashable]) -> tuple[list[int], list[int]]:
    return _left_over(one, other), _left_over(other, one)


def _left_over(values: Sequence[Hashable], others: Sequence[Hashable]) -> list[int]:
    """Return the places of what `values` has more often than `others`."""
    matched, left = Counter(others), []
    for at, value in enumerate(values):
        if matched[value]:
            matched[value] -= 1
        else:
            left.append(at)
    return left
