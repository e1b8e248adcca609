# SPDX-License-Identifier: Apache-2.0
"""EFI device paths (UEFI 2.10, section 10.3): where firmware found a program, as a list of nodes, and as text.

The text follows section 10.6.1.6 for the nodes that EC2, QEMU and usual PCs show; others are written as Path(type,
subtype, hex). It is for people: it says less than the bytes, and nothing is read back from it.
"""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from strongroom.errors import FormatError
from strongroom.formats.fields import Fields

MAX_NODES = 64
"""A path on a PC has about six."""
_SPEC: Final = "UEFI 2.10 section 10.3"
_END = 0x7F
_WHOLE_END, _INSTANCE_END = 0xFF, 0x01
_HEADER_BYTES = 4
_SHOWN_BYTES = 16
_PCI_ROOT = 0x0A03_41D0
"""EISA id PNP0A03 (section 10.3.3)."""
_MBR, _GPT = 1, 2
_FILE = (4, 4)


@dataclass(frozen=True, slots=True)
class DevicePathNode:
    """One node: its type and subtype, and what follows them."""

    type: int
    subtype: int
    body: bytes

    @property
    def text(self) -> str:
        """The node in words; hex where it has no known words."""
        write = _WORDS.get((self.type, self.subtype))
        try:
            if write is not None:
                return write(Fields(self.body, spec=_SPEC))
        except FormatError:  # of a known kind, and too short for it
            return self._hex
        return self._hex

    @property
    def _hex(self) -> str:
        rest = "…" if len(self.body) > _SHOWN_BYTES else ""
        return f"Path({self.type},{self.subtype},{self.body[:_SHOWN_BYTES].hex()}{rest})"


@dataclass(frozen=True, slots=True)
class DevicePath:
    """A path from the machine's root to a device, and mostly on to a file."""

    nodes: tuple[DevicePathNode, ...]

    @property
    def text(self) -> str:
        """All nodes, with / between them."""
        return "/".join(node.text for node in self.nodes)

    @property
    def device(self) -> str:
        """The same without the file: what it lies on."""
        return "/".join(node.text for node in self.nodes if (node.type, node.subtype) != _FILE)

    @property
    def file(self) -> str:
        """The path of the file on its file system, with backslashes; empty where there is none."""
        parts = [_utf16(node.body) for node in self.nodes if (node.type, node.subtype) == _FILE]
        return "\\".join(part.strip("\\") if number else part.rstrip("\\") for number, part in enumerate(parts))


def parse_device_path(data: bytes) -> DevicePath:
    """Read one device path that fills `data`. Raises FormatError."""
    fields = Fields(data, spec=_SPEC)
    path = read_device_path(fields)
    fields.expect_end()
    return path


def read_device_path(fields: Fields) -> DevicePath:
    """Take one device path, to its end node. Raises FormatError."""
    nodes: list[DevicePathNode] = []
    for _ in range(MAX_NODES + 1):
        offset = fields.offset
        kind, subtype, size = fields.number(1, "a type"), fields.number(1, "a subtype"), fields.number(2, "a length")
        if size < _HEADER_BYTES:
            raise FormatError(
                "efi.device-path",
                f"expected a node of at least {_HEADER_BYTES} bytes, found {size}",
                offset=offset,
                spec=_SPEC,
            )
        body = fields.take(size - _HEADER_BYTES, "a node")
        if (kind, subtype) == (_END, _WHOLE_END):
            return DevicePath(tuple(nodes))
        nodes.append(DevicePathNode(kind, subtype, body))
    raise FormatError(
        "efi.device-path", f"expected at most {MAX_NODES} nodes, found more", offset=fields.offset, spec=_SPEC
    )


def _utf16(data: bytes) -> str:
    return data.decode("utf-16-le", "replace").partition("\0")[0]


def _pci(fields: Fields) -> str:
    function, device = fields.number(1, "a function"), fields.number(1, "a device")
    return f"Pci(0x{device:x},0x{function:x})"


def _acpi(fields: Fields) -> str:
    hid, uid = fields.number(4, "an ACPI id"), fields.number(4, "a number")
    return f"PciRoot(0x{uid:x})" if hid == _PCI_ROOT else f"Acpi(0x{hid:08x},0x{uid:x})"


def _numbers(name: str, *sizes_bytes: int) -> Callable[[Fields], str]:
    return lambda fields: f"{name}({','.join(f'0x{fields.number(size, name):x}' for size in sizes_bytes)})"


def _guid(name: str) -> Callable[[Fields], str]:
    return lambda fields: f"{name}({fields.guid(name)})"


def _nvme(fields: Fields) -> str:
    namespace = fields.number(4, "a namespace")
    return f"NVMe(0x{namespace:x},{fields.take(8, 'an EUI-64')[::-1].hex('-')})"


def _mac(fields: Fields) -> str:
    return f"MAC({fields.take(6, 'an address').hex()})"


def _ipv4(fields: Fields) -> str:
    fields.take(4, "our address")
    return f"IPv4({ipaddress.IPv4Address(fields.take(4, 'an address'))})"


def _ipv6(fields: Fields) -> str:
    fields.take(16, "our address")
    return f"IPv6({ipaddress.IPv6Address(fields.take(16, 'an address'))})"


def _uri(fields: Fields) -> str:
    return f"Uri({fields.rest().decode('ascii', 'replace')})"


def _hard_drive(fields: Fields) -> str:
    number = fields.number(4, "a partition")
    fields.take(16, "start and size")
    signature, _, kind = fields.take(16, "a signature"), fields.number(1, "a format"), fields.number(1, "a kind")
    if kind == _GPT:
        return f"HD({number},GPT,{uuid.UUID(bytes_le=signature)})"
    return f"HD({number},MBR,0x{signature[3::-1].hex()})" if kind == _MBR else f"HD({number},{signature.hex()})"


_WORDS: Mapping[tuple[int, int], Callable[[Fields], str]] = {
    (1, 1): _pci,
    (1, 3): _numbers("MemoryMapped", 4, 8, 8),
    (1, 4): _guid("VenHw"),
    (2, 1): _acpi,
    (3, 2): _numbers("Scsi", 2, 2),
    (3, 5): _numbers("USB", 1, 1),
    (3, 10): _guid("VenMsg"),
    (3, 11): _mac,
    (3, 12): _ipv4,
    (3, 13): _ipv6,
    (3, 18): _numbers("Sata", 2, 2, 2),
    (3, 23): _nvme,
    (3, 24): _uri,
    (4, 1): _hard_drive,
    (4, 2): _numbers("CDROM", 4),
    (4, 3): _guid("VenMedia"),
    _FILE: lambda fields: _utf16(fields.rest()),
    (4, 6): _guid("FvFile"),
    (4, 7): _guid("Fv"),
    (_END, _INSTANCE_END): lambda _: ",",
}
"""By type and subtype (section 10.3.2 to 10.3.5)."""
