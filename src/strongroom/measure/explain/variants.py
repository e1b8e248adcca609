# SPDX-License-Identifier: Apache-2.0
"""Variants of a boot that leave no other trace than a register's value, to be tried out against it.

A register cannot be read backwards. But the ways in which a boot commonly differs are few, and each leads to a value
that can be computed and compared: equality proves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from strongroom.formats.pcrs import PcrIndex
from strongroom.measure.events import BOOT_ACTION, RETURN_ACTION, Event, EventType, event_over, replay

PHASES = ("enter-initrd", "leave-initrd", "sysinit", "ready", "shutdown", "final")
"""What systemd extends into PCR 11 while the system runs (systemd-pcrphase.service(8))."""

_PCR4, _PCR11 = PcrIndex(4), PcrIndex(11)
_MOST_FAILED_OPTIONS = 4
_MOST_EVENTS = 64
"""Of one register, for which variants are tried: each is replayed as a whole. Boots through shim and GRUB have ten."""
_FIRST_PHASES = (0, 2)
"""With an initrd of systemd's, and without."""


def first_leading_to(pcr: PcrIndex, value: bytes, candidates: Iterable[tuple[Event, ...]]) -> tuple[Event, ...] | None:
    """Return the first list of events whose replay gives `value`, None where none does."""
    return next((events for events in candidates if replay(events, pcrs=[pcr])[pcr] == value), None)


def variants(pcr: PcrIndex, events: Sequence[Event]) -> Iterator[tuple[Event, ...]]:
    """Yield what else a boot may have measured into `pcr`, had it differed in one common way."""
    if len(events) > _MOST_EVENTS:
        return
    if pcr == _PCR4:
        yield from _boot_paths(events)
    if pcr == _PCR11:
        yield from _with_phases(events)


def _boot_paths(events: Sequence[Event]) -> Iterator[tuple[Event, ...]]:
    """Other numbers of failed boot options, and one program less."""
    for base in (tuple(events), *_without_one_program(events)):
        clean = _without_failures(base)
        for failures in range(_MOST_FAILED_OPTIONS + 1):
            yield _with_failures(clean, failures)


def _without_one_program(events: Sequence[Event]) -> Iterator[tuple[Event, ...]]:
    for number, event in enumerate(events):
        if event.kind is EventType.APPLICATION:
            yield (*events[:number], *events[number + 1 :])


def _without_failures(events: Sequence[Event]) -> tuple[Event, ...]:
    """Take out each return from a boot option, with the call that follows it."""
    came_back = event_over(_PCR4, EventType.ACTION, RETURN_ACTION, "").digest
    after = [False, *(event.digest == came_back for event in events)]
    return tuple(e for e, follows in zip(events, after, strict=False) if not follows and e.digest != came_back)


def _with_failures(events: Sequence[Event], count: int) -> tuple[Event, ...]:
    """Let `count` boot options fail after the first call and the separator."""
    failure = (
        event_over(_PCR4, EventType.ACTION, RETURN_ACTION, "the boot option came back to the firmware"),
        event_over(_PCR4, EventType.ACTION, BOOT_ACTION, "the firmware starts the next boot option"),
    )
    return (*events[:2], *(failure * count), *events[2:])


def _with_phases(events: Sequence[Event]) -> Iterator[tuple[Event, ...]]:
    for first in _FIRST_PHASES:
        for last in range(first + 1, len(PHASES) + 1):
            yield (*events, *map(_phase, PHASES[first:last]))


def _phase(word: str) -> Event:
    return event_over(_PCR11, EventType.IPL, word.encode(), f"the running system reached {word}", subject=word)
