# SPDX-License-Identifier: Apache-2.0
"""How commands speak: one JSON object, or prose; and a progress bar where something takes more than a second."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping

import click
from rich.console import Console

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, for machines.")


def console() -> Console:
    """Return the console for human text. Plain when stdout is not a terminal."""
    return Console(highlight=False, soft_wrap=True)


def error_console() -> Console:
    """Return the same for stderr, where stdout carries a file."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def emit(result: Mapping[str, object], *, as_json: bool, human: Callable[[Console], None]) -> None:
    """Print `result` as one JSON object with `"ok": true`, or let `human` print it."""
    if as_json:
        sys.stdout.write(json.dumps({"ok": True, **result}) + "\n")
    else:
        human(console())
