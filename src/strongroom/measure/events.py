# SPDX-License-Identifier: Apache-2.0
"""Measured-boot events and their replay (TCG PC Client Platform Firmware Profile 1.06, section 10.4)."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from strongroom.formats.pcrs import ZERO_SHA384, PcrDigests, PcrIndex


class EventType(enum.StrEnum):
    """Types of events, named as in the specification (PFP 1.06, section 10.4.1). No digest covers a type."""

    PREBOOT_CERT = "EV_PREBOOT_CERT"
    POST_CODE = "EV_POST_CODE"
    UNUSED = "EV_UNUSED"
    NO_ACTION = "EV_NO_ACTION"
    SEPARATOR = "EV_SEPARATOR"
    BIOS_ACTION = "EV_ACTION"
    EVENT_TAG = "EV_EVENT_TAG"
    CRTM_CONTENTS = "EV_S_CRTM_CONTENTS"
    CRTM_VERSION = "EV_S_CRTM_VERSION"
    CPU_MICROCODE = "EV_CPU_MICROCODE"
    PLATFORM_CONFIG = "EV_PLATFORM_CONFIG_FLAGS"
    DEVICES = "EV_TABLE_OF_DEVICES"
    COMPACT_HASH = "EV_COMPACT_HASH"
    IPL = "EV_IPL"
    IPL_PARTITION = "EV_IPL_PARTITION_DATA"
    NONHOST_CODE = "EV_NONHOST_CODE"
    NONHOST_CONFIG = "EV_NONHOST_CONFIG"
    NONHOST_INFO = "EV_NONHOST_INFO"
    OMIT_BOOT_DEVICES = "EV_OMIT_BOOT_DEVICE_EVENTS"
    POST_CODE2 = "EV_POST_CODE2"
    EFI_BASE = "EV_EFI_EVENT_BASE"
    VARIABLE = "EV_EFI_VARIABLE_DRIVER_CONFIG"
    VARIABLE_BOOT = "EV_EFI_VARIABLE_BOOT"
    APPLICATION = "EV_EFI_BOOT_SERVICES_APPLICATION"
    DRIVER = "EV_EFI_BOOT_SERVICES_DRIVER"
    RUNTIME_DRIVER = "EV_EFI_RUNTIME_SERVICES_DRIVER"
    GPT = "EV_EFI_GPT_EVENT"
    ACTION = "EV_EFI_ACTION"
    FIRMWARE_BLOB = "EV_EFI_PLATFORM_FIRMWARE_BLOB"
    HANDOFF_TABLES = "EV_EFI_HANDOFF_TABLES"
    FIRMWARE_BLOB2 = "EV_EFI_PLATFORM_FIRMWARE_BLOB2"
    HANDOFF_TABLES2 = "EV_EFI_HANDOFF_TABLES2"
    VARIABLE_BOOT2 = "EV_EFI_VARIABLE_BOOT2"
    GPT2 = "EV_EFI_GPT_EVENT2"
    HCRTM = "EV_EFI_HCRTM_EVENT"
    AUTHORITY = "EV_EFI_VARIABLE_AUTHORITY"
    SPDM_FIRMWARE_BLOB = "EV_EFI_SPDM_FIRMWARE_BLOB"
    SPDM_FIRMWARE_CONFIG = "EV_EFI_SPDM_FIRMWARE_CONFIG"
    SPDM_DEVICE_POLICY = "EV_EFI_SPDM_DEVICE_POLICY"
    SPDM_DEVICE_AUTHORITY = "EV_EFI_SPDM_DEVICE_AUTHORITY"


BOOT_ACTION = b"Calling EFI Application from Boot Option"
RETURN_ACTION = b"Returning from EFI Application from Boot Option"
"""What firmware measures when it starts a boot option, and when that came back (PFP 1.06, section 10.4.4)."""
EXIT_ACTIONS = (b"Exit Boot Services Invocation", b"Exit Boot Services Returned with Success")
"""The two events that it measures last (section 8.2.4), and may keep from who reads the log earlier."""
EXIT_PCR = PcrIndex(5)
"""Where it measures them."""


def _numbered() -> Iterator[tuple[int, EventType]]:
    """Yield number and type: the specification counts up in the order above, from a few starting points."""
    types = list(EventType)
    first_efi, hcrtm, authority = map(types.index, (EventType.EFI_BASE, EventType.HCRTM, EventType.AUTHORITY))
    yield from enumerate(types[:first_efi])
    yield from enumerate(types[first_efi:hcrtm], 0x8000_0000)
    yield 0x8000_0010, EventType.HCRTM
    yield from enumerate(types[authority:], 0x8000_00E0)


EVENT_TYPES: Mapping[int, EventType] = dict(_numbered())
"""Number, as logs carry it, to type."""


def event_type(number: int) -> str:
    """Return the EventType of a number, or its eight hex digits, such as 0x00008401, where the TCG gave it no name."""
    return EVENT_TYPES.get(number, f"0x{number:08x}")


@dataclass(frozen=True, slots=True)
class Event:
    """One extend: into which PCR, of what digest, and what it stands for in words."""

    pcr: PcrIndex
    kind: str
    """An EventType, or the number of another."""
    digest: bytes
    about: str
    subject: str = ""
    """The thing itself, by name: of a variable, a section, a file. Empty where the kind of event says it all."""
    claimed: bool = False
    """Whether `about` is the word of a log, which no digest covers."""


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
