# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import struct
import uuid

import pytest
from tests.event_logs import PATH_END, file_path, load_option, node

from strongroom.errors import FormatError
from strongroom.formats.device_path import MAX_NODES, parse_device_path
from strongroom.formats.load_option import parse_load_option

GUID = uuid.UUID("55c5d1f8-04cd-46b5-8a20-e56cbb3052d0")
GPT_PART = uuid.UUID("6dfcfab1-782b-f54a-8874-ba4c0986aaed")


def text_of(*nodes: bytes) -> str:
    return parse_device_path(b"".join(nodes) + PATH_END).text


def code_of(parse, data: bytes) -> str:
    with pytest.raises(FormatError) as caught:
        parse(data)
    return caught.value.code


def test_a_path_to_a_file_is_written_as_uefi_writes_it():
    parsed = parse_device_path(file_path("\\EFI\\BOOT\\BOOTX64.EFI"))
    partition = "HD(1,GPT,00000000-0000-0000-0000-000000000007)"
    assert parsed.device == f"PciRoot(0x0)/Pci(0x8,0x0)/{partition}"
    assert parsed.file == "\\EFI\\BOOT\\BOOTX64.EFI"
    assert parsed.text == f"{parsed.device}/{parsed.file}"


def test_a_file_in_several_nodes_is_one_path():
    parts = (node(4, 4, part.encode("utf-16-le")) for part in ("\\EFI\\fedora\0", "shimx64.efi\0"))
    parsed = parse_device_path(b"".join(parts) + PATH_END)
    assert (parsed.file, parsed.device) == ("\\EFI\\fedora\\shimx64.efi", "")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (node(1, 3, struct.pack("<IQQ", 11, 0x1000, 0x2000)), "MemoryMapped(0xb,0x1000,0x2000)"),
        (node(1, 4, GUID.bytes_le), f"VenHw({GUID})"),
        (node(2, 1, struct.pack("<II", 0x050141D0, 1)), "Acpi(0x050141d0,0x1)"),
        (node(3, 2, struct.pack("<HH", 1, 2)), "Scsi(0x1,0x2)"),
        (node(3, 5, b"\1\2"), "USB(0x1,0x2)"),
        (node(3, 10, GUID.bytes_le), f"VenMsg({GUID})"),
        (node(3, 11, bytes.fromhex("0a0b0c0d0e0f") + bytes(27)), "MAC(0a0b0c0d0e0f)"),
        (node(3, 12, bytes(4) + bytes([10, 0, 2, 15]) + bytes(11)), "IPv4(10.0.2.15)"),
        (node(3, 13, bytes(16) + bytes(15) + b"\1" + bytes(24)), "IPv6(::1)"),
        (node(3, 18, struct.pack("<HHH", 1, 0xFFFF, 0)), "Sata(0x1,0xffff,0x0)"),
        (node(3, 23, struct.pack("<I", 1) + bytes.fromhex("002538b941b131c0")), "NVMe(0x1,c0-31-b1-41-b9-38-25-00)"),
        (node(3, 24, b"http://a/b.efi"), "Uri(http://a/b.efi)"),
        (node(4, 1, struct.pack("<IQQ", 3, 0, 9) + GPT_PART.bytes_le + b"\2\2"), f"HD(3,GPT,{GPT_PART})"),
        (node(4, 1, struct.pack("<IQQ", 1, 0, 9) + bytes.fromhex("fafd1abe").ljust(16, b"\0") + b"\1\1"),
         "HD(1,MBR,0xbe1afdfa)"),
        (node(4, 1, struct.pack("<IQQ", 1, 0, 9) + bytes(16) + b"\1\0"), f"HD(1,{'00' * 16})"),
        (node(4, 2, struct.pack("<IQQ", 1, 2, 3)), "CDROM(0x1)"),
        (node(4, 3, GUID.bytes_le), f"VenMedia({GUID})"),
        (node(4, 6, GUID.bytes_le), f"FvFile({GUID})"),
        (node(4, 7, GUID.bytes_le), f"Fv({GUID})"),
        (node(9, 9, b"abc"), "Path(9,9,616263)"),
        (node(9, 9, b"a" * 17), f"Path(9,9,{'61' * 16}…)"),
        (node(1, 1, b"\1"), "Path(1,1,01)"),
        (node(3, 23, b""), "Path(3,23,)"),
        (node(0x7F, 1, b""), ","),
        (b"", ""),
    ],
)  # fmt: skip
def test_each_node_has_its_text_and_unknown_or_short_ones_their_bytes(data, text):
    assert text_of(data) == text


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "efi.truncated"),
        (PATH_END[:-1], "efi.truncated"),
        (node(1, 1, b"\0\0"), "efi.truncated"),
        (struct.pack("<BBH", 1, 1, 3) + PATH_END, "efi.device-path"),
        (struct.pack("<BBH", 1, 1, 0) + PATH_END, "efi.device-path"),
        (struct.pack("<BBH", 1, 1, 0xFFFF) + PATH_END, "efi.truncated"),
        (node(9, 9, b"") * (MAX_NODES + 1) + PATH_END, "efi.device-path"),
        (PATH_END + b"x", "efi.trailing"),
    ],
)
def test_one_fault_each(data, code):
    assert code_of(parse_device_path, data) == code


def test_a_path_may_have_as_many_nodes_as_the_bound():
    assert len(parse_device_path(node(9, 9, b"") * MAX_NODES + PATH_END).nodes) == MAX_NODES


def test_a_load_option_is_read():
    option = parse_load_option(load_option("Linux", file_path("\\a.efi"), b"options"))
    assert (option.attributes, option.description, option.path.file) == (1, "Linux", "\\a.efi")
    assert option.optional_data == b"options"


def test_of_several_paths_the_first_is_taken():
    assert parse_load_option(load_option("", file_path("\\a.efi") + file_path("\\b.efi"))).path.file == "\\a.efi"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "efi.truncated"),
        (bytes(6), "efi.load-option"),
        (load_option("x", PATH_END)[:8], "efi.load-option"),
        (load_option("x", PATH_END)[:-1], "efi.truncated"),
        (load_option("x", node(9, 9, b"")), "efi.truncated"),
    ],
)
def test_what_is_no_load_option_is_refused(data, code):
    assert code_of(parse_load_option, data) == code
