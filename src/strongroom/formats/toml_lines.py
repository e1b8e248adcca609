# SPDX-License-Identifier: Apache-2.0
"""Which line of a TOML file a key stands on, for error messages: tomllib says so for syntax errors only."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from strongroom.formats.tree import Path

_HEADER = re.compile(r"\s*+\[++(?P<key>[^\]#]++)\]")
LONG_KEY = re.compile(r"""(?<![A-Za-z0-9_-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){32}""")
"""More than 32 names with dots between them. tomllib keeps every beginning of such a key, so that memory grows with the
square of its length; no file of ours has more than five."""
_ASSIGNMENT = re.compile(r"\s*+(?P<key>[A-Za-z0-9_\"'. \t-]++)=")
"""Nothing is given back: a line of spaces would be tried in as many ways as it is long, squared."""


def line_of(text: str, path: Path) -> int:
    """Return the line, from 1, of the longest beginning of `path` that is written out in `text`; 1 if none is.

    A line inside a multi-line string that looks like a key may mislead it. It serves messages, not decisions.
    """
    best, best_line = 0, 1
    for line, written in _keys(text):
        depth = min(len(written), len(path))
        if depth > best and written[:depth] == path[:depth]:
            best, best_line = depth, line
    return best_line


def _keys(text: str) -> Iterator[tuple[int, Path]]:
    table: Path = ()
    for line, content in enumerate(text.splitlines(), start=1):
        header = _HEADER.match(content)
        if header:
            table = _steps(header["key"])
            yield line, table
            continue
        assignment = _ASSIGNMENT.match(content)
        if assignment:
            yield line, table + _steps(assignment["key"])


def _steps(dotted: str) -> Path:
    try:
        value: object = tomllib.loads(f"{dotted} = 0")
    except (ValueError, RecursionError):  # a line of a multi-line string may look like any key at all
        return ()
    steps: list[str | int] = []
    while isinstance(value, dict):
        key, value = next(iter(value.items()))
        steps.append(key)
    return tuple(steps)
