# SPDX-License-Identifier: Apache-2.0
"""Two lists of events, and what one has that the other lacks."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from strongroom.formats.pcrs import PcrIndex
from strongroom.measure.events import Event
from strongroom.measure.explain.account import BootAccount


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
    one, other = ([event.digest for event in events] for events in (expected, found))
    blocks = difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes()
    moved = [block for block in blocks if block[0] != "equal"]
    return Changes(
        gone=tuple(event for _, first, end, _, _ in moved for event in expected[first:end]),
        new=tuple(event for _, _, _, first, end in moved for event in found[first:end]),
    )
