# SPDX-License-Identifier: Apache-2.0
"""What commands say of the differences between two images, as text or as one JSON object."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from rich.console import Console

from strongroom.cli.output import print_line
from strongroom.imaging.compare.difference import Aspect, Difference

DIFFERENT = 1
"""The exit code that says so."""
_MOST_LINES = 40
"""Of each part; --json has all."""
_MOST_CHARACTERS = 200
"""Of a value."""


def difference_facts(found: Sequence[Difference]) -> dict[str, object]:
    """Return the differences for programs."""
    return {"same": not found, "differences": [_members(each) for each in found]}


def _members(difference: Difference) -> dict[str, object]:
    return {
        "place": list(difference.place),
        "aspect": difference.aspect.value,
        "left": difference.left,
        "right": difference.right,
        "offset": difference.offset,
        "follows": difference.follows,
        "note": difference.note,
    }


def print_differences(console: Console, found: Sequence[Difference], *, names: tuple[str, str]) -> None:
    """Print what differs by itself, and then what follows from it."""
    line = partial(print_line, console)
    left, right = names
    if not found:
        line(f"{left} and {right} are the same, byte for byte.")
        return
    causes = [each for each in found if not each.follows]
    line(f"{len(causes)} difference{'s' * (len(causes) != 1)} between {left} and {right}:")
    for each in causes[:_MOST_LINES]:
        line(f"  {' > '.join(each.place)}: {_values(each)}")
        if each.note:
            line(f"      note: {each.note}")
    _print_rest(console, len(causes))
    following = [each for each in found if each.follows]
    if following:
        line("and what follows from that:")
    for each in following[:_MOST_LINES]:
        line(f"  {' > '.join(each.place)}: {each.aspect}, from {each.follows}")
    _print_rest(console, len(following))


def _values(difference: Difference) -> str:
    left, right = (value[:_MOST_CHARACTERS] for value in (difference.left, difference.right))
    if difference.aspect is Aspect.PRESENCE:
        return f"{left} on the left, {right} on the right"
    where = "" if difference.offset is None else f" from byte {difference.offset:,} on"
    return f"{difference.aspect}{where}: {left or 'nothing'} on the left, {right or 'nothing'} on the right"


def _print_rest(console: Console, count: int) -> None:
    if count > _MOST_LINES:
        print_line(console, f"  and {count - _MOST_LINES} more; --json lists them all")
