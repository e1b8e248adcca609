# SPDX-License-Identifier: Apache-2.0
"""What `strongroom key explain` says, as text or as one JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console

from strongroom.cli.findings import flag_lines
from strongroom.cli.key_event import Recorded
from strongroom.cli.output import print_line
from strongroom.errors import Severity
from strongroom.formats.kms_event import KmsEvent
from strongroom.keypolicy.explain.changes import Change, ChangeKind
from strongroom.keypolicy.explain.explanation import Explanation
from strongroom.keypolicy.explain.reason import Reason

_MOST_VALUES = 3
_MOST_CHANGES = 6


def explanation_facts(found: Explanation) -> dict[str, object]:
    """Return an explanation for programs. The keys are stable."""
    return {
        "headline": found.headline,
        "reasons": [_reason_facts(each) for each in found.reasons],
        "changes": [_change_facts(each) for each in found.changes],
    }


def _reason_facts(reason: Reason) -> dict[str, object]:
    return {
        "code": reason.code,
        "sentence": reason.sentence,
        "remedy": reason.remedy,
        "severity": reason.severity.value,
        "policy": reason.policy or None,
        "statement": reason.statement or None,
        "element": reason.element or None,
        "expected": list(reason.expected),
        "seen": list(reason.seen),
        "pcr": reason.pcr,
    }


def _change_facts(change: Change) -> dict[str, object]:
    return {
        "kind": change.kind.value,
        "sentence": change.sentence,
        "statement": change.statement,
        "caller": change.caller or None,
        "facts": [{"key": fact.key, "before": list(fact.before), "after": list(fact.after)} for fact in change.facts],
    }


def event_facts(recorded: Recorded) -> dict[str, object]:
    """Return what CloudTrail's record says of the same call; nothing without one."""
    event = recorded.event
    if event is None:
        return {}
    said = {
        "id": event.event_id,
        "time": event.time.isoformat(),
        "denied": event.denied,
        "error": event.error_code or None,
        "message": event.error_message or None,
        "agrees": recorded.agrees,
    }
    return {"event": said}


def print_explanation(console: Console, recorded: Recorded) -> None:
    """Print why, what would change it, and what to know about the question."""
    for text in _lines(recorded):
        print_line(console, text)


def _lines(recorded: Recorded) -> Iterator[str]:
    found = recorded.explanation
    yield found.headline
    if recorded.event is not None:
        yield f"CloudTrail: {_said(recorded.event)}"
    said = [reason for reason in found.reasons if reason.sentence != found.decision.reason]
    remedies: set[str] = set()
    for (code, severity), group in groupby(said, key=lambda reason: (reason.code, reason.severity)):
        yield f"  {'' if severity is Severity.ERROR else f'{severity} '}{code}:"
        yield from _reason_lines(tuple(group), remedies)
    yield from _change_lines(found.changes)
    yield from flag_lines(recorded.asked.notices)


def _said(event: KmsEvent) -> str:
    if not event.error_code:
        return "allowed"
    return f"{'denied' if event.denied else event.error_code}: {event.error_message or event.error_code}"


def _reason_lines(reasons: Sequence[Reason], remedies: set[str]) -> Iterator[str]:
    """Yield reasons of one code, and what to do about them where that has not been said."""
    for reason in reasons:
        yield f"      {reason.sentence}"
        if reason.pcr is not None and reason.seen:
            yield f"        expected {_values(reason.expected)}"
            yield f"        seen     {_values(reason.seen)}"
    for remedy in dict.fromkeys(reason.remedy for reason in reasons if reason.remedy):
        if remedy not in remedies:
            yield f"      -> {remedy}"
        remedies.add(remedy)


def _values(values: Sequence[str]) -> str:
    more = f" and {len(values) - _MOST_VALUES} more" if len(values) > _MOST_VALUES else ""
    return ", ".join(values[:_MOST_VALUES]) + more


def _change_lines(changes: Sequence[Change]) -> Iterator[str]:
    if not changes:
        return
    several = changes[0].kind is ChangeKind.SEVERAL
    yield "No single change would allow it. It would be allowed with" if several else "It would be allowed with"
    for each in changes[:_MOST_CHANGES]:
        yield f"  - {each.sentence} (by {each.statement})"
    if len(changes) > _MOST_CHANGES:
        yield f"  - and {len(changes) - _MOST_CHANGES} more; --json lists them all"
