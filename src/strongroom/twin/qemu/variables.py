# SPDX-License-Identifier: Apache-2.0
"""Writes a machine's UEFI variables into OVMF's empty variable store, as its firmware would have.

The layout is that of `formats.edk2_store`, which reads it. A store made of AWS's `uefi-data` and one of variables that
were put together here are the same to the firmware; so are hostile ones.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from strongroom.errors import FormatError
from strongroom.formats.device_path import FILE_PATH, DevicePathNode
from strongroom.formats.edk2_store import parse_edk2_store
from strongroom.formats.efi import GLOBAL_VARIABLE, IMAGE_SECURITY_DATABASE, SECURE_BOOT_ENABLE
from strongroom.formats.efi_variables import AUTHENTICATED, EfiVariable, EfiVariables
from strongroom.formats.load_option import ACTIVE, LoadOption, encode_load_option
from strongroom.measure.secure_boot import SecureBootKeys

PERSISTENT: Final = 0x07
"""NON_VOLATILE, BOOTSERVICE_ACCESS and RUNTIME_ACCESS (UEFI 2.10, section 8.2)."""
_KEPT_FROM_RUNTIME: Final = 0x03
_SIGNED_AT = struct.pack("<HBBBBBBIhBB", 2024, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0)
"""EFI_TIME. Any: an update has to be newer."""
_VOLUME_HEADER_AT = 48
_STORE_HEADER_BYTES = 28
_SIZE_AT = 16
_RECORD = struct.Struct("<HBBIQ16sIII16s")
_START_ID, _ADDED = 0x55AA, 0x3F
_ON = b"\x01"


def write_store(empty: bytes, variables: EfiVariables) -> bytes:
    """Return a store that holds these variables.

    Where there is a platform key, Secure Boot is on, unless SecureBootEnable says otherwise: EDK II keeps that switch
    in a variable of its own, which AWS's `uefi-data` does not have. Raises FormatError where they do not fit, or
    `empty` is no empty store.
    """
    if parse_edk2_store(empty).variables:
        raise FormatError("qemu.store-not-empty", "expected an empty variable store, found one with variables")
    (start,) = struct.unpack_from("<H", empty, _VOLUME_HEADER_AT)
    (store_bytes,) = struct.unpack_from("<I", empty, start + _SIZE_AT)
    records = bytearray()
    for variable in _with_switch(variables):
        records += _record(variable)
        records += b"\xff" * (-len(records) % 4)
    room = store_bytes - _STORE_HEADER_BYTES
    if len(records) > room:
        raise FormatError(
            "qemu.store-full", f"expected at most {room} bytes of UEFI variables, found {len(records)}", offset=0
        )
    at = start + _STORE_HEADER_BYTES
    return empty[:at] + bytes(records) + empty[at + len(records) :]


def _with_switch(variables: EfiVariables) -> tuple[EfiVariable, ...]:
    has_key, has_switch = variables.content("PK"), variables.find("SecureBootEnable", SECURE_BOOT_ENABLE)
    if not has_key or has_switch:
        return variables.variables
    return (*variables, EfiVariable("SecureBootEnable", SECURE_BOOT_ENABLE, _KEPT_FROM_RUNTIME, _ON))


def _record(variable: EfiVariable) -> bytes:
    name = variable.name.encode("utf-16-le") + b"\0\0"
    header = _RECORD.pack(
        *(_START_ID, _ADDED, 0, variable.attributes, 0, variable.timestamp, 0),
        *(len(name), len(variable.data), variable.vendor.bytes_le),
    )
    return header + name + variable.data


def secure_boot_variables(keys: SecureBootKeys) -> tuple[EfiVariable, ...]:
    """Return the variables of a machine with Secure Boot on."""
    contents = (
        ("PK", GLOBAL_VARIABLE, keys.pk),
        ("KEK", GLOBAL_VARIABLE, keys.kek),
        ("db", IMAGE_SECURITY_DATABASE, keys.db),
        ("dbx", IMAGE_SECURITY_DATABASE, keys.dbx),
    )
    attributes = PERSISTENT | AUTHENTICATED
    return tuple(EfiVariable(name, vendor, attributes, data, _SIGNED_AT) for name, vendor, data in contents if data)


def file_option(path: str, *, command_line: str = "", description: str = "file") -> LoadOption:
    r"""Return an option that loads a file of a disk, named as `\EFI\BOOT\BOOTX64.EFI`, from whatever disk has it.

    `command_line` is what the program is given: a kernel's own, for a kernel image.
    """
    node = DevicePathNode(*FILE_PATH, path.encode("utf-16-le") + b"\0\0")
    given = command_line.encode("utf-16-le") + b"\0\0" if command_line else b""
    return LoadOption(ACTIVE, description, ((node,),), given)


def option_variables(kind: str, options: Sequence[LoadOption], *, first: int = 0) -> tuple[EfiVariable, ...]:
    """Return numbered options and their order: `kind` is Boot, Driver or SysPrep, `first` the first number."""
    numbered = dict(enumerate(options, start=first))
    order = struct.pack(f"<{len(numbered)}H", *numbered)
    return (
        *(setting(f"{kind}{number:04X}", encode_load_option(option)) for number, option in numbered.items()),
        setting(f"{kind}Order", order),
    )


def boot_next(number: int) -> EfiVariable:
    """Return the variable that has one option tried first, once."""
    return setting("BootNext", struct.pack("<H", number))


def setting(name: str, data: bytes) -> EfiVariable:
    """Return a variable of UEFI's own that anybody may write."""
    return EfiVariable(name, GLOBAL_VARIABLE, PERSISTENT, data)
