# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import struct
import time
import uuid

import pytest
from tests.boot.variables import OWNER, Variable, load_option
from tests.uefi_blobs import AUTO_CREATED, LOADER, efi_variables, option, order

from strongroom.formats.efi_variables import EfiVariable, EfiVariables
from strongroom.formats.load_option import LoadOption, parse_load_option
from strongroom.measure.boot_options import (
    OptionKind,
    boot_option_findings,
    describe_option,
    given_to_program,
    leads_to_default_loader,
    options_in_order,
)

END = b"\x7f\xff\x04\0"
GOOD = load_option(LOADER)
SHELL = load_option("\\EFI\\shell.efi")
NVME = struct.pack("<BBHI8x", 3, 23, 16, 1)
PCI_ROOT = struct.pack("<BBHIIBBHBB", 2, 1, 12, 0x0A0341D0, 0, 1, 1, 6, 0, 4)
HARD_DRIVE = struct.pack("<BBHIQQ16sBB", 4, 1, 42, 1, 2048, 4096, OWNER.bytes_le, 2, 2)
MAC = struct.pack("<BBH32sB", 3, 11, 37, bytes(32), 1)
FIRMWARE_FILE = struct.pack("<BBH16s", 4, 6, 20, OWNER.bytes_le)
NEXT_INSTANCE = b"\x7f\x01\x04\0"


def file(name: str) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    return struct.pack("<BBH", 4, 4, 4 + len(text)) + text


def made(path: bytes, *, attributes: int = 1, given: bytes = b"") -> bytes:
    return struct.pack("<IH", attributes, len(path + END)) + "made".encode("utf-16-le") + b"\0\0" + path + END + given


def with_attributes(data: bytes, attributes: int) -> bytes:
    return struct.pack("<I", attributes) + data[4:]


def codes(*variables: Variable) -> list[str]:
    return [finding.code for finding in boot_option_findings(efi_variables(*variables))]


def message(*variables: Variable) -> str:
    (finding,) = boot_option_findings(efi_variables(*variables))
    return finding.message


def booting(*options: bytes) -> list[Variable]:
    rows = [option(f"Boot{number:04X}", data) for number, data in enumerate(options)]
    return [*rows, order("BootOrder", *range(len(options)))]


def test_no_variables_and_the_default_loader_leave_the_boot_alone():
    assert codes() == []
    assert codes(*booting(GOOD)) == []
    assert codes(*booting(GOOD, SHELL)) == []


def test_a_genuine_store_of_an_instance_leaves_the_boot_alone(genuine_vectors):
    rows = json.loads((genuine_vectors / "uefi-variables/pyuefivars-t01.json").read_text())["variables"]
    variables = EfiVariables(
        tuple(EfiVariable(r["name"], uuid.UUID(r["guid"]), r["attr"], bytes.fromhex(r["data"])) for r in rows)
    )
    assert [each.name for each in options_in_order(variables, OptionKind.BOOT)] == ["Boot0000", "Boot0001"]
    assert boot_option_findings(variables) == ()


@pytest.mark.attack("B20")
def test_a_driver_is_a_finding():
    rows = [option("Driver000A", load_option("\\EFI\\driver.efi")), order("DriverOrder", 10)]
    assert codes(*rows) == ["boot-option.driver"]
    said = message(*rows)
    assert "Driver000A" in said
    assert "\\EFI\\driver.efi" in said
    assert "PCR 2 moves" in said


@pytest.mark.attack("B20")
def test_a_preparation_program_is_a_finding():
    rows = [option("SysPrep0000", load_option("\\EFI\\prepare.efi")), order("SysPrepOrder", 0)]
    assert codes(*rows) == ["boot-option.preparation"]
    assert "PCR 4 moves" in message(*rows)


@pytest.mark.parametrize("kind", ["Driver", "SysPrep"])
def test_what_firmware_does_not_load_by_itself_is_none(kind):
    assert codes(option(f"{kind}0000", SHELL)) == []
    assert codes(option(f"{kind}0000", with_attributes(SHELL, 0)), order(f"{kind}Order", 0)) == []
    assert codes(order(f"{kind}Order", 0)) == []


