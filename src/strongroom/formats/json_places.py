# SPDX-License-Identifier: Apache-2.0
"""Where the values of a JSON text stand in it: for messages that point at a line, and for SARIF regions.

Only for text that `strict_json` has taken, and that a reader has found not to be nested deeply: nothing is checked.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from strongroom.formats.tree import Path

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]++')


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text, in lines and columns from 1. Columns count code points; the end is the first one after."""

    line: int
    column: int
    end_line: int
    end_column: int


def find_spans(text: str) -> Mapping[Path, Span]:
    """Return where each value stands, by its path; a member of an object begins at its key."""
    reader = _Reader(_TOKEN.finditer(text))
    reader.read_value(reader.next(), ())
    starts = [0, *(match.end() for match in re.finditer("\n", text))]
    return {path: _span(starts, *each) for path, each in reader.found.items()}


class _Reader:
    """Goes through the tokens of a text, and notes where each value begins and ends, in characters."""

    def __init__(self, tokens: Iterator[re.Match[str]]) -> None:
        self.found: dict[Path, tuple[int, int]] = {}
        self._tokens = tokens

    def next(self) -> re.Match[str]:
        return next(self._tokens)

    def read_value(self, token: re.Match[str], path: Path, key: re.Match[str] | None = None) -> None:
        end = token
        if token[0] == "{":
            end = self._read_members(path)
        elif token[0] == "[":
            end = self._read_items(path)
        self.found[path] = ((key or token).start(), end.end())

    def _read_members(self, path: Path) -> re.Match[str]:
        while (token := self.next())[0] != "}":
            if token[0] != ",":
                self.next()  # the colon
                self.read_value(self.next(), (*path, str(json.loads(token[0]))), token)
        return token

    def _read_items(self, path: Path) -> re.Match[str]:
        index = 0
        while (token := self.next())[0] != "]":
            if token[0] != ",":
                self.read_value(token, (*path, index))
                index += 1
        return token


def _span(starts: list[int], begin: int, end: int) -> Span:
    return Span(*_position(starts, begin), *_position(starts, end))


def _position(starts: list[int], offset: int) -> tuple[int, int]:
    line = bisect_right(starts, offset)
    return line, offset - starts[line - 1] + 1
