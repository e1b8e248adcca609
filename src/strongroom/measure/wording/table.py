# SPDX-License-Identifier: Apache-2.0
"""Which function puts which event into words, and the PCRs where such an event belongs (PFP 1.06, section 3.3.4).

No digest covers an event's type. Were COVERED given in any PCR, a file that GRUB measured into PCR 9 could be made to
read as a Secure Boot variable, by giving its event that variable's type.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import replace

from strongroom.errors import FormatError
from strongroom.formats.event_log import EV_NO_ACTION
from strongroom.formats.pcrs import PCR_COUNT
from strongroom.measure.events import EventType, event_type
from strongroom.measure.wording import firmware, loaders, programs, variables
from strongroom.measure.wording.words import Proof, Subject, Words, anything

_FIRMWARE = range(8)
_LOADERS = range(8, 16)
_ANYWHERE = range(PCR_COUNT)
_STUB_PCR = 11

_KINDS: Mapping[str, tuple[Callable[[Subject], Words], Container[int]]] = {
    **{kind: (firmware.described(what), _FIRMWARE) for kind, what in firmware.DESCRIPTIONS.items()},
    EventType.CRTM_VERSION: (firmware.described("version of the firmware"), {0}),
    EventType.SEPARATOR: (firmware.separator, _ANYWHERE),
    EventType.ACTION: (firmware.action, _FIRMWARE),
    EventType.BIOS_ACTION: (firmware.action, _FIRMWARE),
    EventType.CRTM_CONTENTS: (firmware.post_code, {0}),
    EventType.POST_CODE: (firmware.post_code, {0}),
    EventType.POST_CODE2: (firmware.blob2, {0}),
    EventType.FIRMWARE_BLOB: (firmware.blob, {0}),
    EventType.FIRMWARE_BLOB2: (firmware.blob2, {0}),
    EventType.HANDOFF_TABLES: (firmware.handoff_tables, {1}),
    EventType.HANDOFF_TABLES2: (firmware.handoff_tables2, {1}),
    EventType.VARIABLE: (variables.configuration, {1, 3, 5, 7}),
    EventType.AUTHORITY: (variables.authority, {7}),
    EventType.VARIABLE_BOOT: (variables.boot, {1, 5}),
    EventType.VARIABLE_BOOT2: (variables.boot, {1, 5}),
    EventType.APPLICATION: (programs.loaded("EFI program"), {4}),
    EventType.DRIVER: (programs.loaded("EFI driver"), {0, 2}),
    EventType.RUNTIME_DRIVER: (programs.loaded("EFI driver that stays"), {0, 2}),
    EventType.GPT: (programs.partition_table, {5}),
    EventType.GPT2: (programs.partition_table, {5}),
    EventType.IPL: (loaders.ipl, _LOADERS),
    EventType.EVENT_TAG: (loaders.tag, _ANYWHERE),
}


def words_for(subject: Subject) -> Words:
    """Return words for any event. Never raises for what its data holds: that is shown in hex then."""
    if subject.event.kind == EV_NO_ACTION:
        return firmware.no_action(subject)
    section = loaders.section(subject) if subject.event.pcr == _STUB_PCR else None
    return section or _by_kind(subject)


def _by_kind(subject: Subject) -> Words:
    put, pcrs = _KINDS.get(event_type(subject.event.kind), (anything, _ANYWHERE))
    try:
        words = put(subject)
    except FormatError:
        words = anything(subject)
    return words if subject.event.pcr in pcrs else replace(words, proof=Proof.CLAIMED)
