# SPDX-License-Identifier: Apache-2.0
"""What a run found: for a terminal, as JSON, and as a page to keep.

Page and JSON name neither the account nor who ran it, so that they can be published.
"""

from __future__ import annotations

import collections
import enum
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from conformance.aws.plan import Question


class Verdict(enum.StrEnum):
    """What came of a question."""

    CONFIRMED = "confirmed"
    DIFFERS = "differs"
    BROKEN = "could not be asked"
    NOT_REPLAYED = "not replayed"


@dataclass(frozen=True)
class Finding:
    """A question and what came of it: what was seen, or why nothing was."""

    question: Question
    verdict: Verdict
    seen: Mapping[str, str] = field(default_factory=dict)
    why: str = ""

    @property
    def differences(self) -> list[tuple[str, str, str]]:
        """What was expected and what was seen, by name, where they are not the same."""
        expect = self.question.expect
        names = dict.fromkeys([*expect, *self.seen])
        pairs = [(name, expect.get(name, "nothing"), self.seen.get(name, "nothing")) for name in names]
        return [each for each in pairs if each[1] != each[2]]


@dataclass(frozen=True)
class Report:
    """A whole run. `left` is what could not be cleared away; `interrupted` says that it did not come to its end."""

    findings: Sequence[Finding]
    run: str
    account: str
    caller_arn: str
    region: str
    endpoint: str
    begun: datetime
    versions: Mapping[str, str]
    left: Sequence[str] = ()
    interrupted: bool = False

    @property
    def exit_code(self) -> int:
        """Return 0 when all that was asked was confirmed, 1 when something differs, 3 when the run is not whole."""
        verdicts = {each.verdict for each in self.findings}
        if Verdict.DIFFERS in verdicts:
            return 1
        unwhole = self.interrupted or self.left or Verdict.BROKEN in verdicts or Verdict.CONFIRMED not in verdicts
        return 3 if unwhole else 0

    def text(self) -> str:
        """Return what a terminal shows."""
        lines = [_line(each) for each in self.findings if each.verdict in {Verdict.DIFFERS, Verdict.BROKEN}]
        for why, count in self._unasked().most_common():
            lines.append(f"not replayed  {count:4}  {why}")
        counts = self._counts()
        lines += ["", ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict)]
        if self.interrupted:
            lines.append("The run was interrupted.")
        lines += [f"NOT CLEARED AWAY: {each}" for each in self.left]
        return "\n".join(lines)

    def json(self) -> str:
        """Return everything, for programs."""
        body = {
            **self._head(),
            "counts": {str(verdict): count for verdict, count in self._counts().items()},
            "findings": [
                {
                    "id": each.question.id,
                    "sentence": each.question.sentence,
                    "grade": each.question.grade,
                    "verdict": str(each.verdict),
                    "expected": dict(each.question.expect),
                    "seen": dict(each.seen),
                    "why": each.why,
                    "left_out": each.question.left_out,
                }
                for each in self.findings
            ],
        }
        return self._anonymous(json.dumps(body, indent=1)) + "\n"

    def markdown(self) -> str:
        """Return a page to keep."""
        head = [f"- {name}: {_flat(value)}" for name, value in self._head().items()]
        counts = [f"| {verdict} | {count} |" for verdict, count in self._counts().items()]
        rows = [
            f"| `{each.question.id}` | {_cell(each.question.sentence)} | {each.question.grade} | {each.verdict} "
            f"| {_cell(_what(each))} |"
            for each in self.findings
        ]
        lines = [f"# What {self.endpoint} answered", "", *head, "", "| verdict | rows |", "|---|---|", *counts, ""]
        lines += [
            "| row | behaviour | evidence so far | verdict | expected, seen, or why not |",
            "|---|---|---|---|---|",
        ]
        return self._anonymous("\n".join([*lines, *rows])) + "\n"

    def _head(self) -> dict[str, object]:
        return {
            "run": self.run,
            "begun": self.begun.isoformat(timespec="seconds"),
            "region": self.region,
            "endpoint": self.endpoint,
            "versions": dict(self.versions),
            "interrupted": self.interrupted,
            "not_cleared_away": list(self.left),
        }

    def _counts(self) -> dict[Verdict, int]:
        found = collections.Counter(each.verdict for each in self.findings)
        return {verdict: found[verdict] for verdict in Verdict}

    def _unasked(self) -> collections.Counter[str]:
        return collections.Counter(each.why for each in self.findings if each.verdict is Verdict.NOT_REPLAYED)

    def _anonymous(self, text: str) -> str:
        return text.replace(self.caller_arn, "CALLER").replace(self.account, "ACCOUNT")


def _line(finding: Finding) -> str:
    return f"{str(finding.verdict).upper()}  {finding.question.id}: {_what(finding)}\n  {finding.question.sentence}"


def _what(finding: Finding) -> str:
    """Return the differences, or why there is no answer, and what a probe leaves out."""
    found = [f"{name}: expected {wanted!r}, seen {seen!r}" for name, wanted, seen in finding.differences]
    if finding.verdict is not Verdict.DIFFERS:
        found = [finding.why] if finding.why else []
    if finding.verdict is Verdict.CONFIRMED and finding.question.left_out:
        found.append(f"left out: {finding.question.left_out}")
    return "; ".join(found)


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {version}" for name, version in value.items())
    return ", ".join(map(str, value)) or "nothing" if isinstance(value, list) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