@pytest.mark.attack("B1")
def test_a_command_line_is_a_finding_and_quoted():
    rows = booting(load_option(LOADER, options="quiet init=/bin/sh"))
    assert codes(*rows) == ["boot-option.command-line"]
    said = message(*rows)
    assert 'the command line "quiet init=/bin/sh"' in said
    assert "PCR 12" in said


@pytest.mark.attack("B1")
def test_a_command_line_is_found_behind_a_good_option_too():
    assert codes(*booting(GOOD, load_option(LOADER, options="x"))) == ["boot-option.command-line"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (b"", ""),
        (AUTO_CREATED, ""),
        (AUTO_CREATED + b"\0", "17 bytes 4eac08"),
        ("init=/bin/sh".encode("utf-16-le"), 'the command line "init=/bin/sh"'),
        (b"\x00\xd8\x00\xd8", "4 bytes 00d800d8"),
        ("a\nb".encode("utf-16-le"), "6 bytes 61000a006200"),
        (b"\0\0", "2 bytes 0000"),
        (("x" * 500).encode("utf-16-le"), f'the command line "{"x" * 400}"…'),
        (b"\xff" * 500, f"500 bytes {'ff' * 50}"),
    ],
)
def test_what_a_program_is_given_is_said(given, words):
    said = given_to_program(parse_load_option(made(file(LOADER), given=given)))
    assert said.startswith(words) if words else said == ""
    assert len(said) < 450


@pytest.mark.attack("B6")
def test_a_boot_that_leads_elsewhere_is_a_finding():
    rows = booting(SHELL, load_option("\\EFI\\other.efi"))
    assert codes(*rows) == ["boot-option.elsewhere"] * 2
    assert '"test", \\EFI\\shell.efi' in boot_option_findings(efi_variables(*rows))[0].message


@pytest.mark.attack("B6")
def test_an_option_in_front_of_the_default_loader_is_a_finding_whether_it_would_fail_or_not():
    rows = booting(SHELL, GOOD, load_option("\\EFI\\behind.efi"))
    assert codes(*rows) == ["boot-option.in-front"]
    assert "before Boot0001" in message(*rows)
    assert "PCR 4 shows it" in message(*rows)


@pytest.mark.attack("B6")
def test_boot_next_goes_first_active_or_not():
    rows = [*booting(GOOD), option("Boot0042", with_attributes(SHELL, 0)), order("BootNext", 0x42)]
    assert codes(*rows) == ["boot-option.in-front"]
    assert codes(*booting(GOOD), order("BootNext", 0)) == []
    assert codes(*booting(GOOD), order("BootNext", 7)) == []


def test_what_stands_in_the_order_and_does_not_exist_is_passed_over():
    assert codes(option("Boot0001", GOOD), order("BootOrder", 7, 1)) == []


@pytest.mark.parametrize("attributes", [0, 0x101, 0x201])
def test_what_does_not_take_part_is_passed_over(attributes):
    assert codes(*booting(with_attributes(SHELL, attributes), GOOD)) == []


def test_one_option_named_twice_is_one_finding():
    assert codes(option("Boot0000", SHELL), order("BootOrder", 0, 0)) == ["boot-option.elsewhere"]


@pytest.mark.parametrize(
    ("rows", "name"),
    [
        ([order("BootOrder", 0), option("Boot0000", b"\x01\0\0\0")], "Boot0000"),
        ([order("DriverOrder", 0), option("Driver0000", b"\x01\0\0\0")], "Driver0000"),
        ([order("SysPrepOrder", 0), option("SysPrep0000", b"\x01\0\0\0")], "SysPrep0000"),
        ([Variable("BootOrder", b"\0")], "BootOrder"),
        ([Variable("BootNext", b"\0\0\0")], "BootNext"),
        ([Variable("DriverOrder", b"\0")], "DriverOrder"),
        ([Variable("SysPrepOrder", b"\0")], "SysPrepOrder"),
    ],
)
def test_what_cannot_be_read_is_a_finding(rows, name):
    assert codes(*rows) == ["boot-option.unreadable"]
    assert message(*rows).startswith(f"{name} cannot be read")


