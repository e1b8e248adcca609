# SPDX-License-Identifier: Apache-2.0
"""EFI_LOAD_OPTION, the content of Boot####, Driver#### and SysPrep#### variables (UEFI 2.10, section 3.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strongroom.errors import FormatError
from strongroom.formats.device_path import DevicePath, read_device_path
from strongroom.formats.fields import Fields

_SPEC: Final = "UEFI 2.10 section 3.1.3"
_NUL = b"\0\0"


@dataclass(frozen=True, slots=True)
class LoadOption:
    """What to start. `optional_data` is handed to it: for a systemd-stub, the kernel's command line."""

    attributes: int
    description: str
    path: DevicePath
    optional_data: bytes


def parse_load_option(data: bytes) -> LoadOption:
    """Read an EFI_LOAD_OPTION. Of several paths in it only the first is for the boot manager. Raises FormatError."""
    fields = Fields(data, spec=_SPEC)
    attributes, path_bytes = fields.number(4, "the attributes"), fields.number(2, "the length of the paths")
    description = _description(fields)
    path = read_device_path(Fields(fields.take(path_bytes, "the paths"), spec=_SPEC))
    return LoadOption(attributes, description, path, fields.rest())


def _description(fields: Fields) -> str:
    rest = fields.data[fields.offset :]
    end = next((at for at in range(0, len(rest) - 1, 2) if rest[at : at + 2] == _NUL), None)
    if end is None:
        raise FormatError(
            "efi.load-option", "expected the end of the description, found none", offset=fields.offset, spec=_SPEC
        )
    return fields.take(end + len(_NUL), "the description")[:end].decode("utf-16-le", "replace")
