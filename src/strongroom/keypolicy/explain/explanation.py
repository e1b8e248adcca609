# SPDX-License-Identifier: Apache-2.0
"""The explanation of one decision: what decided, every reason, and the changes that would allow the request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strongroom.errors import Severity
from strongroom.keypolicy.decision import DecidedBy, Decision, Outcome
from strongroom.keypolicy.explain.changes import Change, changes
from strongroom.keypolicy.explain.facts import is_of_document
from strongroom.keypolicy.explain.inquiry import Heard, Inquiry
from strongroom.keypolicy.explain.reason import Reason
from strongroom.keypolicy.explain.statements import denials, misses
from strongroom.keypolicy.explain.without import without_denies, without_key_allows
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.model import Effect
from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.principals import Reach
from strongroom.keypolicy.request import KmsRequest

_CLOSEST = 3
"""Statements that are explained in full: a policy may have one for each of a hundred releases."""
_ON_KEY = (DecidedBy.KEY_POLICY, DecidedBy.GRANT)


@dataclass(frozen=True, slots=True)
class Explanation:
    """`headline` is one sentence; `reasons` the deciding one first; `changes` are verified, the likeliest first."""

    decision: Decision
    headline: str
    reasons: tuple[Reason, ...]
    changes: tuple[Change, ...] = ()

    @property
    def allowed(self) -> bool:
        """Tell whether the request is allowed."""
        return self.decision.outcome is Outcome.ALLOWED


def explain(inquiry: Inquiry) -> Explanation:
    """Decide a request and say why. Raises what `evaluate` raises."""
    decision = inquiry.decide()
    heard = inquiry.heard(decision)
    if decision.outcome is Outcome.ALLOWED:
        return Explanation(decision, f"Allowed: {decision.reason}.", tuple(_why_allowed(inquiry, decision, heard)))
    if decision.outcome is Outcome.EXPLICITLY_DENIED:
        reasons = tuple(_why_denied(inquiry, heard))
    else:
        reasons = tuple(_why_not_allowed(inquiry, decision, heard))
    return Explanation(decision, f"Denied: {decision.reason}.", reasons, changes(inquiry, heard))


def _why_denied(inquiry: Inquiry, heard: Sequence[Heard]) -> Iterator[Reason]:
    applied = [each for each in heard if each.trace.effect is Effect.DENY and each.trace.applied]
    # The trace is in the order in which `evaluate` asks, so the deciding statement is the first.
    for each in applied:
        yield from denials(each, inquiry.request)
    otherwise = without_denies(inquiry)
    then = otherwise.decide()
    if then.outcome is Outcome.ALLOWED:
        yield Reason(
            "decision.otherwise-allowed",
            f"without a Deny it would be allowed: {then.reason}",
            severity=Severity.NOTE,
            policy=str(then.decided_by),
            statement=then.statement,
        )
        return
    yield from _why_not_allowed(otherwise, then, otherwise.heard(then))


def _why_not_allowed(inquiry: Inquiry, decision: Decision, heard: Sequence[Heard]) -> Iterator[Reason]:
    lacking = decision.lacking or DecidedBy.KEY_POLICY
    request = inquiry.request
    if lacking is DecidedBy.KEY_POLICY and _forbidden_across_accounts(inquiry):
        yield Reason(
            "decision.cross-account",
            decision.reason,
            "Call it with a principal of the key's own account, "
            f"{request.key_account}: no policy can allow it to another one.",
            policy=str(lacking),
        )
        return
    yield _nobody_allows(inquiry, lacking, heard)
    kinds = _ON_KEY if lacking in _ON_KEY else (lacking, DecidedBy.GRANT)
    allows = [each for each in heard if each.trace.effect is Effect.ALLOW and each.trace.policy in kinds]
    yield from _closest([each for each in allows if each.trace.missed], inquiry)


def _forbidden_across_accounts(inquiry: Inquiry) -> bool:
    request = inquiry.request
    return request.key_arn is not None and not _at_home(request) and not OPERATIONS[request.action].cross_account


def _at_home(request: KmsRequest) -> bool:
    return request.caller.is_service or request.caller.account == request.key_account


def _nobody_allows(inquiry: Inquiry, lacking: DecidedBy, heard: Sequence[Heard]) -> Reason:
    request = inquiry.request
    sentence = f"no statement of the {lacking} allows {request.action} to {request.caller.arn}"
    if lacking is DecidedBy.IDENTITY_POLICY:
        opened = next((each for each in heard if _opens(each, request)), None)
        if opened is not None:
            sentence = f"{opened.place} {_opens_to(opened, inquiry)}, so the caller's own IAM policies must allow "
            sentence += f"{request.action} on this key, and they do not"
        return Reason(
            "decision.iam",
            sentence,
            f"Let an IAM policy of the caller allow {request.action} on {request.key_arn or '*'}.",
            policy=str(lacking),
        )
    if lacking is DecidedBy.KEY_POLICY:
        return Reason("decision.key-policy", sentence, policy=str(lacking))
    if lacking is DecidedBy.GRANT:
        return Reason("decision.retiring", sentence, "Its retiring principal can, or RevokeGrant.", policy=str(lacking))
    return Reason(
        "decision.limited",
        f"{sentence}: it only takes away, and what it does not name it takes",
        f"Let the {lacking} allow {request.action}.",
        policy=str(lacking),
    )


def _opens(heard: Heard, request: KmsRequest) -> bool:
    """Tell whether this opens the key to the caller's account, or to a caller of another account."""
    trace = heard.trace
    applied = trace.policy in _ON_KEY and trace.effect is Effect.ALLOW and trace.applied
    return applied and (trace.reach is Reach.ACCOUNT or not _at_home(request))


