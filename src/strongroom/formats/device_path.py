# SPDX-License-Identifier: Apache-2.0
"""UEFI device paths: where the firmware finds what it loads (UEFI 2.10, section 10.3), and their text (10.6).

A path is a list of nodes, each with its own length, closed by an end node. Text is given for the nodes that machines
on EC2 and in QEMU have; any other node appears as its numbers, `Path(type,subtype,hex)`, which the section allows.
"""

from __future__ import annotations

import ipaddress
import struct
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from strongroom.errors import FormatError

MAX_NODES = 256
"""In all paths of one list; real ones have a handful."""
END = 0x7F
END_ENTIRE, END_INSTANCE = 0xFF, 0x01
HARDWARE, ACPI, MESSAGING, MEDIA = 1, 2, 3, 4
PCI = (HARDWARE, 1)
ACPI_DEVICE = (ACPI, 1)
MAC = (MESSAGING, 11)
IPV4 = (MESSAGING, 12)
SCSI = (MESSAGING, 2)
SATA = (MESSAGING, 18)
NVME = (MESSAGING, 23)
URI = (MESSAGING, 24)
IPV6 = (MESSAGING, 13)
USB = (MESSAGING, 5)
MEMORY_MAPPED = (HARDWARE, 3)
VENDOR_HARDWARE, VENDOR_MESSAGING, VENDOR_MEDIA = (HARDWARE, 4), (MESSAGING, 10), (MEDIA, 3)
CD_ROM = (MEDIA, 2)
HARD_DRIVE = (MEDIA, 1)
FILE_PATH = (MEDIA, 4)
FIRMWARE_FILE = (MEDIA, 6)
FIRMWARE_VOLUME = (MEDIA, 7)

_SPEC = "UEFI 2.10 section 10.3"
_HEADER_BYTES = 4
_PCI_ROOT = 0x0A0341D0  # EISA id PNP0A03
_GPT, _GUID_SIGNATURE = 2, 2
_MBR, _MBR_SIGNATURE = 1, 1


@dataclass(frozen=True, slots=True)
class DevicePathNode:
    """One node. `content` is what stands behind the four bytes of its header."""

    kind: int
    subtype: int
    content: bytes

    @property
    def what(self) -> tuple[int, int]:
        """Type and subtype, as PCI, HARD_DRIVE and the others above name them."""
        return self.kind, self.subtype


DevicePath: TypeAlias = tuple[DevicePathNode, ...]
"""The nodes of a path without the end node that closes it; one between two instances stays."""


def parse_device_paths(data: bytes) -> tuple[DevicePath, ...]:
    """Return the paths that follow each other in `data`, at least one, each closed. Raises FormatError."""
    paths: list[DevicePath] = []
    nodes: list[DevicePathNode] = []
    offset = 0
    for _ in range(MAX_NODES):
        node = _node(data, offset)
        offset += _HEADER_BYTES + len(node.content)
        if node.what != (END, END_ENTIRE):
            nodes.append(node)
            continue
        paths.append(tuple(nodes))
        nodes = []
        if offset == len(data):
            return tuple(paths)
    raise FormatError(
        "device-path.too-many-nodes", f"expected at most {MAX_NODES} nodes, found more", offset=offset, spec=_SPEC
    )


def encode_device_paths(paths: Sequence[DevicePath]) -> bytes:
    """Return the paths one after the other, each closed by its end node."""
    end = DevicePathNode(END, END_ENTIRE, b"")
    return b"".join(
        struct.pack("<BBH", node.kind, node.subtype, _HEADER_BYTES + len(node.content)) + node.content
        for path in paths
        for node in (*path, end)
    )


def file_name(node: DevicePathNode) -> str:
    """Return the name in a FILE_PATH node, up to its NUL."""
    return node.content.decode("utf-16-le", "backslashreplace").split("\0")[0]


def device_path_text(path: DevicePath) -> str:
    r"""Return a path as people write it: PciRoot(0x0)/Pci(0x4,0x0)/NVMe(0x1,…)/\EFI\BOOT\BOOTX64.EFI."""
    return "/".join(_node_text(node) for node in path) or "an empty path"


def file_of_path(path: DevicePath) -> str:
    """Return the file that a path leads to, on its file system; empty where it leads to none."""
    parts = [file_name(node) for node in path if node.what == FILE_PATH]
    return "\\".join(part.strip("\\") if number else part.rstrip("\\") for number, part in enumerate(parts))


