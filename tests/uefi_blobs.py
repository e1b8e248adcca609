# SPDX-License-Identifier: Apache-2.0
"""`uefi-data` blobs, written independently of the code under test: layout by hand, dictionary from virt-firmware."""

import base64
import importlib.metadata
import struct
import uuid
import zlib
from collections.abc import Iterable
from pathlib import Path

from tests.boot.variables import GLOBAL, TIME_AUTHENTICATED, TIMESTAMP, Variable

from strongroom.formats.efi_variables import EfiVariable, EfiVariables

NO_DIGEST = bytes(32)
AUTO_CREATED = uuid.UUID("8108ac4e-9f11-4d59-850e-e21a522c59b2").bytes_le
LOADER = "\\EFI\\BOOT\\BOOTX64.EFI"


def aws_body(variables: Iterable[Variable]) -> bytes:
    """The list of variables as AWS compresses it."""
    rows = list(variables)
    body = struct.pack("<Q", len(rows))
    for row in rows:
        name = row.name.encode()
        body += struct.pack("<Q", len(name)) + name + struct.pack("<Q", len(row.data)) + row.data
        body += row.vendor.bytes_le + struct.pack("<I", row.attributes)
        if row.attributes & TIME_AUTHENTICATED:
            body += TIMESTAMP + struct.pack("<Q", len(NO_DIGEST)) + NO_DIGEST
    return body


def crc32c(data: bytes) -> int:
    value = 0xFFFF_FFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F6_3B78 if value & 1 else 0)
    return value ^ 0xFFFF_FFFF


def packed(body: bytes) -> bytes:
    dictionary = Path(str(importlib.metadata.distribution("virt-firmware").locate_file("virt/firmware/aws/dict.v0")))
    packer = zlib.compressobj(9, zdict=dictionary.read_bytes())
    return packer.compress(body) + packer.flush()


def aws_raw(stream: bytes, *, version: int = 0, checksum: int | None = None) -> bytes:
    """The bytes under the base64."""
    checked = struct.pack("<I", version) + stream
    return b"AMZNUEFI" + struct.pack("<I", crc32c(checked) if checksum is None else checksum) + checked


def aws_blob(variables: Iterable[Variable]) -> bytes:
    return base64.b64encode(aws_raw(packed(aws_body(variables))))


def efi_variables(*variables: Variable) -> EfiVariables:
    """The same variables as the code under test holds them."""
    return EfiVariables(tuple(EfiVariable(v.name, v.vendor, v.attributes, v.data) for v in variables))


def option(number: str, data: bytes) -> Variable:
    return Variable(number, data, GLOBAL)


def order(name: str, *numbers: int) -> Variable:
    return Variable(name, struct.pack(f"<{len(numbers)}H", *numbers))