def _opens_to(heard: Heard, inquiry: Inquiry) -> str:
    if heard.trace.reach is Reach.ACCOUNT:
        return "names the account (its root), not the caller"
    return f"lets in a caller of another account, {inquiry.request.caller.account}"


def _closest(missed: Sequence[Heard], inquiry: Inquiry) -> Iterator[Reason]:
    """Yield what the statements missed that came closest, and how many others there are."""
    near = sorted((each for each in missed if each.concerns), key=lambda each: len(each.trace.missed))
    far = [each for each in missed if not each.concerns]
    shown = near[:_CLOSEST] or far[:_CLOSEST]
    for each in shown:
        yield from misses(each, inquiry.request)
    others = len(missed) - len(shown)
    if others:
        yield Reason(
            "decision.other-statements",
            f"{others} more statement{'s do' if others > 1 else ' does'} not allow it either",
            severity=Severity.NOTE,
        )


def _why_allowed(inquiry: Inquiry, decision: Decision, heard: Sequence[Heard]) -> Iterator[Reason]:
    yield Reason(
        "decision.allowed",
        decision.reason,
        severity=Severity.NOTE,
        policy=str(decision.decided_by),
        statement=decision.statement,
    )
    yield from _about_the_document(inquiry)
    yield from _grants_beside(inquiry, decision, heard)


def _grants_beside(inquiry: Inquiry, decision: Decision, heard: Sequence[Heard]) -> Iterator[Reason]:
    """Yield grants that allow the request without any Allow of the key policy."""
    applied = [each for each in heard if isinstance(each.source, Grant) and each.trace.applied]
    alone = without_key_allows(inquiry).decide() if applied else decision
    if decision.decided_by is DecidedBy.GRANT or alone.outcome is not Outcome.ALLOWED:
        return
    for each in applied:
        yield Reason(
            "decision.grant-too",
            f"{each.place} allows it, too, whatever the key policy allows: a grant cannot ask for a document",
            severity=Severity.WARNING,
            policy=str(DecidedBy.GRANT),
            statement=each.trace.statement,
        )


def _about_the_document(inquiry: Inquiry) -> Iterator[Reason]:
    """Yield whether the answer hangs on the document: the same is asked again without one."""
    if not OPERATIONS[inquiry.request.action].attested:
        return
    context = inquiry.request.context
    bare = {name: values for name, values in context.items() if not is_of_document(name)}
    if len(bare) == len(context):
        yield _no_document_needed("no document was sent, and it is allowed all the same", inquiry)
        return
    without = inquiry.with_context(bare).decide()
    if without.outcome is Outcome.ALLOWED:
        yield _no_document_needed(f"the document played no role: without one, {without.reason}", inquiry)
        return
    yield Reason(
        "decision.document-decides",
        f"without the document it would be denied: {without.reason}",
        severity=Severity.NOTE,
        policy=str(without.decided_by),
        statement=without.statement,
    )


def _no_document_needed(sentence: str, inquiry: Inquiry) -> Reason:
    return Reason(
        "decision.document-not-needed",
        sentence,
        f"Whoever calls as {inquiry.request.caller.arn} gets it outside any image. Deny {inquiry.request.action} for "
        "every PCR that must be measured, one statement each (docs/formats/key-policy.md).",
        severity=Severity.WARNING,
    )
