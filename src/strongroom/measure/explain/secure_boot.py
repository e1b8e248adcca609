# SPDX-License-Identifier: Apache-2.0
"""PCR 7: the state of Secure Boot, its keys, and the certificate that let the image through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, PcrIndex
from strongroom.measure.events import Event, EventType
from strongroom.measure.explain.account import BootAccount
from strongroom.measure.explain.changes import event_changes
from strongroom.measure.explain.difference import Component, Difference, Grounds, grounds_of
from strongroom.measure.secure_boot import switch_event

_PCR = PcrIndex(7)
_SWITCH = "SecureBoot"
_STATES = {switch_event(on=False).digest: "off", switch_event(on=True).digest: "on"}
_VARIABLES = {
    "PK": "the platform key (PK)",
    "KEK": "the key exchange keys (KEK)",
    "db": "the allowed keys and images (db)",
    "dbx": "the forbidden keys and images (dbx)",
}


def secure_boot_differences(reference: BootAccount, seen: BootAccount) -> Iterator[Difference]:
    """Yield what moved PCR 7."""
    changes = event_changes(_PCR, reference, seen)
    if changes is None:
        yield _from_values(reference, seen)
        return
    gone, new = _by_subject(changes.gone), _by_subject(changes.new)
    for subject in {**gone, **new}:
        yield _moved(subject, gone.get(subject, []), new.get(subject, []), seen)


def _by_subject(events: Sequence[Event]) -> dict[str, list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in events:
        found.setdefault(_subject(event), []).append(event)
    return found


def _subject(event: Event) -> str:
    if event.digest in _STATES:  # whatever a log calls it
        return _SWITCH
    return "authority" if event.kind is EventType.AUTHORITY else event.subject or event.kind


def _moved(subject: str, gone: Sequence[Event], new: Sequence[Event], seen: BootAccount) -> Difference:
    code, sentence = _sentence(subject, gone, new, seen)
    grounds = grounds_of(*gone, *new)
    return Difference(code, Component.SECURE_BOOT, sentence, (_PCR,), grounds, subject=subject)


def _sentence(subject: str, gone: Sequence[Event], new: Sequence[Event], seen: BootAccount) -> tuple[str, str]:
    if subject == _SWITCH and (state := _state(gone, new)):
        return "explain.secure-boot-state", f"Secure Boot is {state} in {seen.name}, and was expected the other way"
    if subject == "authority":
        words = "; ".join(event.about for event in new) or "none"
        return "explain.secure-boot-authority", f"what let the image through is another one in {seen.name}: {words}"
    if subject in _VARIABLES:
        found = f": {'; '.join(event.about for event in new)}" if new else ""
        return "explain.secure-boot-keys", f"{_VARIABLES[subject]} moved in {seen.name}{found}"
    verb = "was measured too" if not gone else "was not measured" if not new else "moved"
    what = "; ".join(event.about for event in (new or gone))
    return "explain.secure-boot-event", f"in {seen.name}, {what} {verb}"


def _state(gone: Sequence[Event], new: Sequence[Event]) -> str | None:
    """Return the state that was switched to; None where one state did not take the place of the other."""
    if len(gone) != 1 or len(new) != 1 or gone[0].digest not in _STATES:
        return None
    return _STATES.get(new[0].digest)


def _from_values(reference: BootAccount, seen: BootAccount) -> Difference:
    if seen.pcrs[_PCR] == SECURE_BOOT_OFF_PCR7_SHA384:
        sentence = f"Secure Boot is off in {seen.name} and no keys are enrolled; expected Secure Boot with keys"
    elif reference.pcrs[_PCR] == SECURE_BOOT_OFF_PCR7_SHA384:
        sentence = (
            f"Secure Boot is on in {seen.name}, or keys are enrolled; expected it off and without keys. Give the keys "
            "(PK, KEK, db, dbx) or an event log to learn more"
        )
    else:
        sentence = (
            f"Secure Boot's state, its keys, or the certificate that let the image through moved in {seen.name}; an "
            "event log tells which"
        )
    return Difference("explain.secure-boot", Component.SECURE_BOOT, sentence, (_PCR,), Grounds.INFERRED)