def device_of_path(path: DevicePath) -> str:
    """Return the text of a path without its file: what the file lies on; empty for a file alone."""
    return "/".join(_node_text(node) for node in path if node.what != FILE_PATH)


def _node(data: bytes, offset: int) -> DevicePathNode:
    length = int.from_bytes(data[offset + 2 : offset + 4], "little")
    left = len(data) - offset
    if left < _HEADER_BYTES or not _HEADER_BYTES <= length <= left:
        raise FormatError(
            "device-path.node",
            f"expected a node of at least {_HEADER_BYTES} bytes within {left}, found {length}",
            offset=offset,
            spec=_SPEC,
        )
    node = DevicePathNode(data[offset], data[offset + 1], data[offset + _HEADER_BYTES : offset + length])
    if node.kind == END and (node.content or node.subtype not in {END_ENTIRE, END_INSTANCE}):
        raise FormatError(
            "device-path.end", "expected an end node without content, found another", offset=offset, spec=_SPEC
        )
    return node


def _node_text(node: DevicePathNode) -> str:
    write, length = _TEXTS.get(node.what, (_numbers, 0))
    return write(node) if len(node.content) >= length else _numbers(node)


def _numbers(node: DevicePathNode) -> str:
    return f"Path({node.kind},{node.subtype},{node.content.hex()})"


def _acpi(node: DevicePathNode) -> str:
    hid, uid = struct.unpack_from("<II", node.content)
    return f"PciRoot({uid:#x})" if hid == _PCI_ROOT else f"Acpi({hid:#010x},{uid:#x})"


def _nvme(node: DevicePathNode) -> str:
    (namespace,) = struct.unpack_from("<I", node.content)
    return f"NVMe({namespace:#x},{node.content[11:3:-1].hex('-').upper()})"


def _guid(name: str) -> Callable[[DevicePathNode], str]:
    return lambda node: f"{name}({uuid.UUID(bytes_le=node.content[:16])})"


def _hard_drive(node: DevicePathNode) -> str:
    number, start, size = struct.unpack_from("<IQQ", node.content)
    kind = (node.content[36], node.content[37])
    if kind == (_MBR, _MBR_SIGNATURE):
        return f"HD({number},MBR,{int.from_bytes(node.content[20:24], 'little'):#010x},{start:#x},{size:#x})"
    if kind != (_GPT, _GUID_SIGNATURE):
        return _numbers(node)
    return f"HD({number},GPT,{uuid.UUID(bytes_le=node.content[20:36])},{start:#x},{size:#x})"


_TEXTS: Mapping[tuple[int, int], tuple[Callable[[DevicePathNode], str], int]] = {
    PCI: (lambda node: f"Pci({node.content[1]:#x},{node.content[0]:#x})", 2),
    ACPI_DEVICE: (_acpi, 8),
    SCSI: (lambda node: "Scsi({:#x},{:#x})".format(*struct.unpack_from("<HH", node.content)), 4),
    SATA: (lambda node: "Sata({:#x},{:#x},{:#x})".format(*struct.unpack_from("<HHH", node.content)), 6),
    NVME: (_nvme, 12),
    MAC: (lambda node: f"MAC({node.content[:6].hex()},{node.content[32]:#x})", 33),
    IPV4: (lambda node: f"IPv4({ipaddress.IPv4Address(node.content[4:8])})", 8),
    URI: (lambda node: f"Uri({node.content.decode('ascii', 'backslashreplace')})", 0),
    HARD_DRIVE: (_hard_drive, 38),
    FILE_PATH: (file_name, 0),
    MEMORY_MAPPED: (
        lambda node: "MemoryMapped({:#x},{:#x},{:#x})".format(*struct.unpack_from("<IQQ", node.content)),
        20,
    ),
    USB: (lambda node: f"USB({node.content[0]:#x},{node.content[1]:#x})", 2),
    IPV6: (lambda node: f"IPv6({ipaddress.IPv6Address(node.content[16:32])})", 32),
    CD_ROM: (lambda node: "CDROM({:#x})".format(*struct.unpack_from("<I", node.content)), 4),
    VENDOR_HARDWARE: (_guid("VenHw"), 16),
    VENDOR_MESSAGING: (_guid("VenMsg"), 16),
    VENDOR_MEDIA: (_guid("VenMedia"), 16),
    FIRMWARE_FILE: (_guid("FvFile"), 16),
    FIRMWARE_VOLUME: (_guid("Fv"), 16),
    (END, END_INSTANCE): (lambda _: ",", 0),
}
"""How a node is written, and how many bytes of content that takes."""
