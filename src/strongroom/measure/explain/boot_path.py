# SPDX-License-Identifier: Apache-2.0
"""PCR 4: which programs the firmware started, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from strongroom.formats.pcrs import ZERO_SHA384, PcrIndex
from strongroom.measure.events import BOOT_ACTION, RETURN_ACTION, Event, EventType, event_over
from strongroom.measure.explain.account import BootAccount
from strongroom.measure.explain.difference import Component, Difference, Grounds, grounds_of
from strongroom.measure.explain.sections import image_differences

_PCR = PcrIndex(4)
_CAME_BACK = event_over(_PCR, EventType.ACTION, RETURN_ACTION, "").digest
_STEPS = frozenset(
    event_over(_PCR, EventType.ACTION, data, "").digest for data in (BOOT_ACTION, RETURN_ACTION, bytes(4), b"\xff" * 4)
)
"""What firmware measures into PCR 4 of its own going on: boot options started and come back, and the separator."""

_MOST_NAMED = 8


def boot_path_differences(reference: BootAccount, seen: BootAccount) -> Iterator[Difference]:
    """Yield what moved PCR 4."""
    expected, found = reference.events.get(_PCR), seen.events.get(_PCR)
    if seen.pcrs[_PCR] == ZERO_SHA384:
        yield _moved("explain.unmeasured", f"in {seen.name} nothing was measured into PCR 4: no boot through UEFI")
        return
    if expected is None or found is None:
        yield from image_differences(reference, seen)
        return
    yield from _failures(_failed_options(found) - _failed_options(expected), seen)
    yield from _programs(reference, seen, _programs_of(expected), _programs_of(found))


def _failed_options(events: Sequence[Event]) -> int:
    return sum(event.digest == _CAME_BACK for event in events)


def _programs_of(events: Sequence[Event]) -> list[Event]:
    """Return everything but the firmware's own steps. Types play no part: no digest covers them (ATTACKS A21)."""
    return [event for event in events if event.digest not in _STEPS]


def _failures(more: int, seen: BootAccount) -> Iterator[Difference]:
    if more > 0:
        count = "a boot option" if more == 1 else f"{more} boot options"
        yield _moved(
            "explain.failed-boot-option",
            f"in {seen.name}, {count} before the image's own failed or came back, and the firmware went on to the "
            "next one: an empty disk, a network card or a program in front of it. Put the image's disk first",
        )
    elif more < 0:
        yield _moved(
            "explain.fewer-failed-boot-options",
            f"the reference was recorded on a boot where {-more} boot option(s) failed before the image's own, in "
            f"{seen.name} they did not",
        )


def _programs(
    reference: BootAccount, seen: BootAccount, expected: Sequence[Event], found: Sequence[Event]
) -> Iterator[Difference]:
    missing, added = _lacking(expected, found), _lacking(found, expected)
    if expected and expected[0] in missing:
        yield from image_differences(reference, seen)
        yield from _more_programs(expected, found, seen)
        return
    yield from _more(expected, found, seen)
    for event in missing:
        yield _moved(
            "explain.program-missing",
            f"expected {event.about} to be loaded by the firmware, and in {seen.name} it was not: Secure Boot, or "
            "another version of the stub, keeps the firmware from measuring it",
            about=event,
        )
    if not added and not missing and _digests(expected) != _digests(found):
        yield _moved("explain.order", f"in {seen.name} the same EFI programs ran in another order or more than once")


def _more(expected: Sequence[Event], found: Sequence[Event], seen: BootAccount) -> Iterator[Difference]:
    """Yield what ran before and after an image that is the expected one."""
    known, digests = set(_digests(expected)), _digests(found)
    image = digests.index(expected[0].digest) if expected else len(found)
    for at, event in enumerate(found):
        if event.digest not in known:
            after = at > image
            yield _moved(
                "explain.program-after-image" if after else "explain.program-before-image",
                f"in {seen.name} {_ran(event)} {'after' if after else 'before'} the image: {_named(event)}. "
                f"{'' if after else 'A boot loader or a SysPrep#### option in front of it'}",
                about=event,
            )


def _more_programs(expected: Sequence[Event], found: Sequence[Event], seen: BootAccount) -> Iterator[Difference]:
    """Yield what ran beside an image that moved: which of the programs is the image, its digest does not say."""
    if len(found) > len(expected):
        yield _moved(
            "explain.more-programs",
            f"in {seen.name} {len(found)} EFI programs ran and {len(expected)} were expected: "
            f"{'; '.join(map(_named, found[:_MOST_NAMED]))}{'; and more' if len(found) > _MOST_NAMED else ''}",
            about=next((event for event in found if event.claimed), None),
        )


def _ran(event: Event) -> str:
    if event.kind == EventType.APPLICATION:
        return "another EFI program ran"
    return f"what the log calls {event.kind}, and what may be an EFI program, was measured"


def _named(event: Event) -> str:
    return f"{event.about} (digest {event.digest.hex()[:16]}…)"


def _digests(events: Sequence[Event]) -> list[bytes]:
    return [event.digest for event in events]


def _lacking(events: Sequence[Event], others: Sequence[Event]) -> list[Event]:
    known = set(_digests(others))
    return [event for event in events if event.digest not in known]


def _moved(code: str, sentence: str, *, about: Event | None = None) -> Difference:
    grounds = Grounds.PROVEN if about is None else grounds_of(about)
    subject = "" if about is None else about.subject
    return Difference(code, Component.BOOT_PATH, sentence.strip(), (_PCR,), grounds, subject=subject)