def test_an_unreadable_option_beside_a_good_one_is_only_that():
    assert codes(*booting(b"\x01\0\0\0", SHELL, GOOD)) == ["boot-option.unreadable", "boot-option.in-front"]


def test_variables_of_other_vendors_do_nothing():
    assert codes(Variable("BootOrder", b"\0\0", OWNER), Variable("Boot0000", SHELL, OWNER)) == []
    assert codes(Variable("boot0000", SHELL), order("BootOrder", 0)) == []


@pytest.mark.parametrize("bits", [0x01, 0x04, 0x20, 0x40, 1 << 63])
def test_a_request_to_do_something_else_than_boot_is_a_finding(bits):
    assert codes(Variable("OsIndications", struct.pack("<Q", bits))) == ["boot-option.request"]
    assert message(Variable("OsIndications", struct.pack("<Q", bits))).endswith(f"{bits:016x}")


def test_no_request_is_none():
    assert codes(Variable("OsIndications", bytes(8)), Variable("OsIndicationsSupported", b"\x41" + bytes(7))) == []


def test_a_recovery_of_an_operating_system_is_a_finding():
    assert codes(Variable("OsRecoveryOrder", OWNER.bytes_le)) == ["boot-option.recovery"]


@pytest.mark.parametrize(
    ("path", "leads"),
    [
        (file(LOADER), True),
        (file("\\efi\\boot\\bootaa64.efi"), True),
        (HARD_DRIVE + file(LOADER), True),
        (PCI_ROOT + NVME, True),
        (PCI_ROOT + NVME + HARD_DRIVE + file(LOADER), True),
        (file("\\EFI\\BOOT\\BOOTIA32.EFI"), False),
        (file("\\EFI\\BOOT\\GRUBX64.EFI"), False),
        (file("\\EFI\\BOOT\\BOOTX64.EFI.bak"), False),
        (file("x\\EFI\\BOOT\\BOOTX64.EFI"), False),
        (file("\\EFI\\BOOT\\BOOT") + file("X64.EFI"), False),
        (file("\\EFI\\BOOT\\") + file("BOOTX64.EFI"), False),
        (file(LOADER) + HARD_DRIVE, False),
        (file(""), False),
        (PCI_ROOT + MAC, False),
        (PCI_ROOT + MAC + file(LOADER), False),
        (FIRMWARE_FILE, False),
        (PCI_ROOT + NVME + NEXT_INSTANCE + PCI_ROOT, False),
        (b"", False),
    ],
)
def test_only_the_default_loader_of_a_local_disk_is_that(path, leads):
    assert leads_to_default_loader(parse_load_option(made(path))) is leads


def test_an_option_is_described_in_a_line():
    long = LoadOption(1, "d" * 999, parse_load_option(made(file("f" * 9_999))).paths)
    assert describe_option(long) == f'"{"d" * 80}"…, {"f" * 200}…'
    assert describe_option(parse_load_option(GOOD)) == f'"test", {LOADER}'


@pytest.mark.attack("A21")
def test_no_text_of_an_option_can_end_its_quotes():
    text = 'x", leads nowhere. All is well: "y'
    inside = text.replace('"', r"\x22")
    option = LoadOption(1, text, parse_load_option(GOOD).paths, text.encode("utf-16-le"))
    assert describe_option(option) == f'"{inside}", {LOADER}'
    assert given_to_program(option) == f'the command line "{inside}"'


@pytest.mark.attack("A10")
def test_long_orders_are_gone_through_in_no_time():
    numbers = struct.pack("<32768H", *range(32_768))
    orders = [Variable(f"{kind}Order", numbers) for kind in OptionKind]
    variables = efi_variables(*orders, *(Variable(f"x{number}", b"y") for number in range(4_000)))
    begun = time.monotonic()
    assert boot_option_findings(variables) == ()
    assert time.monotonic() - begun < 2
