# SPDX-License-Identifier: Apache-2.0
"""Runs the lint on the example of a rule, as its documentation shows it."""

from datetime import UTC, datetime

from strongroom.formats.pcrs import PcrDigests
from strongroom.keypolicy.grant_list import parse_grant_list
from strongroom.keypolicy.lint.examples import EXAMPLES, MEASURED, Example
from strongroom.keypolicy.lint.linter import LintQuestion, lint
from strongroom.keypolicy.lint.rule import LintFinding, PolicyKind

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SHUT = (
    '{"Version":"2012-10-17","Statement":'
    '{"Sid":"DenyOpening","Effect":"Deny","Principal":"*","Action":"kms:Decrypt","Resource":"*"}}'
)
"""A key policy of which no rule says anything."""


def lint_of(policy: str, **known: object) -> tuple[LintFinding, ...]:
    """Lint a key policy."""
    return lint(LintQuestion(key_policy=policy, now=NOW, **known))  # type: ignore[arg-type]


def found_in(example: Example, text: str, *, grants: bool = False) -> tuple[LintFinding, ...]:
    """Lint one of the two policies of an example."""
    known: dict[str, object] = {}
    if example.measured:
        known["allowed"] = (PcrDigests.of({index: bytes.fromhex(value) for index, value in MEASURED.items()}),)
    if grants:
        known["grants"] = parse_grant_list(example.grants.encode())
    if example.kind is PolicyKind.IDENTITY:
        return lint_of(SHUT, identity_policies=(text,), **known)
    return lint_of(text, **known)


def fired_by(code: str) -> tuple[LintFinding, ...]:
    """Return what is found in the policy that is to make a rule fire."""
    example = EXAMPLES[code]
    return found_in(example, example.fires, grants=bool(example.grants))


def left_by(code: str) -> tuple[LintFinding, ...]:
    """Return what is found in the policy that is to leave a rule silent."""
    return found_in(EXAMPLES[code], EXAMPLES[code].silent)


def codes(findings: tuple[LintFinding, ...]) -> list[str]:
    """Return the codes of findings, in their order."""
    return [each.rule.code for each in findings]
