# SPDX-License-Identifier: Apache-2.0
"""UEFI variables (UEFI 2.10, section 8.2), and the list of them inside a `uefi-data` blob of AWS.

AWS describes the blob by its own tool only (awslabs/python-uefivars). What is compressed in it is read and written
here; the blob around it is the business of `strongroom.formats.uefi_data`. Little-endian throughout::

    u64  number of variables
    for each of them:
      u64  length of the name    name, UTF-8
      u64  length of the data    data
      16   vendor GUID           u32  attributes
      only with TIME_BASED_AUTHENTICATED_WRITE_ACCESS:
        16  EFI_TIME             u64  length of the digest    digest

Whoever may register an AMI or run an instance writes these variables as they like: the input is hostile.
"""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from strongroom.errors import FormatError
from strongroom.formats.efi import GLOBAL_VARIABLE
from strongroom.formats.fields import Fields

MAX_STORE_BYTES = 1 << 20
"""Of a whole list. The stores of EDK II have 256 KiB at most, and RegisterImage takes 64,000 characters of base64."""
MAX_VARIABLES = 4_096
MAX_NAME_BYTES = 1_024
AUTHENTICATED = 0x20
"""EFI_VARIABLE_TIME_BASED_AUTHENTICATED_WRITE_ACCESS: only a signed update changes it."""
TIME_BYTES = 16

_SPEC = "AWS uefi-data"
_SMALLEST_RECORD_BYTES = 8 + 1 + 8 + 16 + 4
_LENGTH_BYTES = 8


@dataclass(frozen=True, slots=True)
class EfiVariable:
    """One variable. Vendor and name together tell it from others."""

    name: str
    vendor: uuid.UUID
    attributes: int
    data: bytes
    timestamp: bytes = bytes(TIME_BYTES)
    """EFI_TIME of the last signed update; it counts only for AUTHENTICATED ones, and is measured nowhere."""
    digest: bytes = b""
    """What AWS keeps beside the timestamp: 32 bytes or none, for AUTHENTICATED ones. Its meaning is not published."""


@dataclass(frozen=True, slots=True)
class EfiVariables:
    """The variables of one machine in the order of their store.

    Raises FormatError where one stands twice: two readers could then see two machines.
    """

    variables: tuple[EfiVariable, ...]
    _found: Mapping[tuple[str, uuid.UUID], EfiVariable] = field(init=False, compare=False, repr=False)
    """By name and vendor: a boot order may name tens of thousands."""

    def __post_init__(self) -> None:
        found: dict[tuple[str, uuid.UUID], EfiVariable] = {}
        for variable in self.variables:
            if (variable.name, variable.vendor) in found:
                raise FormatError(
                    "efi-variables.duplicate",
                    f"expected each variable once, found {variable.name!r} of vendor {variable.vendor} twice",
                    spec="UEFI 2.10 section 8.2",
                )
            found[variable.name, variable.vendor] = variable
        object.__setattr__(self, "_found", found)

    def __iter__(self) -> Iterator[EfiVariable]:
        return iter(self.variables)

    def find(self, name: str, vendor: uuid.UUID = GLOBAL_VARIABLE) -> EfiVariable | None:
        """Return the variable of this name and vendor, None where there is none. Case counts, as in firmware."""
        return self._found.get((name, vendor))

    def content(self, name: str, vendor: uuid.UUID = GLOBAL_VARIABLE) -> bytes:
        """Return the data of a variable, none for one that is absent: a variable without data does not exist."""
        found = self.find(name, vendor)
        return b"" if found is None else found.data


def parse_aws_variables(data: bytes) -> EfiVariables:
    """Return the variables of a decompressed `uefi-data` blob. Raises FormatError for anything odd or behind them."""
    if len(data) > MAX_STORE_BYTES:
        raise FormatError(
            "efi-variables.too-large", f"expected at most {MAX_STORE_BYTES} bytes, found {len(data)}", spec=_SPEC
        )
    fields = Fields(data, spec=_SPEC)
    count = fields.number(_LENGTH_BYTES, "the number of variables")
    most = min(MAX_VARIABLES, fields.left_bytes // _SMALLEST_RECORD_BYTES)
    if count > most:
        raise FormatError(
            "efi-variables.too-many",
            f"expected at most {most} variables in {fields.left_bytes} bytes, found a count of {count}",
            offset=0,
            spec=_SPEC,
        )
    variables = EfiVariables(tuple(_variable(fields) for _ in range(count)))
    fields.expect_end()
    return variables


def encode_aws_variables(variables: EfiVariables) -> bytes:
    """Return the list as AWS keeps it inside the blob: the inverse of `parse_aws_variables`."""
    return struct.pack("<Q", len(variables.variables)) + b"".join(_record(each) for each in variables)


def _variable(fields: Fields) -> EfiVariable:
    start = fields.offset
    name, data = _name(fields.sized(_LENGTH_BYTES, "a name"), start), fields.sized(_LENGTH_BYTES, "a variable")
    vendor, attributes = fields.guid("a vendor's GUID"), fields.number(4, "attributes")
    if not attributes & AUTHENTICATED:
        return EfiVariable(name, vendor, attributes, data)
    timestamp, digest = fields.take(TIME_BYTES, "a timestamp"), fields.sized(_LENGTH_BYTES, "a digest")
    return EfiVariable(name, vendor, attributes, data, timestamp=timestamp, digest=digest)


def _name(encoded: bytes, offset: int) -> str:
    try:
        name = encoded.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(
            "efi-variables.name", "expected a name in UTF-8, found other bytes", offset=offset, spec=_SPEC
        ) from error
    if not 0 < len(encoded) <= MAX_NAME_BYTES or "\0" in name:
        raise FormatError(
            "efi-variables.name",
            f"expected a name of 1 to {MAX_NAME_BYTES} bytes without NUL, found {len(encoded)} bytes",
            offset=offset,
            spec=_SPEC,
        )
    return name


def _record(variable: EfiVariable) -> bytes:
    record = b"".join((_sized(variable.name.encode()), _sized(variable.data), variable.vendor.bytes_le)) + struct.pack(
        "<I", variable.attributes
    )
    if not variable.attributes & AUTHENTICATED:
        return record
    return record + variable.timestamp + _sized(variable.digest)


def _sized(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data
