# SPDX-License-Identifier: Apache-2.0
"""Events of the firmware about itself and the machine: PCR 0, 1, 3 and 6, separators, and what it is about to do."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping

from strongroom.formats.event_data import (
    FirmwareBlob,
    HandoffTables,
    parse_firmware_blob,
    parse_firmware_blob2,
    parse_handoff_tables,
    parse_handoff_tables2,
)
from strongroom.formats.event_log import LOCALITY_NAME
from strongroom.measure.events import BOOT_ACTION, EXIT_ACTIONS, RETURN_ACTION
from strongroom.measure.wording.words import Proof, Subject, Words, anything, listed, quoted, shown, text_of

_HANDED_OVER = "end of the firmware's own measurements"
_SEPARATORS = (
    (bytes(4), _HANDED_OVER),
    (b"\xff" * 4, _HANDED_OVER),
    (b"\x01\0\0\0", "the firmware failed to measure: what follows in this PCR says nothing"),
)
"""PFP 1.06, section 10.4.1, EV_SEPARATOR: two values of the normal case, and the one for an error."""
_ACTIONS = {
    BOOT_ACTION.decode(): "the firmware starts a boot option",
    RETURN_ACTION.decode(): "a boot option gave up, and the firmware goes on",
    EXIT_ACTIONS[0].decode(): "the kernel asks the firmware to leave",
    "Exit Boot Services Returned with Failure": "the firmware did not leave yet",
    EXIT_ACTIONS[1].decode(): "the firmware has left",
    "UEFI Debug Mode": "the firmware can be debugged: nothing that it measured can be trusted",
    "DMA Protection Disabled": "devices can write everywhere in memory",
}
"""PFP 1.06, section 10.4.4."""
_REFERENCE_NAMES = (b"SP800-155 Event", b"SP800-155 Event2", b"SP800-155 Event3")
_TABLES = {
    uuid.UUID("eb9d2d31-2d88-11d3-9a16-0090273fc14d"): "SMBIOS",
    uuid.UUID("f2fd1544-9794-4a2c-992e-e5bbcf20e394"): "SMBIOS 3",
    uuid.UUID("8868e871-e4f1-11d3-bc22-0080c73c8881"): "ACPI",
    uuid.UUID("eb9d2d30-2d88-11d3-9a16-0090273fc14d"): "ACPI 1.0",
}
"""UEFI 2.10, section 4.6.1."""
_MAX_TABLES = 8


def separator(subject: Subject) -> Words:
    """Put EV_SEPARATOR into words. They follow from the digest alone, whatever the log has as its data."""
    for value, about in _SEPARATORS:
        if subject.proof(value) is Proof.COVERED:
            return Words(about, Proof.COVERED)
    return Words(f"separator of no known value: {shown(subject.event.data)}", Proof.CLAIMED)


def is_separator(subject: Subject) -> bool:
    """Tell whether a separator was measured, of whatever type the log says that the event is."""
    return subject.proof(*(value for value, _ in _SEPARATORS)) is Proof.COVERED


def action(subject: Subject) -> Words:
    """Put EV_EFI_ACTION and EV_ACTION into words: their text is what is measured."""
    text = text_of(subject.event.data)
    if text is None:
        return anything(subject)
    meaning = f": {_ACTIONS[text]}" if text in _ACTIONS else ""
    return Words(f"{quoted(text)}{meaning}", subject.proof(subject.event.data))


def no_action(subject: Subject) -> Words:
    """Put EV_NO_ACTION into words. It extends nothing."""
    data = subject.event.data
    if data.startswith(LOCALITY_NAME):
        return Words(f"the TPM was started at locality {data[-1]}", Proof.UNMEASURED)
    if data.startswith(_REFERENCE_NAMES):
        return Words("where the maker of the firmware keeps its reference measurements", Proof.UNMEASURED)
    return Words(shown(data), Proof.UNMEASURED)


def described(what: str) -> Callable[[Subject], Words]:
    """Return what puts events of a kind into words, whose data is a text or a number that may be what is measured."""

    def words(subject: Subject) -> Words:
        data = subject.event.data
        proof = subject.proof(data)
        said = shown(data) if proof is Proof.COVERED else f"the log calls it {shown(data)}"
        return Words(f"{what}: {said}", proof)

    return words


def blob(subject: Subject) -> Words:
    """Put EV_EFI_PLATFORM_FIRMWARE_BLOB into words. Measured is what lies there, not where."""
    return _blob(parse_firmware_blob(subject.event.data))


def blob2(subject: Subject) -> Words:
    """Put EV_EFI_PLATFORM_FIRMWARE_BLOB2 and EV_POST_CODE2 into words."""
    return _blob(parse_firmware_blob2(subject.event.data))


def post_code(subject: Subject) -> Words:
    """Put EV_POST_CODE and EV_S_CRTM_CONTENTS into words: a text, or a place in memory as for a blob."""
    if text_of(subject.event.data) is None:
        return blob(subject)
    return described("code or tables of the firmware")(subject)


def _blob(said: FirmwareBlob) -> Words:
    name = f" {shown(said.description)}" if said.description else ""
    return Words(f"firmware{name}, {said.size_bytes} bytes at 0x{said.address:x}", Proof.CLAIMED)


def handoff_tables(subject: Subject) -> Words:
    """Put EV_EFI_HANDOFF_TABLES into words."""
    return _handoff(parse_handoff_tables(subject.event.data), subject)


def handoff_tables2(subject: Subject) -> Words:
    """Put EV_EFI_HANDOFF_TABLES2 into words."""
    return _handoff(parse_handoff_tables2(subject.event.data), subject)


def _handoff(said: HandoffTables, subject: Subject) -> Words:
    tables = listed([_TABLES.get(kind, str(kind)) for kind, _ in said.tables], most=_MAX_TABLES) or "none"
    name = f" {shown(said.description)}" if said.description else ""
    return Words(f"tables{name} for the operating system: {tables}", subject.proof(subject.event.data))


DESCRIPTIONS: Mapping[str, str] = {
    "EV_S_CRTM_VERSION": "version of the firmware",
    "EV_CPU_MICROCODE": "microcode of the processor",
    "EV_PLATFORM_CONFIG_FLAGS": "configuration of the platform",
    "EV_TABLE_OF_DEVICES": "devices of the platform",
    "EV_NONHOST_CODE": "code of a part beside the host",
    "EV_NONHOST_CONFIG": "configuration of a part beside the host",
    "EV_NONHOST_INFO": "a part beside the host",
    "EV_EFI_HCRTM_EVENT": "code that was measured before the firmware began",
    "EV_EFI_SPDM_FIRMWARE_BLOB": "firmware of a device",
    "EV_EFI_SPDM_FIRMWARE_CONFIG": "configuration of a device",
    "EV_EFI_SPDM_DEVICE_POLICY": "policy for devices",
    "EV_EFI_SPDM_DEVICE_AUTHORITY": "what vouched for a device",
}
"""Of event types whose data is shown as it is."""
