# SPDX-License-Identifier: Apache-2.0
"""Near misses: which single change would let the request through.

A change is one thing: the document, the encryption context, the time, one other condition key, the caller, the caller's
IAM policies, one kind of policy around the request, or one statement. Every candidate is put to `evaluate`, and only
those that it allows are returned.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from strongroom.errors import UsageError
from strongroom.keypolicy.condition_keys import canonical_name, find_condition_key
from strongroom.keypolicy.decision import DecidedBy, Outcome
from strongroom.keypolicy.explain.caller_changes import other_callers, with_caller
from strongroom.keypolicy.explain.facts import Topic, shown_key
from strongroom.keypolicy.explain.ignoring_case import ignoring_case
from strongroom.keypolicy.explain.inquiry import Heard, Inquiry
from strongroom.keypolicy.explain.reason import seen_as
from strongroom.keypolicy.explain.request_changes import MAX_TRIED, Candidate, candidates, together
from strongroom.keypolicy.explain.without import with_allow, with_statement, without_statement
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.kms_keys import ENCRYPTION_CONTEXT
from strongroom.keypolicy.model import Effect, Statement
from strongroom.keypolicy.principals import Caller
from strongroom.keypolicy.variables import Context

MAX_CHANGES = 12
"""More say nothing new: a policy may have a statement for each of a hundred releases."""


class ChangeKind(enum.StrEnum):
    """What would be changed, the likeliest first. The values are stable: `--json` prints them."""

    DOCUMENT = "document"
    CONTEXT = "encryption-context"
    TIME = "time"
    FACT = "condition-key"
    IAM = "iam-policy"
    LIMIT = "limiting-policy"
    SEVERAL = "several"
    CALLER = "caller"
    STATEMENT = "statement"


@dataclass(frozen=True, slots=True)
class FactChange:
    """One condition key of the request, before and after; empty is missing."""

    key: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One change, and the inquiry after it, which `evaluate` allows. `statement` is the one that would then allow."""

    kind: ChangeKind
    sentence: str
    inquiry: Inquiry
    statement: str
    facts: tuple[FactChange, ...] = ()
    caller: str = ""


def changes(inquiry: Inquiry, heard: Sequence[Heard]) -> tuple[Change, ...]:
    """Return single changes that would allow a denied request; changes together only where no single one does."""
    found = list(_single(inquiry, heard)) or list(_some(_several(inquiry, heard)))
    order = list(ChangeKind)
    ranked = sorted(found, key=lambda each: (order.index(each.kind), len(each.facts)))
    return tuple(ranked[:MAX_CHANGES])


def _single(inquiry: Inquiry, heard: Sequence[Heard]) -> Iterator[Change]:
    yield from _some(_of_request(inquiry, each) for each in candidates(inquiry.request, heard))
    yield from _some(_with_allow(inquiry, kind) for kind in (DecidedBy.IDENTITY_POLICY, *_LIMITING))
    callers = other_callers(inquiry.request.caller, heard)[:MAX_TRIED]
    yield from _some(_with_caller(inquiry, caller) for caller in callers)
    yield from _some(change for each in heard for change in _of_statement(inquiry, each))


def _some(found: Iterable[Change | None]) -> Iterator[Change]:
    """Yield the changes among these, each once and as many as are shown, and try no more."""
    said: set[str] = set()
    for change in found:
        if change is not None and change.sentence not in said:
            said.add(change.sentence)
            yield change
        if len(said) == MAX_CHANGES:
            return


def _of_statement(inquiry: Inquiry, heard: Heard) -> Iterator[Change | None]:
    if isinstance(heard.source, Grant):
        return
    denies = heard.trace.effect is Effect.DENY
    if heard.trace.policy is DecidedBy.KEY_POLICY and denies is heard.trace.applied:
        yield _ignoring_case(inquiry, heard, heard.source)
    if denies and heard.trace.applied:
        yield _without(inquiry, heard, heard.source)


def _several(inquiry: Inquiry, heard: Sequence[Heard]) -> Iterator[Change | None]:
    yield from (_of_request(inquiry, each) for each in together(inquiry.request, heard))


