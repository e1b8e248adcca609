# SPDX-License-Identifier: Apache-2.0
"""The variable store of EDK II's firmware, as QEMU keeps it in a file (`OVMF_VARS.fd`). Read only.

A firmware volume (PI 1.8, volume 3, section 3.2.1) that begins with a VARIABLE_STORE_HEADER and its
AUTHENTICATED_VARIABLE_HEADERs (EDK II, MdeModulePkg/Include/Guid/VariableFormat.h). Variables are only ever appended
there and marked as deleted; what is behind the store, the work space of an update in flight, is not looked at.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from strongroom.errors import FormatError
from strongroom.formats.efi_variables import AUTHENTICATED, MAX_VARIABLES, TIME_BYTES, EfiVariable, EfiVariables

MAX_FILE_BYTES = 16 << 20
"""A store alone has 540,672 bytes at most, in front of its firmware's code 4 MiB."""
SIGNATURE_OFFSET = 40
SIGNATURE = b"_FVH"
"""EFI_FVH_SIGNATURE, which every firmware volume carries at SIGNATURE_OFFSET."""

_SPEC = "EDK II VariableFormat.h"
_VOLUME_GUID = uuid.UUID("fff12b8d-7696-4c8b-a985-2747075b4f50")  # gEfiSystemNvDataFvGuid
_STORE_GUID = uuid.UUID("aaf32c78-947b-439a-a180-2e144ec37792")  # gEfiAuthenticatedVariableGuid
_STORE = struct.Struct("<16sIBBHI")
_FORMATTED, _HEALTHY = 0x5A, 0xFE
_HEADER = struct.Struct("<HBBIQ16sIII16s")
_START_ID = 0x55AA
_FREE = 0xFFFF
_ADDED, _BEING_REPLACED = 0x3F, 0x3E
_NEVER_WRITTEN = 0xFFFF_FFFF


class _Header(NamedTuple):
    """AUTHENTICATED_VARIABLE_HEADER, field by field."""

    start_id: int
    state: int
    reserved: int
    attributes: int
    monotonic_count: int
    timestamp: bytes
    public_key_index: int
    name_bytes: int
    data_bytes: int
    vendor: bytes


@dataclass(frozen=True, slots=True)
class _Record:
    state: int
    variable: EfiVariable


def parse_edk2_store(data: bytes) -> EfiVariables:
    """Return the variables that the firmware would find. Raises FormatError for what is no such store."""
    start, end = _bounds(data)
    records = list(_records(data, start, end))
    added = {(r.variable.name, r.variable.vendor) for r in records if r.state == _ADDED}
    return EfiVariables(
        tuple(
            r.variable
            for r in records
            # A record that is being replaced counts until its successor is complete.
            if r.state == _ADDED or (r.state == _BEING_REPLACED and (r.variable.name, r.variable.vendor) not in added)
        )
    )


def _bounds(data: bytes) -> tuple[int, int]:
    """Return where the first record and the end of the store are."""
    if (
        len(data) > MAX_FILE_BYTES
        or data[16:32] != _VOLUME_GUID.bytes_le
        or not data.startswith(SIGNATURE, SIGNATURE_OFFSET)
    ):
        raise FormatError(
            "edk2-store.not-a-store", "expected a firmware volume with a variable store, found none", spec=_SPEC
        )
    header = int.from_bytes(data[48:50], "little")
    if len(data) < header + _STORE.size:
        raise _truncated(_STORE.size, len(data) - header, header)
    kind, size, form, state, _, _ = _STORE.unpack_from(data, header)
    if kind != _STORE_GUID.bytes_le or (form, state) != (_FORMATTED, _HEALTHY):
        raise FormatError(
            "edk2-store.not-a-store",
            "expected a healthy store of authenticated variables, found another",
            offset=header,
            spec=_SPEC,
        )
    if not _STORE.size <= size <= len(data) - header:
        raise _truncated(size, len(data) - header, header)
    return header + _STORE.size, header + size


def _records(data: bytes, offset: int, end: int) -> Iterator[_Record]:
    for _ in range(MAX_VARIABLES):
        if end - offset < _HEADER.size or int.from_bytes(data[offset : offset + 2], "little") == _FREE:
            return
        header = _Header._make(_HEADER.unpack_from(data, offset))
        if header.start_id != _START_ID:
            raise FormatError(
                "edk2-store.record",
                f"expected a variable or free space, found the mark {header.start_id:#06x}",
                offset=offset,
                spec=_SPEC,
            )
        name_bytes, data_bytes = (
            0 if size == _NEVER_WRITTEN else size for size in (header.name_bytes, header.data_bytes)
        )
        body = offset + _HEADER.size
        if name_bytes + data_bytes > end - body:
            raise _truncated(name_bytes + data_bytes, end - body, offset)
        if header.state in {_ADDED, _BEING_REPLACED}:
            yield _record(header, data[body : body + name_bytes], data[body + name_bytes :][:data_bytes], offset)
        offset = body + name_bytes + data_bytes
        offset += -offset % 4
    raise FormatError("edk2-store.too-many", f"expected at most {MAX_VARIABLES} records, found more", spec=_SPEC)


def _record(header: _Header, name: bytes, data: bytes, offset: int) -> _Record:
    variable = EfiVariable(
        name=_name(name, offset),
        vendor=uuid.UUID(bytes_le=header.vendor),
        attributes=header.attributes,
        data=data,
        timestamp=header.timestamp if header.attributes & AUTHENTICATED else bytes(TIME_BYTES),
    )
    return _Record(header.state, variable)


def _name(encoded: bytes, offset: int) -> str:
    try:
        name, _, rest = encoded.decode("utf-16-le").partition("\0")
    except UnicodeDecodeError as error:
        raise FormatError(
            "edk2-store.name", "expected a name in UTF-16, found other bytes", offset=offset, spec=_SPEC
        ) from error
    if not name or rest or not encoded.endswith(b"\0\0"):
        raise FormatError(
            "edk2-store.name", "expected a name with one NUL at its end, found another", offset=offset, spec=_SPEC
        )
    return name


def _truncated(expected: int, found: int, offset: int) -> FormatError:
    return FormatError("edk2-store.truncated", f"expected {expected} bytes, found {found}", offset=offset, spec=_SPEC)
