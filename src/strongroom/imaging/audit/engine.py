# SPDX-License-Identifier: Apache-2.0
"""Apply every rule to an image."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from strongroom.errors import FormatError, Severity
from strongroom.formats.audit_waivers import Waiver
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.rules import RULES
from strongroom.imaging.audit.subject import Part, Subject

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """What a rule found. `waiver` is the reason for which it does not count; None where it does."""

    rule: Rule
    fault: Fault
    waiver: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it makes the audit answer no: an error that nobody waived."""
        return self.rule.severity is Severity.ERROR and self.waiver is None


@dataclass(frozen=True, slots=True)
class NotApplied:
    """A rule that was not applied, with the parts that it would have needed."""

    rule: Rule
    missing: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What came of all rules, errors first, otherwise in the order of the rules."""

    found: tuple[AuditFinding, ...]
    not_applied: tuple[NotApplied, ...]

    @property
    def passed(self) -> bool:
        """Whether nothing counts."""
        return not any(each.counts for each in self.found)


def apply_rules(
    subject: Subject, *, waivers: Iterable[Waiver] = (), rules: Iterable[Rule] = tuple(RULES.values())
) -> Findings:
    """Apply rules to an image. `waivers` are those that hold today.

    A rule that cannot read what it has to look at has found a fault: what is broken was not looked through.
    """
    found: list[AuditFinding] = []
    not_applied: list[NotApplied] = []
    held = tuple(waivers)
    for rule in rules:
        missing = tuple(part for part in Part if part in rule.needs and not subject.has(part))
        if missing:
            not_applied.append(NotApplied(rule, missing))
            continue
        of_rule = [each for each in held if each.rule == rule.code and rule.waivable]
        found += [AuditFinding(rule, fault, _reason(of_rule, fault)) for fault in _faults(rule, subject)]
    return Findings(
        tuple(sorted(found, key=lambda each: _ORDER.index(each.rule.severity))),
        tuple(not_applied),
    )


def _reason(waivers: Iterable[Waiver], fault: Fault) -> str | None:
    """Return the reason of the first waiver that covers a fault."""
    fitting = (each for each in waivers if not each.path or fnmatch.fnmatchcase(fault.path, each.path))
    return next((each.reason for each in fitting), None)


def _faults(rule: Rule, subject: Subject) -> Iterator[Fault]:
    try:
        yield from rule.check(subject)
    except FormatError as error:
        yield Fault("", f"expected to read what this rule looks at: {error}")
