# SPDX-License-Identifier: Apache-2.0
"""UEFI_GPT_DATA: the partition table of the disk that was booted, as EV_EFI_GPT_EVENT carries it (PFP 1.06, 10.2.9).

The header of a GUID partition table, the number of partitions in use, and their entries (UEFI 2.10, section 5.3).
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Final

from strongroom.errors import FormatError
from strongroom.formats.fields import Fields
from strongroom.formats.gpt_header import LEAST_ENTRY_BYTES, SIGNATURE

_SPEC: Final = "TCG PC Client Platform Firmware Profile 1.06, section 10.2.9"
_BEFORE_DISK_BYTES, _BEFORE_SIZE_BYTES = 56 - len(SIGNATURE), 12
_ENTRY_BYTES = range(LEAST_ENTRY_BYTES, 4_097)
_PLACE_BYTES, _NAME_BYTES = 24, 72


@dataclass(frozen=True, slots=True)
class LoggedPartition:
    """One partition as the event tells of it: its type, its own GUID, its name."""

    kind: uuid.UUID
    unique: uuid.UUID
    name: str


@dataclass(frozen=True, slots=True)
class GptEvent:
    """A disk and the partitions in use on it."""

    disk: uuid.UUID
    partitions: tuple[LoggedPartition, ...]


def parse_gpt_event(data: bytes) -> GptEvent:
    """Read UEFI_GPT_DATA. Raises FormatError."""
    fields = Fields(data, spec=_SPEC)
    signature = fields.take(len(SIGNATURE), "the signature")
    fields.take(_BEFORE_DISK_BYTES, "the header")
    disk = fields.guid("the disk's GUID")
    fields.take(_BEFORE_SIZE_BYTES, "the header")
    entry_bytes = fields.number(4, "the size of an entry")
    fields.take(4, "a checksum")
    if signature != SIGNATURE or entry_bytes not in _ENTRY_BYTES:
        raise FormatError(
            "efi.gpt",
            f"expected a GUID partition table with entries of {_ENTRY_BYTES[0]} to {_ENTRY_BYTES[-1]} bytes, "
            f"found {signature!r} with {entry_bytes} bytes",
            offset=0,
            spec=_SPEC,
        )
    count = fields.number(8, "the number of partitions")
    entries = Fields(fields.take(count * entry_bytes, "entries"), spec=_SPEC)
    fields.expect_end()
    return GptEvent(disk, tuple(_partition(entries.take(entry_bytes, "an entry")) for _ in range(count)))


def _partition(entry: bytes) -> LoggedPartition:
    fields = Fields(entry, spec=_SPEC)
    kind, unique = fields.guid("the type"), fields.guid("the GUID")
    fields.take(_PLACE_BYTES, "start, end and attributes")
    name = fields.take(_NAME_BYTES, "the name").decode("utf-16-le", "replace")
    return LoggedPartition(kind, unique, name.partition("\0")[0])
