# SPDX-License-Identifier: Apache-2.0
"""Condition contexts in which a statement would allow, or would not deny, with one topic of the request changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from strongroom.keypolicy.conditions import Condition
from strongroom.keypolicy.explain.facts import TOPICS, Topic, is_of_document, topic_of
from strongroom.keypolicy.explain.inquiry import Heard
from strongroom.keypolicy.explain.values import settle, settle_all, with_values
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.kms_keys import ENCLAVE_IMAGE, ENCLAVE_PCR, ENCRYPTION_CONTEXT, NITROTPM_PCR
from strongroom.keypolicy.model import Effect, Statement
from strongroom.keypolicy.operators import read_date
from strongroom.keypolicy.request import KmsRequest
from strongroom.keypolicy.variables import Context

_CONTEXT, _NAMES = ENCRYPTION_CONTEXT.lower(), "kms:encryptioncontextkeys"
_TPM, _ENCLAVE, _IMAGE = NITROTPM_PCR.lower(), ENCLAVE_PCR.lower(), ENCLAVE_IMAGE.lower()
_NOW, _EPOCH = "aws:currenttime", "aws:epochtime"


MAX_TRIED = 64
"""Statements, grants and callers that are tried: a key may have 50,000 grants, and each costs evaluations of all."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A context to try. `topic` is None where several topics were changed."""

    topic: Topic | None
    context: Context


def candidates(request: KmsRequest, heard: Sequence[Heard]) -> Iterator[Candidate]:
    """Yield contexts with one topic changed: as each Allow wants it, and then as the Denies that apply leave it."""
    denies = [each.source for each in heard if _denies(each)]
    for topic in TOPICS:
        for each in _allows(heard):
            settled = _settled(each, _prepared(topic, request.context, [each.source]), topic)
            if settled is not None:
                yield from _spared(topic, settled, denies, request)
        yield from _spared(topic, _prepared(topic, request.context, denies), denies, request)


def together(request: KmsRequest, heard: Sequence[Heard]) -> Iterator[Candidate]:
    """Yield contexts with all topics changed that an Allow asks for."""
    denies = [each.source for each in heard if _denies(each)]
    for each in _allows(heard):
        context: Context | None = request.context
        for topic in TOPICS:
            context = None if context is None else _settled(each, _prepared(topic, context, [each.source]), topic)
        for topic in TOPICS:
            context = None if context is None else _past(topic, context, denies)
        if context is not None and context != request.context and not _of_two_documents(context):
            yield Candidate(None, context)


def _allows(heard: Sequence[Heard]) -> list[Heard]:
    """Return the Allows and grants that only conditions kept from applying: the closest, as each costs evaluations."""
    found = [each for each in heard if each.trace.effect is Effect.ALLOW and each.concerns]
    return sorted(found, key=lambda each: len(each.trace.missed))[:MAX_TRIED]


def _denies(heard: Heard) -> bool:
    return heard.trace.effect is Effect.DENY and heard.trace.applied


def _spared(
    topic: Topic, context: Context, denies: Sequence[Statement | Grant], request: KmsRequest
) -> Iterator[Candidate]:
    past = _past(topic, context, denies)
    for found in (context,) if past == context else (context, past):
        if found != request.context and not _of_two_documents(found):
            yield Candidate(topic, found)


def _settled(heard: Heard, context: Context, topic: Topic) -> Context | None:
    """Return a context in which one topic is as an Allow wants it; None when none was found."""
    if isinstance(heard.source, Grant):
        return _as_granted(heard.source, context) if topic is Topic.CONTEXT else context
    mine = [each for each in heard.source.conditions if topic_of(each) is topic]
    found = settle_all(mine, context)
    return None if found is None else _consistent(topic, context, found)


def _past(topic: Topic, context: Context, denies: Sequence[Statement | Grant]) -> Context:
    """Return a context in which Denies do not apply for something of one topic, as far as one was found."""
    found = context
    for deny in denies:
        conditions = deny.conditions if isinstance(deny, Statement) else ()
        if all(condition.holds(found) for condition in conditions):
            found = _consistent(topic, found, _unmet(topic, conditions, found))
    return found


