# SPDX-License-Identifier: Apache-2.0
"""Lint a key policy, and the identity policies beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from strongroom.errors import Severity
from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import KeyArn
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.lint.rule import LintFinding, PolicyKind
from strongroom.keypolicy.lint.rules import RULES
from strongroom.keypolicy.lint.subject import Subject
from strongroom.keypolicy.lint.views import view
from strongroom.keypolicy.lint.whole import ask
from strongroom.keypolicy.model import parse_identity_policy_leniently, parse_key_policy_leniently

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LintQuestion:
    """What is linted, as text, and what is known around it. `now` is aware.

    `allowed` are the measurements that may open; empty: any NitroTPM document may. With them, or `attested_only`, no
    role is meant to open the key by itself, as it does an escrow key. `grants` are those on the key, and
    None where nobody knows them.
    """

    key_policy: str
    now: datetime
    key_arn: KeyArn | None = None
    allowed: tuple[PcrDigests, ...] = ()
    attested_only: bool = False
    identity_policies: tuple[str, ...] = ()
    grants: tuple[Grant, ...] | None = None


def lint(question: LintQuestion) -> tuple[LintFinding, ...]:
    """Return what the rules find, errors first, in the order of the rules.

    Raises FormatError for a policy that is none, even leniently read.
    """
    subject = _key_subject(question)
    return _found(question, replace(subject, answers=tuple(ask(subject))))


def lint_statements(question: LintQuestion) -> tuple[LintFinding, ...]:
    """Return what the rules find by looking at statements, without the search over all requests. Raises as `lint`.

    For callers in a hurry: `lint.opens` and `lint.undecided` are never among it, and that they are not says nothing.
    """
    return _found(question, _key_subject(question))


def _found(question: LintQuestion, of_key: Subject) -> tuple[LintFinding, ...]:
    found = [*_apply(of_key, PolicyKind.KEY, 0)]
    for number, text in enumerate(question.identity_policies, 1):
        parsed = parse_identity_policy_leniently(text)
        views = view(text, parsed.statements, question.key_arn)
        beside = replace(of_key, text=text, statements=views, beside=of_key.statements)
        found += _apply(beside, PolicyKind.IDENTITY, number)
    return tuple(sorted(found, key=lambda each: _ORDER.index(each.rule.severity)))


def _key_subject(question: LintQuestion) -> Subject:
    policy = parse_key_policy_leniently(question.key_policy)
    return Subject(
        statements=view(question.key_policy, policy.statements, question.key_arn),
        policy=policy,
        text=question.key_policy,
        now=question.now,
        key_arn=question.key_arn,
        allowed=question.allowed,
        attested_only=question.attested_only or bool(question.allowed),
        grants=question.grants or (),
    )


def _apply(subject: Subject, kind: PolicyKind, number: int) -> Iterator[LintFinding]:
    for rule in RULES.values():
        if kind in rule.kinds:
            yield from (LintFinding(rule, fault, number) for fault in rule.check(subject))
