# SPDX-License-Identifier: Apache-2.0
"""The suite of NitroTPM documents in process: a verifier is a function, and the runner's judge judges it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from conformance.run import FOLDER, Answer, Report, judge, load_vectors

HERE = FOLDER.parent
ROOT = Path(__file__).parents[2]
VECTORS = load_vectors(FOLDER)


def run(verify: Callable[[dict[str, Any]], Mapping[str, str]], level: str = "class") -> Report:
    """Return the report of a verifier that answers as an adapter does."""
    return judge(VECTORS, [Answer(**verify(vector.inputs())) for vector in VECTORS], level)


def failed(report: Report) -> dict[str, set[str]]:
    """Return the names of what failed, optional ones left out, by group."""
    names: dict[str, set[str]] = {}
    for verdict in report.failures():
        names.setdefault(verdict.vector.group, set()).add(verdict.vector.name)
    return names


def named(group: str, *, accepted: bool = False) -> set[str]:
    """Return the names of a group's vectors that are not optional: those to refuse, or those to accept."""
    kept = (v for v in VECTORS if v.group == group and not v.optional)
    return {v.name for v in kept if (v.one("expect") == "success") is accepted}
