# SPDX-License-Identifier: Apache-2.0
"""Rules put together: all of them, or at least one. Both refuse an empty list, which would decide without a rule.

The code below descends as deep as rules are nested; the constructors bound that by MAX_DEPTH, whatever they are given.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from strongroom.appraisal.evidence import VerifiedEvidence
from strongroom.appraisal.rules import PcrRule, Rule
from strongroom.errors import Finding, UsageError
from strongroom.formats.measurements import Measurements
from strongroom.formats.pcrs import PcrIndex

MAX_DEPTH = 32
"""Levels of rules within rules."""

Image: TypeAlias = Mapping[PcrIndex, Collection[bytes]]
"""What one image measures: PCRs, and the values each of them may have."""


@dataclass(frozen=True, slots=True)
class AllOf(Rule):
    """Every one of `rules` fits. Findings call it by `name`.

    Raises UsageError for an empty list: it would let everything through.
    """

    rules: tuple[Rule, ...]
    name: str = ""
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", _expect_rules(self.rules))
        object.__setattr__(self, "depth", _expect_depth(self.rules))

    def misfits(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[Finding, ...]:
        """Return what keeps each rule from fitting."""
        found = (finding for rule in self.rules for finding in rule.misfits(evidence, now=now))
        return tuple(replace(finding, part=_joined(self.name, finding.part)) for finding in found)

    def pins(self) -> frozenset[PcrIndex]:
        """Return what the rules pin together."""
        return frozenset().union(*(rule.pins() for rule in self.rules))

    def age_limit(self) -> timedelta | None:
        """Return the strictest limit of all."""
        return min((limit for rule in self.rules if (limit := rule.age_limit()) is not None), default=None)

    def inside(self) -> tuple[Rule, ...]:
        """Return the rules."""
        return self.rules

    def matched(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[str, ...]:
        """Return what fits inside the rules, each name once."""
        found = (name for rule in self.rules for name in rule.matched(evidence, now=now))
        return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class AnyOf(Rule):
    """At least one of `rules`, the alternatives, fits.

    Raises UsageError for an empty list: nothing could ever fit, which nobody wants to say in this way.
    """

    rules: tuple[Rule, ...]
    depth: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", _expect_rules(self.rules))
        object.__setattr__(self, "depth", _expect_depth(self.rules))

    def misfits(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[Finding, ...]:
        """Return nothing if one alternative fits, else what keeps the nearest one, with the fewest findings."""
        found: list[tuple[Finding, ...]] = []
        for rule in self.rules:
            found.append(rule.misfits(evidence, now=now))
            if not found[-1]:
                return ()
        nearest = min(found, key=len)
        if len(self.rules) == 1:
            return nearest
        number = found.index(nearest) + 1
        return tuple(replace(f, part=_nearest(f.part, number, len(self.rules))) for f in nearest)

    def pins(self) -> frozenset[PcrIndex]:
        """Return what every alternative pins."""
        return frozenset.intersection(*(rule.pins() for rule in self.rules))

    def age_limit(self) -> timedelta | None:
        """Return the laxest limit, if every alternative has one."""
        limits = [limit for rule in self.rules if (limit := rule.age_limit()) is not None]
        return max(limits) if len(limits) == len(self.rules) else None

    def inside(self) -> tuple[Rule, ...]:
        """Return the alternatives."""
        return self.rules

    def matched(self, evidence: VerifiedEvidence, *, now: datetime) -> tuple[str, ...]:
        """Return the names of all alternatives that fit, each with what fits inside it."""
        found: dict[str, None] = {}
        for number, rule in enumerate(self.rules, 1):
            if not rule.misfits(evidence, now=now):
                name = self._name_of(rule, number)
                inside = rule.matched(evidence, now=now)
                found |= dict.fromkeys(_joined(name, each) for each in inside or ("",))
        return tuple(name for name in found if name)

    def _name_of(self, rule: Rule, number: int) -> str:
        """Return the name of an alternative, else its number where there are others."""
        name = rule.name if isinstance(rule, AllOf) else ""
        return name or (f"alternative {number}" if len(self.rules) > 1 else "")


def image(values: Image, *, name: str = "") -> AllOf:
    """Return the rule that every PCR of `values` has one of its values. Raises UsageError for an empty table."""
    return AllOf(tuple(PcrRule(index, frozenset(digests)) for index, digests in sorted(values.items())), name)


def measured_image(measurements: Measurements, *, name: str = "") -> AllOf:
    """Return the rule that the gates of `measurements` have the values that were measured."""
    return image({index: (measurements.pcrs[index],) for index in measurements.gates}, name=name)


def _expect_rules(rules: Sequence[Rule]) -> tuple[Rule, ...]:
    for rule in rules:
        if not isinstance(rule, Rule):
            raise TypeError(f"expected a rule, found {type(rule).__name__}")
    if not rules:
        raise UsageError("policy.empty", "expected at least one rule, found none")
    return tuple(rules)


def _expect_depth(rules: tuple[Rule, ...]) -> int:
    depth = 1 + max(rule.depth if isinstance(rule, AllOf | AnyOf) else 0 for rule in rules)
    if depth > MAX_DEPTH:
        raise UsageError("policy.too-deep", f"expected rules within rules to a depth of {MAX_DEPTH}, found more")
    return depth


def _joined(name: str, part: str) -> str:
    return f"{name} > {part}" if name and part else name or part


def _nearest(part: str, number: int, count: int) -> str:
    return f"{part or f'alternative {number}'} (nearest of {count})"
