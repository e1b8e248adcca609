# SPDX-License-Identifier: Apache-2.0
"""Reasons that one statement or one grant gives: why a Deny applied, and what an Allow missed."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.errors import Severity
from strongroom.keypolicy.decision import Miss
from strongroom.keypolicy.explain.facts import Fact, fact_of
from strongroom.keypolicy.explain.inquiry import Heard
from strongroom.keypolicy.explain.reason import Reason, one_of, seen_as
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.model import Statement
from strongroom.keypolicy.request import KmsRequest

_ELEMENTS = {
    "Principal": ("decision.principal", "names {expected}, and the caller is {seen}"),
    "NotPrincipal": ("decision.principal", "spares {expected}, and the caller is {seen}"),
    "Action": ("decision.action", "is about {expected}, and the action is {seen}"),
    "NotAction": ("decision.action", "is about all actions but {expected}, and the action is {seen}"),
    "Resource": ("decision.resource", "is about {expected}, and the key is {seen}"),
    "NotResource": ("decision.resource", "is about everything but {expected}, and the key is {seen}"),
    "KeyId": ("decision.resource", "is for {expected}, and the key is {seen}"),
    "GranteePrincipal": ("decision.principal", "is given to {expected}, and the caller is {seen}"),
    "Operations": ("decision.action", "allows {expected}, and the operation is {seen}"),
}
"""What is said of an element that does not fit."""
_OF_GRANT = {
    "SourceArn": "asks for aws:SourceArn {expected}, and it is {seen}",
    "EncryptionContextEquals": "asks for exactly the encryption context {expected}, and it is {seen}",
    "EncryptionContextSubset": "asks for an encryption context with {expected}, and it is {seen}",
}


def denials(heard: Heard, request: KmsRequest) -> Iterator[Reason]:
    """Yield why a Deny applied: one reason a condition, or that it has none."""
    statement = heard.source
    if not isinstance(statement, Statement):
        raise TypeError("expected a statement, found a grant, which never denies")
    if not statement.conditions:
        yield _reason(
            heard,
            Fact("decision.denied-always", f"it denies {request.action} whatever the request brings"),
            f"{heard.place} denies {request.action} without a condition",
        )
    for condition in statement.conditions:
        fact = fact_of(condition, request)
        missing = "" if condition.lookup in request.context else "; such a condition holds for a missing key"
        seen = request.context.get(condition.lookup, ())
        miss = Miss(f"{condition.operator} {condition.key}", condition.values, seen)
        yield _reason(heard, fact, f"{heard.place} denies {request.action}: {fact.words}{missing}", miss)


def misses(heard: Heard, request: KmsRequest) -> Iterator[Reason]:
    """Yield what an Allow or a grant missed."""
    if isinstance(heard.source, Grant):
        yield from _grant_misses(heard)
        return
    conditions = {f"{each.operator} {each.key}": each for each in heard.source.conditions}
    for miss in heard.trace.missed:
        condition = conditions.get(miss.element)
        if condition is None:
            yield _missed_element(heard, miss)
            continue
        fact = fact_of(condition, request)
        yield _reason(heard, fact, f"{heard.place} does not apply: {fact.words}", miss)


def _grant_misses(heard: Heard) -> Iterator[Reason]:
    for miss in heard.trace.missed:
        if miss.element in _ELEMENTS:
            yield _missed_element(heard, miss)
            continue
        words = _OF_GRANT.get(miss.element, "may hand on {expected}, and the new grant asks for {seen}")
        said = words.format(expected=one_of(miss.expected) if miss.expected else "nothing", seen=seen_as(miss.seen))
        remedy = "KMS compares the pairs of a grant's constraint with those of the request, values with their case."
        yield _reason(heard, Fact("decision.grant-constraint", said, remedy), f"{heard.place} {said}", miss)


def _missed_element(heard: Heard, miss: Miss) -> Reason:
    code, words = _ELEMENTS.get(miss.element, ("decision.value", f"wants {miss.element} {{expected}}, found {{seen}}"))
    said = words.format(expected=one_of(miss.expected) if miss.expected else "nothing", seen=seen_as(miss.seen))
    return _reason(heard, Fact(code, said), f"{heard.place} {said}", miss)


def _reason(heard: Heard, fact: Fact, sentence: str, miss: Miss | None = None) -> Reason:
    return Reason(
        code=fact.code,
        sentence=sentence,
        remedy=fact.remedy,
        severity=Severity.ERROR,
        policy=str(heard.trace.policy),
        statement=heard.trace.statement,
        element=miss.element if miss else "",
        expected=miss.expected if miss else (),
        seen=miss.seen if miss else (),
    )
