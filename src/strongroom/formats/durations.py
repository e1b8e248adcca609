# SPDX-License-Identifier: Apache-2.0
"""Durations as people write them: `30s`, `5m`, `2h`, `1d`. One number and one unit, so that each is read in one way."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

EXAMPLES: Final = "30s, 5m, 2h or 1d"
_DURATION = re.compile(r"([0-9]{1,6})([smhd])")
_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}


def read_duration(text: str) -> timedelta | None:
    """Return the duration that `text` is, or None if it is none."""
    match = _DURATION.fullmatch(text)
    return None if match is None else int(match[1]) * _UNITS[match[2]]


def say_duration(duration: timedelta) -> str:
    """Return a duration in words for people, such as `5m 15s`, rounded up to whole seconds."""
    seconds = -(-duration // _UNITS["s"])
    sign, rest = ("-" if seconds < 0 else ""), abs(seconds) * _UNITS["s"]
    parts = []
    for name, length in _UNITS.items():
        count, rest = divmod(rest, length)
        parts += [f"{count}{name}"] if count else []
    return sign + (" ".join(parts) or "0s")


def write_duration(duration: timedelta) -> str:
    """Write a duration of whole seconds in the largest unit that leaves no rest."""
    unit = next(name for name, length in _UNITS.items() if not duration % length)
    return f"{duration // _UNITS[unit]}{unit}"
