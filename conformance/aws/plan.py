# SPDX-License-Identifier: Apache-2.0
"""What a run would ask, create and cost, before anything is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.aws.behaviours import Behaviour
from conformance.aws.budget import Budget
from conformance.aws.clearing import WAITING_DAYS
from conformance.aws.policy.asking import case_probe, expected
from conformance.aws.policy.cases import load_cases
from conformance.aws.policy.obstacles import obstacle
from conformance.aws.probe import PROBES, Probe
from conformance.aws.target import Target

PRICES = "https://aws.amazon.com/kms/pricing/, read in 2026; without the free tier"
KEY_MONTH = 1.0
"""Dollars for a key, or a rotation of it, in a month, prorated by the hour; none while it waits for its deletion."""
HOURS_IN_MONTH = 730
REQUEST = 0.15 / 10_000
"""Dollars for a request: the price of those with asymmetric keys, five times that of all others."""
DATA_KEY_PAIR = 12 / 10_000
"""Dollars for a data key pair: the price of the dearest, RSA."""
HOURS = 2
"""How many hours each key is counted: a run takes less than one, and may begin in one and end in the next."""


@dataclass(frozen=True)
class Question:
    """A row and the probe that asks it, or why nobody does."""

    id: str
    sentence: str
    grade: str
    probe: Probe | None
    expect: Mapping[str, str]
    not_asked: str = ""
    left_out: str = ""


def questions(rows: Sequence[Behaviour], target: Target, *, only: Sequence[str] = ()) -> tuple[Question, ...]:
    """Return a question for every behaviour and every case of the policy table, those with documents first.

    A behaviour that is a case of the table is asked as that.
    `only` are beginnings of their ids. Raises LookupError for one that is the beginning of none.
    """
    every = [*(_of_row(row, target) for row in rows if not row.case), *_of_cases(target.clients.region)]
    for begin in only:
        if not any(each.id.startswith(begin) for each in every):
            raise LookupError(f"nothing is called {begin}")
    chosen = [each for each in every if not only or each.id.startswith(tuple(only))]
    return tuple(sorted(chosen, key=lambda each: not (each.probe and each.probe.needs)))


def _of_row(row: Behaviour, target: Target) -> Question:
    probe, why = PROBES[row.probe] if row.probe else None, row.not_replayed
    lacking = target.documents.lacking(probe.needs, target.now()) if probe else ()
    if lacking:
        probe, why = None, "it needs " + " and ".join(lacking)
    return Question(row.id, row.sentence, row.grade, probe, row.expect, why, row.left_out)


def _of_cases(region: str) -> list[Question]:
    found = []
    for case in load_cases():
        why = obstacle(case, region)
        probe = None if why else case_probe(case)
        found.append(Question(f"policy:{case['id']}", case["title"], case["grade"], probe, expected(case), why))
    return found


@dataclass(frozen=True)
class Plan:
    """The questions of a run, and what its probes may use up altogether."""

    questions: tuple[Question, ...]

    @property
    def asked(self) -> tuple[Question, ...]:
        """The questions that have a probe."""
        return tuple(each for each in self.questions if each.probe)

    @property
    def budget(self) -> Budget:
        """The sum of all budgets."""
        budgets = [each.probe.budget for each in self.questions if each.probe]
        names = ("keys", "principals", "aliases", "requests", "data_key_pairs", "rotations")
        return Budget(**{name: sum(getattr(budget, name) for budget in budgets) for name in names})

    @property
    def dollars(self) -> float:
        """What that costs: keys at most, requests where no question has to be asked again."""
        budget = self.budget
        stored = (budget.keys + budget.rotations) * KEY_MONTH * HOURS / HOURS_IN_MONTH
        return stored + budget.requests * REQUEST + budget.data_key_pairs * DATA_KEY_PAIR

    def text(self, target: Target) -> str:
        """Return the plan as it is shown."""
        clients, budget = target.clients, self.budget
        unasked = len(self.questions) - len(self.asked)
        return f"""\
account    {clients.account}, as {clients.caller_arn}
region     {clients.region}, at {clients.kms.meta.endpoint_url}
questions  {len(self.asked)} are asked, {unasked} are not: the report says why

It creates at most, and clears away at its end:
  {budget.keys:4} KMS keys, to be deleted after {WAITING_DAYS} days; until then they cannot be used and cost nothing
  {budget.aliases:4} aliases of them
  {budget.principals:4} IAM users and roles, each with at most one inline policy and one access key
and sends about {budget.requests} requests to KMS, and to IAM and STS, which are free.

It costs about ${self.dollars:.2f} ({PRICES}):
  a key ${KEY_MONTH:.0f} a month, by the hour; each is counted for {HOURS} hours, and a rotation as a key
  a request ${REQUEST:.6f}, a data key pair ${DATA_KEY_PAIR:.4f}"""
