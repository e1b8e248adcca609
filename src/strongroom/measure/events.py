# SPDX-License-Identifier: Apache-2.0
"""Measured-boot events and their replay (TCG PC Client Platform Firmware Profile 1.06, section 10.4)."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.formats.pcrs import ZERO_SHA384, PcrDigests, PcrIndex


class EventType(enum.StrEnum):
    """The event types that reference values are made of, named as in the specification."""

    SEPARATOR = "EV_SEPARATOR"
    ACTION = "EV_EFI_ACTION"
    APPLICATION = "EV_EFI_BOOT_SERVICES_APPLICATION"
    VARIABLE = "EV_EFI_VARIABLE_DRIVER_CONFIG"
    AUTHORITY = "EV_EFI_VARIABLE_AUTHORITY"
    IPL = "EV_IPL"
    BOOT_DRIVER = "EV_EFI_BOOT_SERVICES_DRIVER"
    RUNTIME_DRIVER = "EV_EFI_RUNTIME_SERVICES_DRIVER"
    TAGGED = "EV_EVENT_TAG"


@dataclass(frozen=True, slots=True)
class Event:
    """One extend: into which PCR, of what digest, and what it stands for in words."""

    pcr: PcrIndex
    kind: EventType
    digest: bytes
    about: str
    subject: str = ""
    """The thing itself, by name: of a variable, a section, a file. Empty where the kind of event says it all."""


def event_over(pcr: int, kind: EventType, data: bytes | memoryview, about: str, *, subject: str = "") -> Event:
    """Return the event that measures `data` itself."""
    return Event(PcrIndex(pcr), kind, hashlib.sha384(data).digest(), about, subject)


def separator(pcr: int) -> Event:
    """Return the EV_SEPARATOR that closes a PCR when the firmware hands over: four zero bytes."""
    return event_over(pcr, EventType.SEPARATOR, bytes(4), "end of the firmware's own measurements")


def replay(events: Iterable[Event], *, pcrs: Iterable[PcrIndex]) -> PcrDigests:
    """Return what `pcrs` hold after these events, each from zero: PCR := SHA384(PCR || digest), in order."""
    values = {int(index): ZERO_SHA384 for index in pcrs}
    for event in events:
        if event.pcr in values:
            values[event.pcr] = hashlib.sha384(values[event.pcr] + event.digest).digest()
    return PcrDigests.of(values)