def _unmet(topic: Topic, conditions: Sequence[Condition], context: Context) -> Context:
    for condition in conditions:
        values = settle(condition, context, holds=False) if topic_of(condition) is topic else None
        if values is not None:
            return with_values(context, condition.lookup, values)
    return context


def _prepared(topic: Topic, context: Context, sources: Sequence[Statement | Grant]) -> Context:
    """Return the context without the document of another kind than the statements ask for: only one can be sent."""
    if topic is not Topic.DOCUMENT:
        return context
    asked = [each.lookup for one in sources if isinstance(one, Statement) for each in one.conditions]
    tpm, enclave = _kinds(asked)
    if tpm == enclave:
        return context
    return {key: values for key, values in context.items() if not is_of_document(key) or key.startswith(_TPM) is tpm}


def _kinds(keys: Iterable[str]) -> tuple[bool, bool]:
    """Tell whether keys of a NitroTPM's document are among these, and whether keys of an enclave's are."""
    known = [key for key in keys if is_of_document(key)]
    return any(key.startswith(_TPM) for key in known), not all(key.startswith(_TPM) for key in known)


def _of_two_documents(context: Context) -> bool:
    return all(_kinds(context))


def _as_granted(grant: Grant, context: Context) -> Context | None:
    constraints = grant.constraints
    exact, subset = constraints.encryption_context_equals, constraints.encryption_context_subset
    if exact is None and subset is None:
        return context
    kept = {} if exact is not None else {name: context[_CONTEXT + name.lower()][0] for name in context.get(_NAMES, ())}
    wanted = dict((*(exact or ()), *(subset or ())))
    lowered = {name.lower() for name in wanted}
    pairs = {**{name: value for name, value in kept.items() if name.lower() not in lowered}, **wanted}
    others = {key: values for key, values in context.items() if not key.startswith(_CONTEXT) and key != _NAMES}
    found = {**others, **{_CONTEXT + name.lower(): (value,) for name, value in pairs.items()}}
    return {**found, _NAMES: tuple(pairs)} if pairs else found


def _consistent(topic: Topic, before: Context, after: Context) -> Context:
    """Return a context in which keys that say the same say the same again, as in every real request."""
    return _FOLLOW[topic](before, after)


def _one_time(before: Context, after: Context) -> Context:
    if after.get(_NOW) != before.get(_NOW) and _EPOCH in before and _NOW in after:
        return {**after, _EPOCH: (str(int(read_date(after[_NOW][0]).timestamp())),)}
    if after.get(_EPOCH) != before.get(_EPOCH) and _NOW in before and _EPOCH in after:
        return {**after, _NOW: (f"{read_date(after[_EPOCH][0]):%Y-%m-%dT%H:%M:%SZ}",)}
    return after


def _one_context(before: Context, after: Context) -> Context:
    known = {name.lower(): name for name in before.get(_NAMES, ())}
    pairs = [key.removeprefix(_CONTEXT) for key in after if key.startswith(_CONTEXT)]
    others = {key: values for key, values in after.items() if key != _NAMES}
    return {**others, _NAMES: tuple(known.get(name, name) for name in pairs)} if pairs else others


def _one_document(before: Context, after: Context) -> Context:
    first = f"{_ENCLAVE}0"
    if after.get(_IMAGE) != before.get(_IMAGE) and _IMAGE in after:
        return {**after, first: after[_IMAGE]}
    if after.get(first) != before.get(first) and first in after:
        return {**after, _IMAGE: after[first]}
    return after


def _as_it_is(_: Context, after: Context) -> Context:
    return after


_FOLLOW: dict[Topic, Callable[[Context, Context], Context]] = {
    Topic.DOCUMENT: _one_document,
    Topic.CONTEXT: _one_context,
    Topic.TIME: _one_time,
    Topic.FACT: _as_it_is,
}
