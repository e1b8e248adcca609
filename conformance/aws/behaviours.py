# SPDX-License-Identifier: Apache-2.0
"""Reads behaviours.toml: what Strongroom's twin takes for true of AWS, a row each, with its evidence.

A row says how sure it is (`grade`, `source`), which test holds the twin to it (`test`), and how it is asked on AWS: by
a probe that has to see `expect`, or not at all, and then why.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent / "behaviours.toml"
GRADES = ("documented", "measured", "genuine", "assumed", "chosen", "open")
"""What they mean stands in docs/twin.md. An `open` row is a question on which the twin takes no side."""
PAGES = ("twin", "key-policy", "open")
"""Where a row is shown: docs/twin.md, docs/formats/key-policy.md, the open questions of docs/aws-conformance.md."""


class BadBehaviourError(Exception):
    """A row that does not say what it has to say."""


@dataclass(frozen=True)
class Behaviour:
    """One row. `left_out` is the part of it that its probe does not ask, `case` a case of the KMS policy table."""

    id: str
    service: str
    sentence: str
    grade: str
    source: str = ""
    test: str = ""
    page: str = "twin"
    probe: str = ""
    case: str = ""
    left_out: str = ""
    not_replayed: str = ""
    expect: Mapping[str, str] = field(default_factory=dict)

    @property
    def evidence(self) -> str:
        """The grade, and who says so."""
        return f"{self.grade}: {self.source}" if self.source else self.grade


def load_behaviours(file: Path = FILE) -> tuple[Behaviour, ...]:
    """Return the rows in their order. Raises BadBehaviourError."""
    rows = tuple(_read(row) for row in tomllib.loads(file.read_text()).get("behaviour", ()))
    if not rows:
        raise BadBehaviourError(f"{file} has no rows: a run of none would confirm everything")
    for names in ([row.id for row in rows], [row.probe for row in rows if row.probe]):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise BadBehaviourError(f"two rows have one name: {', '.join(sorted(twice))}")
    return rows


def _read(row: Mapping[str, Any]) -> Behaviour:
    unknown = set(row) - {each.name for each in fields(Behaviour)}
    if unknown or not {"id", "service", "sentence", "grade"} <= set(row):
        raise BadBehaviourError(f"{row.get('id')}: expected the members of Behaviour, found {sorted(row)}")
    behaviour = Behaviour(**row)
    for wrong in _wrong(behaviour):
        raise BadBehaviourError(f"{behaviour.id}: {wrong}")
    return behaviour


def _wrong(row: Behaviour) -> Sequence[str]:
    ways = [way for way in (row.probe, row.case, row.not_replayed) if way]
    checks = (
        (row.grade in GRADES, f"expected a grade of {GRADES}, found {row.grade}"),
        (row.page in PAGES, f"expected a page of {PAGES}, found {row.page}"),
        (len(ways) == 1, "expected a probe, a case of the policy table, or why it is not replayed"),
        (bool(row.expect) == bool(row.probe), "what is expected belongs to a probe, and to each"),
        (not row.left_out or not row.not_replayed, "left_out is what a probe or a case does not ask"),
        (
            bool(row.test) == (row.grade != "open" and not row.case),
            "expected a test: of all but cases and open questions",
        ),
        (all(isinstance(value, str) for value in row.expect.values()), "what is expected is text"),
    )
    return [message for holds, message in checks if not holds]
