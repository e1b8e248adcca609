# SPDX-License-Identifier: Apache-2.0
"""What was tried, what should have happened, and what did: a demo that cannot fail would show nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an attempt ended. `code` is empty when it went through; `moved` are the gated PCRs that differ.

    `step` counts the six steps of opening a bundle (docs/formats/bundle.md section 9); 0 where there is none.
    """

    code: str
    by: str
    step: int = 0
    moved: tuple[int, ...] = ()
    identity: str = ""
    """Whether the instance's identity document and role still work, where that was tried."""

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


def rows_as_json(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Return the rows as plain values for `--json`."""
    return [
        {"tried": row.tried, "holds": row.holds, "expected": asdict(row.expected), "seen": asdict(row.seen)}
        for row in rows
    ]
