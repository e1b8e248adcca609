# SPDX-License-Identifier: Apache-2.0
"""Writes variables into an empty OVMF variable store, as the firmware would have.

Layout: a firmware volume header (PI specification 1.8, volume 3, section 3.2.1), then EDK II's VARIABLE_STORE_HEADER
and its AUTHENTICATED_VARIABLE_HEADERs (MdeModulePkg/Include/Guid/VariableFormat.h).
"""

import struct
import uuid
from dataclasses import dataclass

GLOBAL = uuid.UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c")
SECURITY_DATABASE = uuid.UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f")
SECURE_BOOT_ENABLE = uuid.UUID("f0a30bc7-af08-4556-99c4-001009c93a44")
CERT_X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
CERT_SHA256 = uuid.UUID("c1c41626-504c-4092-aca9-41f936934328")
OWNER = uuid.UUID("11111111-2222-3333-4444-555555555555")

PERSISTENT, BOOT, RUNTIME, TIME_AUTHENTICATED = 1, 2, 4, 0x20
STORE_HEADER_BYTES = 28
START_ID, ADDED = 0x55AA, 0x3F
TIMESTAMP = struct.pack("<HBBBBBBIhBB", 2024, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Variable:
    name: str
    data: bytes
    vendor: uuid.UUID = GLOBAL
    attributes: int = PERSISTENT | BOOT | RUNTIME


def write_variables(empty_store: bytes, variables: list[Variable]) -> bytes:
    store = bytearray(empty_store)
    (volume_header,) = struct.unpack_from("<H", store, 48)
    offset = volume_header + STORE_HEADER_BYTES
    assert store[offset : offset + 2] == b"\xff\xff", "the store is empty"
    for variable in variables:
        name = variable.name.encode("utf-16-le") + b"\0\0"
        authenticated = variable.attributes & TIME_AUTHENTICATED
        header = struct.pack(
            "<HBBIQ16sIII16s",
            START_ID,
            ADDED,
            0,
            variable.attributes,
            0,
            TIMESTAMP if authenticated else bytes(16),
            0,
            len(name),
            len(variable.data),
            variable.vendor.bytes_le,
        )
        record = header + name + variable.data
        store[offset : offset + len(record)] = record
        offset += -(-len(record) // 4) * 4
    return bytes(store)


def signature_list(content: bytes, *, kind: uuid.UUID = CERT_X509) -> bytes:
    """An .esl file with one entry."""
    entry = OWNER.bytes_le + content
    return kind.bytes_le + struct.pack("<III", 28 + len(entry), 0, len(entry)) + entry


def secure_boot(*, pk: bytes, kek: bytes, db: bytes, dbx: bytes) -> list[Variable]:
    keys = PERSISTENT | BOOT | RUNTIME | TIME_AUTHENTICATED
    return [
        Variable("PK", pk, attributes=keys),
        Variable("KEK", kek, attributes=keys),
        Variable("db", db, SECURITY_DATABASE, keys),
        Variable("dbx", dbx, SECURITY_DATABASE, keys),
        Variable("SecureBootEnable", b"\x01", SECURE_BOOT_ENABLE, PERSISTENT | BOOT),
    ]


def load_option(path: str, *, options: str = "") -> bytes:
    """EFI_LOAD_OPTION with a path on whatever medium holds it (UEFI 2.10, sections 3.1.2 and 3.1.3)."""
    text = path.encode("utf-16-le") + b"\0\0"
    place = struct.pack("<BBH", 4, 4, 4 + len(text)) + text + b"\x7f\xff\x04\x00"
    extra = options.encode("utf-16-le") + b"\0\0" if options else b""
    return struct.pack("<IH", 1, len(place)) + "test".encode("utf-16-le") + b"\0\0" + place + extra


def boot_with_options(path: str, options: str) -> list[Variable]:
    return [
        Variable("Boot0042", load_option(path, options=options)),
        Variable("BootOrder", struct.pack("<H", 0x42)),
    ]


def run_driver_first(path: str) -> list[Variable]:
    return [Variable("Driver0000", load_option(path)), Variable("DriverOrder", struct.pack("<H", 0))]


def run_preparation_first(path: str) -> list[Variable]:
    return [Variable("SysPrep0000", load_option(path)), Variable("SysPrepOrder", struct.pack("<H", 0))]
