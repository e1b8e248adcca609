# SPDX-License-Identifier: Apache-2.0
"""The key itself: which ARNs a key of an account can have, as far as Resource elements and grants tell them apart."""

from __future__ import annotations

from collections.abc import Iterable

from strongroom.ids import KeyArn
from strongroom.keypolicy.selection import Resources
from strongroom.keypolicy.symbolic.patterns import (
    NO_COLON,
    NO_SLASH,
    Letters,
    Pattern,
    Token,
    Unreadable,
    exactly,
    like,
    some,
)
from strongroom.keypolicy.symbolic.question import Question
from strongroom.keypolicy.symbolic.variables import CaseTest, told_apart
from strongroom.keypolicy.symbolic.words import words
from strongroom.keypolicy.variables import Context, parse_resource_template

RESOURCE = "(key)"
"""The name under which a case holds the ARN of the key. No condition key is called so."""
_LOWER = Letters(frozenset("abcdefghijklmnopqrstuvwxyz0123456789-"))


def depends_on_request(resources: Resources) -> bool:
    """Tell whether a policy variable stands in a Resource element."""
    return any(parse_resource_template(text).fixed is None for text in resources.texts)


def key_cases(question: Question, elements: Iterable[Resources]) -> tuple[Context, ...]:
    """Return the keys that are told apart; one when the question names it. Raises Unreadable."""
    if question.key_arn is not None:
        return ({RESOURCE: (question.key_arn,)},)
    readable = [each for each in elements if not depends_on_request(each)]
    patterns = [_pattern(text) for text in sorted({text for each in readable for text in each.texts})]
    patterns += [exactly(grant.key_arn) for grant in question.grants]
    account = question.key_account
    shape: Pattern = (
        *exactly("arn:aws"),
        *some(_LOWER),
        *exactly(":kms:"),
        Token(_LOWER),
        *some(_LOWER),
        *exactly(f":{account}:key/"),
        Token(NO_SLASH),
        *some(NO_COLON),
    )
    found = [f"arn:aws:kms:eu-central-1:{account}:key/00000000-0000-0000-0000-000000000000", *words(patterns, [shape])]
    tests: list[CaseTest] = [_covered_by(each) for each in readable]
    tests += [_is(grant.key_arn) for grant in question.grants]
    return told_apart(({RESOURCE: (arn,)} for arn in found), tests)


def _pattern(text: str) -> Pattern:
    pieces = parse_resource_template(text).fixed
    if pieces is None:
        raise Unreadable("a policy variable stands in it")
    return like(pieces)


def _covered_by(resources: Resources) -> CaseTest:
    return lambda facts: resources.covers(facts[RESOURCE][0], {})


def _is(arn: KeyArn) -> CaseTest:
    return lambda facts: facts[RESOURCE] == (arn,)
