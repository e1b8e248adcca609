# SPDX-License-Identifier: Apache-2.0
"""How commands speak: one JSON object, or prose; and a progress bar where something takes more than a second."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import click
from rich.console import Console

from strongroom.cli.terminal import printable

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, for machines.")


class _Terminal(Console):
    """Wraps prose at the terminal's width, between words. A line with a longer word stays whole: digests are copied."""

    def print(self, *objects: Any, **options: Any) -> None:  # noqa: ANN401 -- the signature is rich's
        """Print as rich does; plain text (`markup=False`) with its lines wrapped."""
        if len(objects) == 1 and isinstance(objects[0], str) and options.get("markup") is False:
            objects = ("\n".join(wrapped(line, self.width) for line in objects[0].split("\n")),)
        super().print(*objects, **options)


def wrapped(line: str, width: int) -> str:
    """Return a line as lines of at most `width` characters, indented as it is; itself where a word is longer."""
    indent = line[: len(line) - len(line.lstrip(" "))]
    if len(line) <= width or any(len(indent) + len(word) > width for word in line.split(" ")):
        return line
    return textwrap.fill(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, replace_whitespace=False
    )


def console() -> Console:
    """Return the console for human text. Plain, and one line a line, when stdout is not a terminal."""
    kind = _Terminal if sys.stdout.isatty() else Console
    return kind(highlight=False, soft_wrap=True)


def error_console() -> Console:
    """Return the same for stderr, where stdout carries a file."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_line(out: Console, text: str) -> None:
    """Print a line that may hold text of files: nothing in it commands the terminal or is markup (ATTACKS A16)."""
    out.print(printable(text), markup=False)


def emit(result: Mapping[str, object], *, as_json: bool, human: Callable[[Console], None]) -> None:
    """Print `result` as one JSON object with `"ok": true`, or let `human` print it."""
    if as_json:
        sys.stdout.write(json.dumps({"ok": True, **result}) + "\n")
    else:
        human(console())
