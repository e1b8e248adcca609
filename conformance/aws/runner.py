# SPDX-License-Identifier: Apache-2.0
"""Asks the questions of a plan, in batches: set up, wait, ask, clear away.

Whatever happens, what a batch created is cleared away before the next one begins or the error goes on: at the end,
after Ctrl-C, after a failure. Only a killed process leaves something, and the journal has it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError
from conformance.aws.clearing import Left, clear_away
from conformance.aws.creation import OverBudgetError
from conformance.aws.plan import Plan, Question
from conformance.aws.probe import Ask, Seen
from conformance.aws.report import Finding, Verdict
from conformance.aws.target import Target
from conformance.aws.workbench import Workbench

BATCH = 25
"""Questions that are set up together, so that AWS needs its moment once for them all."""
PAUSE = 5.0
"""Seconds between two times that a question is asked."""
_FAILURES = (ClientError, BotoCoreError, OverBudgetError, LookupError)


@dataclass
class Run:
    """A run of a plan on a target. `settle` is how many seconds pass between setting up and asking."""

    plan: Plan
    target: Target
    tell: Callable[[str], None]
    settle: float = 0
    findings: list[Finding] = field(default_factory=list)
    left: list[Left] = field(default_factory=list)
    interrupted: bool = False

    def __call__(self) -> None:
        """Ask everything. An interruption ends the asking, and not the clearing away."""
        self.findings += [_unasked(each) for each in self.plan.questions if not each.probe]
        numbered = list(enumerate(self.plan.asked, 1))
        try:
            for batch in _batches(numbered):
                self._ask_batch(batch)
        except KeyboardInterrupt:
            self.interrupted = True
            self._clear_away()  # it may have come while the batch was cleared away
        asked = {each.question.id for each in self.findings}
        missed = [each for each in self.plan.asked if each.id not in asked]
        self.findings += [Finding(each, Verdict.NOT_REPLAYED, why="the run was interrupted") for each in missed]

    def _ask_batch(self, batch: Sequence[tuple[int, Question]]) -> None:
        try:
            asks = [(question, self._start(number, question)) for number, question in batch]
            if any(question.probe and question.probe.budget.principals for _, question in batch):
                time.sleep(self.settle)  # IAM needs its moment; KMS knows its own keys
            for question, ask in asks:
                if ask is not None:
                    self._conclude(question, ask)
        finally:
            self._clear_away()

    def _start(self, number: int, question: Question) -> Ask | None:
        if question.probe is None:
            raise RuntimeError(f"{question.id} has no probe")
        bench = Workbench(self.target, number, question.probe.budget)
        try:
            return question.probe.start(bench)
        except _FAILURES as error:
            self._found(Finding(question, Verdict.BROKEN, why=f"setting up: {error}"))
            return None

    def _conclude(self, question: Question, ask: Ask) -> None:
        try:
            seen = self._ask(question, ask)
        except _FAILURES as error:
            self._found(Finding(question, Verdict.BROKEN, why=f"asking: {error}"))
            return
        same = dict(seen) == dict(question.expect)
        self._found(Finding(question, Verdict.CONFIRMED if same else Verdict.DIFFERS, seen))

    def _ask(self, question: Question, ask: Ask) -> Seen:
        """Ask, and again while AWS may not know yet what is new and the answer is not the expected one."""
        end = time.monotonic() + self.target.patience
        while True:
            self._expect_documents(question)
            seen = ask()
            if dict(seen) == dict(question.expect) or time.monotonic() >= end:
                return seen
            time.sleep(PAUSE)

    def _expect_documents(self, question: Question) -> None:
        """Raise LookupError when a document has become too old for its question while others were asked."""
        needs = question.probe.needs if question.probe else ()
        lacking = self.target.documents.lacking(needs, self.target.now())
        if lacking:
            raise LookupError(f"by now it needs another {' and '.join(lacking)}".replace("another a ", "another "))

    def _found(self, finding: Finding) -> None:
        self.findings.append(finding)
        self.tell(f"{len(self.findings):4}  {finding.verdict:20}{finding.question.id}")

    def _clear_away(self) -> None:
        mine = [thing for thing in self.target.journal.left if thing.run == self.target.run]
        known = {each.thing.name for each in self.left}
        things = [thing for thing in mine if thing.name not in known]
        self.left += clear_away(things, self.target.journal, self.target.clients.kms, self.target.principals, own=True)


def _unasked(question: Question) -> Finding:
    return Finding(question, Verdict.NOT_REPLAYED, why=question.not_asked)


def _batches(numbered: Sequence[tuple[int, Question]]) -> Iterator[Sequence[tuple[int, Question]]]:
    """Yield the questions in batches, those with documents apart: documents grow old while AWS needs its moments."""
    attested = [each for each in numbered if each[1].probe and each[1].probe.needs]
    others = [each for each in numbered if each not in attested]
    for questions in (attested, others):
        for first in range(0, len(questions), BATCH):
            yield questions[first : first + BATCH]