_LIMITING = (
    DecidedBy.BOUNDARY,
    DecidedBy.SESSION_POLICY,
    DecidedBy.SERVICE_CONTROL,
    DecidedBy.RESOURCE_CONTROL,
    DecidedBy.ENDPOINT,
)
_KINDS = {
    Topic.DOCUMENT: ChangeKind.DOCUMENT,
    Topic.CONTEXT: ChangeKind.CONTEXT,
    Topic.TIME: ChangeKind.TIME,
    Topic.FACT: ChangeKind.FACT,
    None: ChangeKind.SEVERAL,
}


def _of_request(inquiry: Inquiry, candidate: Candidate) -> Change | None:
    facts = _difference(inquiry.request.context, candidate.context)
    try:
        changed = inquiry.with_context(candidate.context)
    except UsageError:  # no request of this action can have such a fact
        return None
    return _checked(_KINDS[candidate.topic], _words(candidate.topic, facts), changed, facts=facts)


def _difference(before: Context, after: Context) -> tuple[FactChange, ...]:
    keys = sorted({*before, *after}, key=_in_order)
    return tuple(
        FactChange(key, before.get(key, ()), after.get(key, ()))
        for key in keys
        if before.get(key, ()) != after.get(key, ())
    )


_LEADS = {
    Topic.CONTEXT: "the encryption context with ",
    Topic.TIME: "a call at another time: ",
    Topic.FACT: "a request with ",
    None: "all of this together: ",
}
_DERIVED = frozenset({"aws:epochtime", "kms:encryptioncontextkeys"})
"""Keys that say again what another one says."""


def _words(topic: Topic | None, facts: tuple[FactChange, ...]) -> str:
    if topic is not Topic.DOCUMENT:
        return _LEADS[topic] + ", ".join(_fact_words(each) for each in facts if each.key not in _DERIVED)
    sent = [each for each in facts if each.after]  # what is gone was in a document of the other kind
    kind = "a NitroTPM" if any("nitrotpm" in each.key for each in sent) else "an enclave's"
    return f"{kind} document with {', '.join(map(_fact_words, sent))}" if sent else "the same without a document"


def _fact_words(fact: FactChange) -> str:
    row = find_condition_key(fact.key)
    name = fact.key if row is None else canonical_name(fact.key, row)
    key = shown_key(name).removeprefix(ENCRYPTION_CONTEXT)
    instead = f" instead of {seen_as(fact.before)}" if fact.before else ""
    return f"{key} {seen_as(fact.after)}{instead}"


def _in_order(key: str) -> tuple[str, int]:
    """Sort keys by name, PCRs by number."""
    name = key.rstrip("0123456789")
    return name, int(key[len(name) :] or 0)


def _with_allow(inquiry: Inquiry, kind: DecidedBy) -> Change | None:
    changed = with_allow(inquiry, kind)
    if changed is None or changed == inquiry:
        return None
    request = inquiry.request
    what = f"that allows {request.action} on {request.key_arn or '*'}"
    if kind is DecidedBy.IDENTITY_POLICY:
        return _checked(ChangeKind.IAM, f"an IAM policy of the caller {what}", changed)
    return _checked(ChangeKind.LIMIT, f"a {kind} {what}", changed)


def _with_caller(inquiry: Inquiry, caller: Caller) -> Change | None:
    said = f"a call by {caller.principal_arn or caller.arn}, under the same IAM policies"
    return _checked(ChangeKind.CALLER, said, with_caller(inquiry, caller), caller=caller.arn)


def _ignoring_case(inquiry: Inquiry, heard: Heard, statement: Statement) -> Change | None:
    loose = ignoring_case(statement, inquiry.request)
    if loose is None:
        return None
    said = f"{heard.place} with operators that ignore case, as values of PCRs need"
    return _checked(ChangeKind.STATEMENT, said, with_statement(inquiry, statement, loose))


def _without(inquiry: Inquiry, heard: Heard, statement: Statement) -> Change | None:
    changed = without_statement(inquiry, statement)
    said = f"policies without {heard.place}, and then whatever it is there to stop"
    return _checked(ChangeKind.STATEMENT, said, changed)


def _checked(
    kind: ChangeKind, sentence: str, changed: Inquiry, *, facts: tuple[FactChange, ...] = (), caller: str = ""
) -> Change | None:
    decision = changed.decide()
    if decision.outcome is not Outcome.ALLOWED:
        return None
    return Change(kind, sentence, changed, decision.statement, facts, caller)
