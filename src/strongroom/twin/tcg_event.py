# SPDX-License-Identifier: Apache-2.0
"""One measured event: a PCR, a type, the digest that is extended, and a sentence for people."""

from __future__ import annotations

import enum
import hashlib
from dataclasses import dataclass


class EventType(enum.IntEnum):
    """The event types that the twin's machines log (TCG PC Client Platform Firmware Profile 1.06, section 10.4.1)."""

    SEPARATOR = 0x00000004
    EVENT_TAG = 0x00000006
    PLATFORM_CONFIG = 0x0000000A
    IPL = 0x0000000D
    EFI_VARIABLE_DRIVER_CONFIG = 0x80000001
    EFI_BOOT_SERVICES_APPLICATION = 0x80000003
    EFI_BOOT_SERVICES_DRIVER = 0x80000004
    EFI_GPT = 0x80000006
    EFI_ACTION = 0x80000007
    EFI_VARIABLE_AUTHORITY = 0x800000E0


@dataclass(frozen=True, slots=True)
class Event:
    """What was extended where. `digest` is SHA-384."""

    pcr: int
    type: EventType
    digest: bytes
    description: str


def hashed(pcr: int, type_: EventType, data: bytes, description: str) -> Event:
    """Return the event whose digest is that of its data."""
    return Event(pcr, type_, hashlib.sha384(data).digest(), description)
