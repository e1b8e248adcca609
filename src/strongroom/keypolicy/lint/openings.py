# SPDX-License-Identifier: Apache-2.0
"""Which statements open a key, and what gates each of them: the statement's own conditions and the Denies around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.formats.pcrs import PcrIndex
from strongroom.keypolicy.lint.subject import Subject
from strongroom.keypolicy.lint.views import StatementView, account_of
from strongroom.keypolicy.patterns import has_wildcard
from strongroom.keypolicy.principals import PrincipalKind
from strongroom.keypolicy.statements import ATTESTED

ATTESTATION = "kms:recipientattestation:"
_PRINCIPAL_ARN = "aws:principalarn"


@dataclass(frozen=True, slots=True)
class Opening:
    """One Allow and one of the four operations that it lets through."""

    view: StatementView
    action: str
    pins: frozenset[PcrIndex]
    """The PCRs of a NitroTPM document that must have one of the values in the policy."""
    asks_for_document: bool
    """Whether a request without any document is refused."""


def openings(subject: Subject) -> Iterator[Opening]:
    """Yield the openings of a policy, without those to named roles (`opens_by_role`)."""
    for each in subject.allows:
        if not opens_by_role(each, subject):
            for action in ATTESTED:
                if action in each.covered - subject.shut:
                    yield _opening(each, action, subject)


def opens_by_role(allow: StatementView, subject: Subject) -> bool:
    """Tell whether a statement opens for named roles and users of the key's account, and a Deny keeps all others out.

    That is what an escrow key does on purpose (docs/formats/key-policy.md): a person opens, outside any instance. No
    key does that of which only instances may open it.
    """
    if subject.attested_only:
        return False
    opened = allow.covered & set(ATTESTED)
    if not opened or not allow.members or len(subject.home) != 1:
        return False
    if any(each.kind is not PrincipalKind.ENTITY or account_of(each) not in subject.home for each in allow.members):
        return False
    named = {member.value for member in allow.members}
    return all(_only_for(action, named, subject) for action in opened)


def _only_for(action: str, named: set[str], subject: Subject) -> bool:
    return any(
        set(fence.values) <= named
        for fence in subject.fences.get(action, ())
        if fence.lookup == _PRINCIPAL_ARN and fence.negated and not any(map(has_wildcard, fence.values))
    )


def _opening(allow: StatementView, action: str, subject: Subject) -> Opening:
    around = subject.fences.get(action, ())
    pinned = (*(each for each in allow.conditions if each.exact), *(each for each in around if each.negated))
    own = any(each.lookup.startswith(ATTESTATION) and each.demands for each in allow.conditions)
    fenced = any(each.lookup.startswith(ATTESTATION) for each in around)
    return Opening(allow, action, frozenset(each.pcr for each in pinned if each.pcr is not None), own or fenced)
