# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
import uuid

import pytest
from tests.boot.variables import load_option

from strongroom.errors import FormatError
from strongroom.formats import device_path
from strongroom.formats.device_path import (
    device_of_path,
    device_path_text,
    encode_device_paths,
    file_of_path,
    parse_device_paths,
)

END = b"\x7f\xff\x04\0"
NEXT_INSTANCE = b"\x7f\x01\x04\0"
GUID = uuid.UUID("01020304-0506-0708-090a-0b0c0d0e0f10")


def node(kind: int, subtype: int, content: bytes) -> bytes:
    return struct.pack("<BBH", kind, subtype, 4 + len(content)) + content


PCI_ROOT = node(2, 1, struct.pack("<II", 0x0A0341D0, 0))
PCI = node(1, 1, b"\x00\x04")
NVME = node(3, 23, struct.pack("<I", 1) + bytes.fromhex("0102030405060708"))
FILE = node(4, 4, "\\EFI\\BOOT\\BOOTX64.EFI\0".encode("utf-16-le"))
DISK = node(4, 1, struct.pack("<IQQ16sBB", 2, 0x800, 0x1000, GUID.bytes_le, 2, 2))


def code_of(data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse_device_paths(data)
    return caught.value.code


def text(*nodes: bytes) -> str:
    (path,) = parse_device_paths(b"".join(nodes) + END)
    return device_path_text(path)


def test_nodes_are_read_and_written_as_they_were():
    data = PCI_ROOT + NEXT_INSTANCE + PCI + END + FILE + END + END
    paths = parse_device_paths(data)
    assert [[n.what for n in path] for path in paths] == [[(2, 1), (0x7F, 1), (1, 1)], [(4, 4)], []]
    assert paths[0][2].content == b"\x00\x04"
    assert encode_device_paths(paths) == data


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        (PCI_ROOT + PCI + NVME, "PciRoot(0x0)/Pci(0x4,0x0)/NVMe(0x1,08-07-06-05-04-03-02-01)"),
        (DISK + FILE, f"HD(2,GPT,{GUID},0x800,0x1000)/\\EFI\\BOOT\\BOOTX64.EFI"),
        (node(2, 1, struct.pack("<II", 0x0A0341D1, 7)), "Acpi(0x0a0341d1,0x7)"),
        (node(3, 2, struct.pack("<HH", 1, 2)), "Scsi(0x1,0x2)"),
        (node(3, 18, struct.pack("<HHH", 1, 0xFFFF, 0)), "Sata(0x1,0xffff,0x0)"),
        (node(3, 11, bytes.fromhex("525400123456") + bytes(26) + b"\x01"), "MAC(525400123456,0x1)"),
        (node(3, 12, bytes(4) + bytes([10, 0, 2, 15]) + bytes(15)), "IPv4(10.0.2.15)"),
        (node(3, 24, b"http://boot.example/x\xff.efi"), "Uri(http://boot.example/x\\xff.efi)"),
        (node(4, 7, GUID.bytes_le) + node(4, 6, GUID.bytes_le), f"Fv({GUID})/FvFile({GUID})"),
        (node(9, 9, b"\x01\x02"), "Path(9,9,0102)"),
        (node(1, 1, b"\x01"), "Path(1,1,01)"),
        (node(4, 1, DISK[4:-2] + b"\x01\x01"), "HD(2,MBR,0x01020304,0x800,0x1000)"),
        (node(4, 1, DISK[4:-2] + b"\x01\x00"), f"Path(4,1,{(DISK[4:-2]).hex()}0100)"),
        (node(1, 3, struct.pack("<IQQ", 11, 0x1000, 0x2000)), "MemoryMapped(0xb,0x1000,0x2000)"),
        (node(1, 4, GUID.bytes_le), f"VenHw({GUID})"),
        (node(3, 5, b"\1\2"), "USB(0x1,0x2)"),
        (node(3, 10, GUID.bytes_le), f"VenMsg({GUID})"),
        (node(3, 13, bytes(16) + bytes(15) + b"\1" + bytes(24)), "IPv6(::1)"),
        (node(4, 2, struct.pack("<IQQ", 1, 2, 3)), "CDROM(0x1)"),
        (node(4, 3, GUID.bytes_le), f"VenMedia({GUID})"),
        (PCI + NEXT_INSTANCE + PCI, "Pci(0x4,0x0)/,/Pci(0x4,0x0)"),
        (node(3, 23, b""), "Path(3,23,)"),
        (node(4, 4, b"\0\xd8A\0"), "\\x00\\xd8A"),
        (b"", "an empty path"),
    ],
)
def test_a_path_is_written_as_people_write_it(nodes, words):
    assert text(nodes) == words


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "device-path.node"),
        (FILE, "device-path.node"),
        (END[:3], "device-path.node"),
        (FILE[:-1] + END, "device-path.node"),
        (b"\x01\x01\x03\0" + END, "device-path.node"),
        (b"\x01\x01\x00\0" + END, "device-path.node"),
        (b"\x01\x01\xff\xff" + END, "device-path.node"),
        (b"\x7f\xff\x05\0x", "device-path.end"),
        (b"\x7f\x02\x04\0", "device-path.end"),
        (END + b"x", "device-path.node"),
    ],
)
def test_one_fault_each(data, code):
    assert code_of(data) == code


def test_a_path_beyond_all_bounds_is_refused(monkeypatch):
    monkeypatch.setattr(device_path, "MAX_NODES", 2)
    assert len(parse_device_paths(PCI + END)) == 1
    assert code_of(PCI + PCI + END) == "device-path.too-many-nodes"


def test_another_writer_is_understood():
    data = load_option("\\EFI\\x.efi")
    (path,) = parse_device_paths(data[data.index(b"\x04\x04") :])
    assert device_path_text(path) == "\\EFI\\x.efi"


def test_a_path_is_taken_apart_into_file_and_device():
    (path,) = parse_device_paths(PCI_ROOT + DISK + FILE + END)
    assert file_of_path(path) == "\\EFI\\BOOT\\BOOTX64.EFI"
    assert device_of_path(path) == f"PciRoot(0x0)/HD(2,GPT,{GUID},0x800,0x1000)"


def test_a_file_in_several_nodes_is_one_path():
    parts = b"".join(node(4, 4, part.encode("utf-16-le")) for part in ("\\EFI\\fedora\0", "shimx64.efi\0"))
    (path,) = parse_device_paths(parts + END)
    assert (file_of_path(path), device_of_path(path)) == ("\\EFI\\fedora\\shimx64.efi", "")
