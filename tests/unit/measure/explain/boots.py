# SPDX-License-Identifier: Apache-2.0
"""Accounts of boots for the tests of explanations: an image, and what a document or a log of its boot would tell."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from tests.images import make_uki

from strongroom.formats.pcrs import PcrDigests, PcrIndex
from strongroom.measure.events import Event, EventType, event_over, replay
from strongroom.measure.explain.account import BootAccount, account_of_document, account_of_image, of_events
from strongroom.measure.explain.compare import explain
from strongroom.measure.explain.difference import Difference

PCRS = tuple(map(PcrIndex, (2, 4, 7, 9, 11, 12, 13)))
CALL = event_over(4, EventType.ACTION, b"Calling EFI Application from Boot Option", "call")
RETURN = event_over(4, EventType.ACTION, b"Returning from EFI Application from Boot Option", "return")
PROGRAM = Event(PcrIndex(4), EventType.APPLICATION, b"\x99" * 48, r"the log claims: \EFI\other.efi", "other.efi")


def image(**changes) -> BootAccount:
    return account_of_image("the image", make_uki(**changes), secure_boot=None)


def events_of(account: BootAccount) -> list[Event]:
    return [event for index in PCRS for event in account.events[index]]


def inserted(events: Sequence[Event], after: int, *new: Event) -> list[Event]:
    """The events with others behind the `after`-th of the same register."""
    own = [event for event in events if event.pcr == new[0].pcr]
    others = [event for event in events if event.pcr != new[0].pcr]
    return [*others, *own[:after], *new, *own[after:]]


def document(events: Sequence[Event], name: str = "the document") -> BootAccount:
    return account_of_document(name, replay(events, pcrs=PCRS))


def log(events: Sequence[Event], name: str = "the log") -> BootAccount:
    return of_events(name, events, replay(events, pcrs=PCRS))


def with_pcrs(account: BootAccount, **changes: bytes) -> BootAccount:
    """A document that shows the account's values, some of them changed: `pcr12=...`."""
    values: dict[int, bytes] = {int(index): value for index, value in account.pcrs.items()}
    values |= {int(name[3:]): value for name, value in changes.items()}
    return account_of_document("the document", PcrDigests.of(values))


def differences(reference: BootAccount, seen: BootAccount) -> dict[str, Difference]:
    found = explain(reference, seen).differences
    assert len({each.code for each in found}) == len(found), [each.code for each in found]
    return {each.code: each for each in found}


def digest(text: str) -> bytes:
    return hashlib.sha384(text.encode()).digest()
