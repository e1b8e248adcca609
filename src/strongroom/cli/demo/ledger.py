# SPDX-License-Identifier: Apache-2.0
"""What was tried, what should have happened, and what did: a demo that cannot fail would show nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended. `code` is empty when it went through; `moved` are the gated PCRs that differ.

    `step` counts the six steps of opening a bundle (docs/formats/bundle.md section 9); 0 where there is none.
    """

    code: str
    by: str
    step: int = 0
    moved: tuple[int, ...] = ()

    @property
    def words(self) -> str:
        """The verdict in a line."""
        if not self.code:
            return self.by
        return f"{self.by} [{self.code}]"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the final table."""

    tried: str
    expected: Verdict
    seen: Verdict

    @property
    def holds(self) -> bool:
        """Whether it ended exactly as it should: same code, same refuser, same step, same PCRs."""
        return self.expected == self.seen


def as_json(rows: tuple[Row, ...]) -> list[dict[str, object]]:
    """Return the rows as plain values for `--json`."""
    return [{"tried": row.tried, "holds": row.holds, "seen": _plain(row.seen)} for row in rows] + [
        {"tried": row.tried, "expected": _plain(row.expected)} for row in rows if not row.holds
    ]


def _plain(verdict: Verdict) -> dict[str, object]:
    return {"code": verdict.code, "by": verdict.by, "step": verdict.step, "moved": list(verdict.moved)}
