# SPDX-License-Identifier: Apache-2.0
"""EFI_LOAD_OPTION, the content of Boot####, Driver#### and SysPrep#### (UEFI 2.10, section 3.1.3), and their order.

u32 attributes, u16 length of the device paths, a description in UTF-16 with its NUL, the device paths, and behind them
whatever the program is to be given: for a Linux kernel and for systemd-stub, a kernel command line.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats.device_path import DevicePath, encode_device_paths, parse_device_paths

MAX_OPTION_BYTES = 65_536
ACTIVE = 0x01
"""LOAD_OPTION_ACTIVE: the boot manager loads it by itself."""
CATEGORY = 0x1F00
"""LOAD_OPTION_CATEGORY: 0 for what boots; others are for people to choose."""

_SPEC = "UEFI 2.10 section 3.1.3"
_NUMBERED = re.compile(r"(Boot|Driver|SysPrep|Key|PlatformRecovery)[0-9A-F]{4}")
_OPTIONS = frozenset({"Boot", "Driver", "SysPrep"})
_HEADER = struct.Struct("<IH")
_NUMBER_BYTES = 2


@dataclass(frozen=True, slots=True)
class LoadOption:
    """What to load, and what to give it. The first path counts; more may follow for the use of who is loaded."""

    attributes: int
    description: str
    paths: tuple[DevicePath, ...]
    optional_data: bytes = b""

    @property
    def is_active(self) -> bool:
        """Whether the boot manager loads it without being asked."""
        return bool(self.attributes & ACTIVE)

    @property
    def boots(self) -> bool:
        """Whether it takes part when BootOrder is gone through: active, and of the category that boots."""
        return self.is_active and not self.attributes & CATEGORY


def numbered_kind(name: str) -> str:
    """Return how the name of a numbered variable begins, such as Boot of Boot000A; empty for any other name.

    The number is four hex digits in upper case (UEFI 2.10, section 3.3).
    """
    found = _NUMBERED.fullmatch(name)
    return found[1] if found else ""


def names_load_option(name: str) -> bool:
    """Tell the names of variables that hold what a boot manager loads by itself: Boot####, Driver####, SysPrep####."""
    return numbered_kind(name) in _OPTIONS


def parse_load_option(data: bytes) -> LoadOption:
    """Return a load option. Raises FormatError; firmware ignores an option that it cannot read."""
    if not _HEADER.size <= len(data) <= MAX_OPTION_BYTES:
        raise FormatError(
            "load-option.size", f"expected {_HEADER.size} to {MAX_OPTION_BYTES} bytes, found {len(data)}", spec=_SPEC
        )
    attributes, paths_bytes = _HEADER.unpack_from(data)
    start = _description_end(data)
    if paths_bytes > len(data) - start:
        raise FormatError(
            "load-option.truncated",
            f"expected {paths_bytes} bytes of device paths, found {len(data) - start}",
            offset=4,
            spec=_SPEC,
        )
    paths_end = start + paths_bytes
    return LoadOption(
        attributes=attributes,
        description=_description(data[_HEADER.size : start - 2]),
        paths=_paths(data[start:paths_end], start),
        optional_data=data[paths_end:],
    )


def encode_load_option(option: LoadOption) -> bytes:
    """Return the option as it stands in its variable."""
    paths = encode_device_paths(option.paths)
    description = option.description.encode("utf-16-le") + b"\0\0"
    return _HEADER.pack(option.attributes, len(paths)) + description + paths + option.optional_data


def parse_option_order(data: bytes) -> tuple[int, ...]:
    """Return the numbers in BootOrder, DriverOrder, SysPrepOrder, or the one in BootNext. Raises FormatError."""
    if len(data) % _NUMBER_BYTES or len(data) > MAX_OPTION_BYTES:
        raise FormatError(
            "load-option.order",
            f"expected numbers of two bytes, {MAX_OPTION_BYTES} bytes at most, found {len(data)} bytes",
            spec="UEFI 2.10 section 3.1.1",
        )
    return tuple(number for (number,) in struct.iter_unpack("<H", data))


def _description_end(data: bytes) -> int:
    """Return the offset behind the NUL of the description."""
    for offset in range(_HEADER.size, len(data) - 1, 2):
        if data[offset] == data[offset + 1] == 0:
            return offset + 2
    raise FormatError(
        "load-option.description",
        "expected a description that ends with NUL, found no end",
        offset=_HEADER.size,
        spec=_SPEC,
    )


def _description(encoded: bytes) -> str:
    try:
        return encoded.decode("utf-16-le")
    except UnicodeDecodeError as error:
        raise FormatError(
            "load-option.description",
            "expected a description in UTF-16, found other bytes",
            offset=_HEADER.size + error.start,
            spec=_SPEC,
        ) from error


def _paths(data: bytes, start: int) -> tuple[DevicePath, ...]:
    try:
        return parse_device_paths(data)
    except FormatError as error:
        offset = None if error.offset is None else start + error.offset
        raise FormatError(error.code, error.message, offset=offset, spec=error.spec) from error
