# SPDX-License-Identifier: Apache-2.0
"""What is inside the events of a log: the structures of PFP 1.06, section 10.2, each read to its last byte.

Their content is whatever the log's writer put there. All offsets in errors count from the start of the event's data.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from strongroom.formats.fields import Fields

_SPEC: Final = "TCG PC Client Platform Firmware Profile 1.06, section 10.2"
_TABLE_BYTES = 16 + 8


@dataclass(frozen=True, slots=True)
class VariableData:
    """UEFI_VARIABLE_DATA: a UEFI variable."""

    vendor: uuid.UUID
    name: str
    content: bytes


def parse_variable_data(data: bytes) -> VariableData:
    """Read UEFI_VARIABLE_DATA (section 10.2.6). Raises FormatError."""
    fields = Fields(data, spec=_SPEC)
    vendor = fields.guid("the vendor's GUID")
    characters, content_bytes = fields.number(8, "the length of the name"), fields.number(8, "the size of the variable")
    name = fields.take(2 * characters, "the name").decode("utf-16-le", "replace")
    content = fields.take(content_bytes, "the variable")
    fields.expect_end()
    return VariableData(vendor, name, content)


@dataclass(frozen=True, slots=True)
class ImageLoad:
    """UEFI_IMAGE_LOAD_EVENT: a PE image that the firmware loaded. None of it is in the digest."""

    address: int
    size_bytes: int
    device_path: bytes


def parse_image_load(data: bytes) -> ImageLoad:
    """Read UEFI_IMAGE_LOAD_EVENT (section 10.2.3). Raises FormatError.

    Not to its last byte: shim logs bytes behind the path that it forgot to give a length.
    """
    fields = Fields(data, spec=_SPEC)
    address, size = fields.number(8, "the address"), fields.number(8, "the size")
    fields.take(8, "the address it was linked for")
    return ImageLoad(address, size, fields.sized(8, "the path"))


@dataclass(frozen=True, slots=True)
class FirmwareBlob:
    """UEFI_PLATFORM_FIRMWARE_BLOB or its successor: firmware in memory. The digest is of what lies there."""

    description: bytes
    """Empty in the older of the two."""
    address: int
    size_bytes: int


def parse_firmware_blob(data: bytes) -> FirmwareBlob:
    """Read UEFI_PLATFORM_FIRMWARE_BLOB (section 10.2.4): address and size. Raises FormatError."""
    return _firmware_blob(Fields(data, spec=_SPEC), b"")


def parse_firmware_blob2(data: bytes) -> FirmwareBlob:
    """Read UEFI_PLATFORM_FIRMWARE_BLOB2 (section 10.2.5): a description before them. Raises FormatError."""
    fields = Fields(data, spec=_SPEC)
    return _firmware_blob(fields, fields.sized(1, "the description"))


def _firmware_blob(fields: Fields, description: bytes) -> FirmwareBlob:
    blob = FirmwareBlob(description, fields.number(8, "the address"), fields.number(8, "the size"))
    fields.expect_end()
    return blob


@dataclass(frozen=True, slots=True)
class HandoffTables:
    """UEFI_HANDOFF_TABLE_POINTERS or its successor: tables, such as SMBIOS, that the firmware hands over."""

    description: bytes
    """Empty in the older of the two."""
    tables: tuple[tuple[uuid.UUID, int], ...]
    """Kind and address of each."""


def parse_handoff_tables(data: bytes) -> HandoffTables:
    """Read UEFI_HANDOFF_TABLE_POINTERS (section 10.2.7). Raises FormatError."""
    return _handoff_tables(Fields(data, spec=_SPEC), b"")


def parse_handoff_tables2(data: bytes) -> HandoffTables:
    """Read UEFI_HANDOFF_TABLE_POINTERS2 (section 10.2.8): a description before the tables. Raises FormatError."""
    fields = Fields(data, spec=_SPEC)
    return _handoff_tables(fields, fields.sized(1, "the description"))


def _handoff_tables(fields: Fields, description: bytes) -> HandoffTables:
    tables = Fields(fields.take(_TABLE_BYTES * fields.number(8, "the number of tables"), "tables"), spec=_SPEC)
    fields.expect_end()
    count = tables.left_bytes // _TABLE_BYTES
    return HandoffTables(
        description, tuple((tables.guid("a GUID"), tables.number(8, "an address")) for _ in range(count))
    )


@dataclass(frozen=True, slots=True)
class TaggedEvent:
    """TCG_PCClientTaggedEvent: a number that says what was measured, and a name for it."""

    tag: int
    name: bytes


def parse_tagged_event(data: bytes) -> TaggedEvent:
    """Read TCG_PCClientTaggedEvent (section 10.4.2.1). Raises FormatError."""
    fields = Fields(data, spec=_SPEC)
    tagged = TaggedEvent(fields.number(4, "the tag"), fields.sized(4, "the name"))
    fields.expect_end()
    return tagged
