# SPDX-License-Identifier: Apache-2.0
"""PCR 4: which programs the firmware started, in which order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from strongroom.formats.pcrs import ZERO_SHA384, PcrIndex
from strongroom.measure.events import RETURN_ACTION, Event, EventType, event_over
from strongroom.measure.explain.account import BootAccount
from strongroom.measure.explain.difference import Component, Difference, Grounds, grounds_of
from strongroom.measure.explain.sections import image_differences

_PCR = PcrIndex(4)
_CAME_BACK = event_over(_PCR, EventType.ACTION, RETURN_ACTION, "").digest


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
    return [event for event in events if event.kind is EventType.APPLICATION]


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
    missing = [event for event in expected if event.digest not in {e.digest for e in found}]
    added = [event for event in found if event.digest not in {e.digest for e in expected}]
    if expected and expected[0] in missing:
        yield from image_differences(reference, seen)
        return
    for event in added:
        after = _comes_after_image(event, found, expected)
        yield _moved(
            "explain.program-after-image" if after else "explain.program-before-image",
            f"in {seen.name} another EFI program ran {'after' if after else 'before'} the image: {event.about} (digest "
            f"{event.digest.hex()[:16]}…). {'' if after else 'A boot loader or a SysPrep#### option in front of it'}",
            about=event,
        )
    for event in missing:
        yield _moved(
            "explain.program-missing",
            f"expected {event.about} to be loaded by the firmware, and in {seen.name} it was not: Secure Boot, or "
            "another version of the stub, keeps the firmware from measuring it",
        )
    if not added and not missing and _digests(expected) != _digests(found):
        yield _moved("explain.order", f"in {seen.name} the same EFI programs ran in another order or more than once")


def _digests(events: Sequence[Event]) -> list[bytes]:
    return [event.digest for event in events]


def _comes_after_image(event: Event, found: Sequence[Event], expected: Sequence[Event]) -> bool:
    digests = _digests(found)
    return digests.index(event.digest) > digests.index(expected[0].digest) if expected else False


def _moved(code: str, sentence: str, *, about: Event | None = None) -> Difference:
    grounds = Grounds.PROVEN if about is None else grounds_of(about)
    subject = "" if about is None else about.subject
    return Difference(code, Component.BOOT_PATH, sentence.strip(), (_PCR,), grounds, subject=subject)
