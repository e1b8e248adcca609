# SPDX-License-Identifier: Apache-2.0
"""What is said of each kind of event, and whether its digest vouches for that."""

from __future__ import annotations

import struct
import uuid

import pytest
from tests.boot.variables import CERT_SHA256, signature_list
from tests.event_logs import (
    ACTION,
    APPLICATION,
    AUTHORITY,
    BLOB,
    BLOB2,
    CRTM_CONTENTS,
    CRTM_VERSION,
    DRIVER,
    EVENT_TAG,
    GLOBAL,
    GPT,
    IMAGE_SECURITY,
    IPL,
    NO_ACTION,
    PATH_END,
    PLATFORM_CONFIG,
    POST_CODE,
    POST_CODE2,
    SEPARATOR,
    SHIM,
    TABLES,
    TABLES2,
    VARIABLE,
    VARIABLE_BOOT,
    event,
    file_path,
    image_load,
    load_option,
    locality,
    log,
    node,
    partition_table,
    variable,
)
from tests.unit.measure.test_secure_boot import OURS, der

from strongroom.formats.event_log import parse_event_log
from strongroom.formats.pcrs import PcrBank
from strongroom.measure.event_log import describe_events
from strongroom.measure.wording.words import MAX_TEXT_CHARACTERS, Proof, quoted, text_of

ESP = uuid.UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
SMBIOS = uuid.UUID("eb9d2d31-2d88-11d3-9a16-0090273fc14d")
STUB_KERNEL = node(4, 3, uuid.UUID("55c5d1f8-04cd-46b5-8a20-e56cbb3052d0").bytes_le) + PATH_END
OTHER = uuid.UUID(int=1)
PLACE = struct.pack("<QQ", 0xFF000000, 4096)
TABLE = struct.pack("<Q", 1) + SMBIOS.bytes_le + bytes(8)
COVERED, CLAIMED, UNMEASURED = "covered", "claimed", "unmeasured"


def said(pcr: int, kind: int, data: bytes, measured: bytes | None = None) -> tuple[str, str]:
    (found,) = describe_events(parse_event_log(log(event(pcr, kind, data, measured=measured))), PcrBank.SHA384)
    return found.about, found.proof.value


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def tagged(tag: int, name: bytes) -> bytes:
    return struct.pack("<II", tag, len(name)) + name


@pytest.mark.parametrize(
    ("pcr", "kind", "data", "about", "proof"),
    [
        (0, CRTM_VERSION, utf16("v2\0"), 'version of the firmware: "v2"', COVERED),
        (0, CRTM_VERSION, b"\0\0", "version of the firmware: 2 bytes 0000", COVERED),
        (1, CRTM_VERSION, b"v2", 'version of the firmware: "v2"', CLAIMED),
        (3, SEPARATOR, bytes(4), "end of the firmware's own measurements", COVERED),
        (3, SEPARATOR, b"\xff" * 4, "end of the firmware's own measurements", COVERED),
        (3, SEPARATOR, b"\1\0\0\0", "the firmware failed to measure: what follows in this PCR says nothing", COVERED),
        (3, SEPARATOR, b"\2\0\0\0", "separator of no known value: 4 bytes 02000000", CLAIMED),
        (5, ACTION, b"Exit Boot Services Invocation",
         '"Exit Boot Services Invocation": the kernel asks the firmware to leave', COVERED),
        (5, ACTION, b"Hello", '"Hello"', COVERED),
        (9, ACTION, b"Hello", '"Hello"', CLAIMED),
        (5, ACTION, b"\1\2", "2 bytes 0102", COVERED),
        (1, PLATFORM_CONFIG, b"flags", 'configuration of the platform: "flags"', COVERED),
        (1, TABLES, TABLE, "tables for the operating system: SMBIOS", COVERED),
        (1, TABLES2, b"\4name" + TABLE, 'tables "name" for the operating system: SMBIOS', COVERED),
        (1, TABLES, struct.pack("<Q", 9) + TABLE[8:] * 9,
         f"tables for the operating system: {'SMBIOS, ' * 8}1 more", COVERED),
        (1, TABLES, bytes(8), "tables for the operating system: none", COVERED),
        (0, NO_ACTION, locality(3), "the TPM was started at locality 3", UNMEASURED),
        (0, NO_ACTION, b"SP800-155 Event3" + bytes(9),
         "where the maker of the firmware keeps its reference measurements", UNMEASURED),
        (4, NO_ACTION, b"believe me", '"believe me"', UNMEASURED),
        (4, 0x8401, b"\1", "1 bytes 01", COVERED),
        (4, 0x8401, b"", "no data", COVERED),
    ],
)  # fmt: skip
def test_firmware_about_itself(pcr, kind, data, about, proof):
    assert said(pcr, kind, data) == (about, proof)


@pytest.mark.parametrize(
    ("kind", "data", "about"),
    [
        (POST_CODE, b"ACPI DATA", 'code or tables of the firmware: the log calls it "ACPI DATA"'),
        (POST_CODE, PLACE, "firmware, 4096 bytes at 0xff000000"),
        (CRTM_CONTENTS, b"Boot Guard", 'code or tables of the firmware: the log calls it "Boot Guard"'),
        (BLOB, PLACE, "firmware, 4096 bytes at 0xff000000"),
        (BLOB2, b"\4name" + PLACE, 'firmware "name", 4096 bytes at 0xff000000'),
        (POST_CODE2, b"\0" + PLACE, "firmware, 4096 bytes at 0xff000000"),
    ],
)
def test_what_was_hashed_in_memory_is_only_claimed(kind, data, about):
    assert said(0, kind, data, measured=b"what lies in memory") == (about, CLAIMED)


@pytest.mark.parametrize(
    ("vendor", "name", "content", "about"),
    [
        (GLOBAL, "SecureBoot", b"\1", "variable SecureBoot: on"),
        (GLOBAL, "SecureBoot", b"\0", "variable SecureBoot: off"),
        (GLOBAL, "SecureBoot", b"", "variable SecureBoot: absent"),
        (GLOBAL, "SecureBoot", b"\2", "variable SecureBoot: 1 bytes 02"),
        (OTHER, "SecureBoot", b"\1", f'variable "SecureBoot" of {OTHER}: 1 bytes 01'),
        (GLOBAL, "PK", b"", "variable PK: empty"),
        (GLOBAL, "KEK", signature_list(b"c"), "variable KEK: 1 certificate"),
        (IMAGE_SECURITY, "db", signature_list(b"c") * 2, "variable db: 2 certificates"),
        (IMAGE_SECURITY, "dbx", signature_list(bytes(32), kind=CERT_SHA256) * 2 + signature_list(b"c"),
         "variable dbx: 1 certificate, 2 hashes"),
        (IMAGE_SECURITY, "dbx", signature_list(b"c", kind=OTHER) * 2, "variable dbx: 2 other entries"),
        (GLOBAL, "db", signature_list(b"c"), f'variable "db" of {GLOBAL}: '),
        (IMAGE_SECURITY, "db", b"junk", "variable db: no signature database, 4 bytes 6a756e6b"),
        (OTHER, 'a"b\n', b"text", f'variable "a\\x22b\\n" of {OTHER}: "text"'),
    ],
)  # fmt: skip
def test_settings_of_secure_boot(vendor, name, content, about):
    words, proof = said(7, VARIABLE, variable(vendor, name, content))
    assert words.startswith(about)
    assert proof == COVERED
    assert said(7, VARIABLE, variable(vendor, name, content), measured=b"other") == (words, CLAIMED)


def test_what_let_an_image_through_is_named_by_its_certificate():
    entry = variable(IMAGE_SECURITY, "db", OTHER.bytes_le + der(OURS))
    assert said(7, AUTHORITY, entry) == ('db let an image through by the certificate of "CN=ours"', COVERED)
    digest = variable(IMAGE_SECURITY, "db", OTHER.bytes_le + bytes(32))
    assert said(7, AUTHORITY, digest)[0].startswith("db let an image through by an entry that is no certificate, 32 b")
    level = variable(SHIM, "SbatLevel", b"sbat,1,2021030218\n")
    assert said(7, AUTHORITY, level) == (f'variable "SbatLevel" of {SHIM}: "sbat,1,2021030218\\n"', COVERED)
    assert said(9, AUTHORITY, level)[1] == CLAIMED


INSIDE = node(4, 6, OTHER.bytes_le) + PATH_END
OPTION = load_option("Linux", file_path("\\EFI\\a.efi"), utf16("quiet\0"))
OPTION_WORDS = 'option "Linux" for "\\EFI\\a.efi", with "quiet"'


@pytest.mark.parametrize(
    ("name", "content", "about"),
    [
        ("BootOrder", b"\1\0\x0a\0", "order 0001, 000A"),
        ("BootOrder", b"", "order empty"),
        ("BootOrder", b"\1\0" * 40, f"order {'0001, ' * 32}8 more"),
        ("BootOrder", b"\1\0\2", "3 bytes 010002"),
        ("Boot0042", OPTION, OPTION_WORDS),
        ("Driver0001", OPTION, OPTION_WORDS),
        ("Boot0001", load_option("Shell", INSIDE), f'option "Shell" for "FvFile({OTHER})"'),
        ("Boot0001", b"junk", "4 bytes 6a756e6b"),
        ("Boot00001", b"junk", '"junk"'),
        ("Boot000a", b"junk", '"junk"'),
    ],
)  # fmt: skip
def test_boot_options_are_covered_with_their_name_or_without_it(name, content, about):
    whole = variable(GLOBAL, name, content)
    shown = name if name not in {"Boot00001", "Boot000a"} else f'"{name}" of {GLOBAL}'
    assert said(1, VARIABLE_BOOT, whole) == (f"variable {shown}: {about}", COVERED)
    assert said(1, VARIABLE_BOOT, whole, measured=content) == (f"{about} (the log calls it {shown})", COVERED)
    assert said(1, VARIABLE_BOOT, whole, measured=b"other") == (f"{about} (the log calls it {shown})", CLAIMED)


def test_a_boot_option_of_another_vendor_is_not_one_of_the_firmwares():
    assert said(1, VARIABLE_BOOT, variable(OTHER, "Boot0001", b"junk"))[0].startswith(
        f'variable "Boot0001" of {OTHER}: '
    )


@pytest.mark.parametrize(
    ("kind", "data", "about"),
    [
        (APPLICATION, image_load(file_path("\\EFI\\BOOT\\BOOTX64.EFI")),
         f'from "\\EFI\\BOOT\\BOOTX64.EFI" on "PciRoot(0x0)/Pci(0x8,0x0)/HD(1,GPT,{uuid.UUID(int=7)},0x800,0x64)"'),
        (APPLICATION, image_load(STUB_KERNEL), "the kernel inside a unified kernel image"),
        (APPLICATION, image_load(INSIDE), f'from "FvFile({OTHER})"'),
        (APPLICATION, image_load(b""), "the log does not say from where"),
        (APPLICATION, image_load(PATH_END), "the log does not say from where"),
        (APPLICATION, image_load(b"junk"), "from no device path that can be read: 4 bytes 6a756e6b"),
        (DRIVER, image_load(b""), "the log does not say from where"),
    ],
)  # fmt: skip
def test_where_a_program_came_from_is_only_claimed(kind, data, about):
    what = {APPLICATION: "EFI program", DRIVER: "EFI driver"}[kind]
    assert said(4, kind, data, measured=b"the program") == (f"{what}, 4096 bytes, {about}", CLAIMED)


def test_a_program_whose_event_cannot_be_read_is_shown_as_it_is():
    assert said(4, DRIVER, b"\1\2\3", measured=b"the program") == ("3 bytes 010203", CLAIMED)


def test_the_partition_table_is_covered():
    data = partition_table((ESP, "ESP"), (OTHER, ""))
    one, two = (uuid.UUID(int=number) for number in (0, 1))
    listed = f'EFI system partition "ESP" {one}; type {OTHER} {two}'
    assert said(5, GPT, data) == (f"disk {uuid.UUID(int=9)} with partitions: {listed}", COVERED)
    assert said(5, GPT, partition_table())[0].endswith("with partitions: none")
    assert said(5, GPT, partition_table(*[(ESP, "")] * 18))[0].endswith("; 2 more")
    assert said(5, GPT, data[:-1]) == (f"{len(data) - 1} bytes {data[:32].hex()}…", COVERED)


@pytest.mark.parametrize(
    ("pcr", "data", "measured", "about", "proof"),
    [
        (8, b"grub_cmd: set a=1\0", b"set a=1", '"set a=1" (the log calls it a command of GRUB)', COVERED),
        (8, b"grub_cmd: set a=1\0", b"set a=2", '"set a=1" (the log calls it a command of GRUB)', CLAIMED),
        (8, b"grub_cmd: {\n\tb}\0", b"{\n\tb}", '"{\\n\\tb}" (the log calls it a command of GRUB)', COVERED),
        (8, b"kernel_cmdline: /k quiet\0", b"/k quiet",
         '"/k quiet" (the log calls it the kernel\'s command line)', COVERED),
        (8, b"module_cmdline: /m\0", b"/m", '"/m" (the log calls it the command line of a module)', COVERED),
        (8, b"other\0", b"other\0", '"other"', COVERED),
        (9, b"(hd0,gpt1)/grub.cfg\0", b"set a=1", 'contents of what the log calls "(hd0,gpt1)/grub.cfg"', CLAIMED),
        (9, b"text", b"text", '"text"', COVERED),
        (9, b"\1\2", b"set a=1", "2 bytes 0102", CLAIMED),
        (11, utf16(".linux\0"), b".linux\0", "name of section .linux", COVERED),
        (11, utf16(".cmdline\0"), b".linux\0", "name of section .linux", COVERED),
        (11, utf16(".linux\0"), b"the kernel", 'contents of what the log calls ".linux"', CLAIMED),
        (12, utf16("quiet\0"), utf16("quiet\0"), 'kernel command line "quiet"', COVERED),
        (12, utf16("quiet\0"), utf16("quiet"), 'kernel command line "quiet"', COVERED),
        (12, utf16("quiet"), utf16("quiet"), 'kernel command line "quiet"', COVERED),
        (12, utf16("a\nb\0"), utf16("a\nb\0"), 'kernel command line "a\\nb"', COVERED),
        (12, b"quietly!", b"quietly!", 'kernel command line "畱敩汴ⅹ"', COVERED),
        (12, b"070701\0\0cpio", b"070701\0\0cpio", "12 bytes 30373037303100006370696f", COVERED),
        (12, utf16("quiet\0"), utf16("init=/bin/sh\0"), 'contents of what the log calls "quiet"', CLAIMED),
        (12, utf16("Credentials initrd\0"), b"cpio", "credentials that lay beside the image", CLAIMED),
        (12, utf16("Global credentials initrd\0"), b"cpio", "credentials that lay on the EFI partition", CLAIMED),
        (13, utf16("System extension initrd\0"), b"cpio", "system extensions that lay beside the image", CLAIMED),
        (13, utf16("Configuration extension initrd\0"), b"cpio",
         "configuration extensions that lay beside the image", CLAIMED),
        (14, b"MokList\0", b"keys", "shim's list of the owner's keys", CLAIMED),
        (15, b"text", b"text", '"text"', COVERED),
        (4, b"text", b"text", '"text"', CLAIMED),
    ],
)  # fmt: skip
def test_boot_loaders_by_their_pcr(pcr, data, measured, about, proof):
    assert said(pcr, IPL, data, measured) == (about, proof)


@pytest.mark.parametrize(
    ("tag", "name", "about"),
    [
        (0x8F3B22ED, b"LOADED_IMAGE::LoadOptions\0",
         'the command line that Linux was given (the log calls it "LOADED_IMAGE::LoadOptions")'),
        (0x8F3B22EC, b"Linux initrd\0", 'the initrd that Linux was given (the log calls it "Linux initrd")'),
        (0xF5BC582A, utf16("loader.conf\0"), 'systemd-boot\'s configuration (the log calls it "loader.conf")'),
        (0x12345678, b"new", 'tag 0x12345678: "new"'),
    ],
)  # fmt: skip
def test_tagged_events_by_their_number(tag, name, about):
    assert said(9, EVENT_TAG, tagged(tag, name), measured=b"the thing") == (about, CLAIMED)


def test_a_tagged_event_that_is_none_is_shown_as_it_is():
    assert said(9, EVENT_TAG, b"\1\2") == ("2 bytes 0102", COVERED)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", None),
        (b"\0\0", None),
        (b"plain\0\0", "plain"),
        (b"two\nlines\t", "two\nlines\t"),
        (utf16("wide\0"), "wide"),
        ("größe".encode(), "größe"),
        (utf16("größe"), "größe"),
        (b"\x1b[2J", None),
        (b"\1\2\3\4", None),
        ("日本".encode("utf-16-le"), None),  # as likely the bytes of a number
        (b"\xff\xfe\xfd", None),
    ],
)
def test_text_is_told_from_bytes(data, text):
    assert text_of(data) == text


@pytest.mark.attack("A16")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('quiet" (proven)', '"quiet\\x22 (proven)"'),
        ("\x1b[2J\u202e\n", '"\\x1b[2J\\u202e\\n"'),
        ("a" * (MAX_TEXT_CHARACTERS + 1), f'"{"a" * MAX_TEXT_CHARACTERS}"…'),
        ("a" * MAX_TEXT_CHARACTERS, f'"{"a" * MAX_TEXT_CHARACTERS}"'),
    ],
)
def test_a_text_cannot_leave_its_quotes(text, shown):
    assert quoted(text) == shown


def test_proofs_have_stable_names():
    assert {proof.value for proof in Proof} == {COVERED, CLAIMED, UNMEASURED}


# --- subjects: what events are about, by name, for programs -----------------------------------------------------------


@pytest.mark.parametrize(
    ("pcr", "kind", "data", "measured", "subject"),
    [
        (7, VARIABLE, variable(GLOBAL, "SecureBoot", b"\0"), None, "SecureBoot"),
        (7, VARIABLE, variable(GLOBAL, "SecureBoot", b"\0"), b"something else", ""),
        (11, IPL, utf16(".linux\0"), b".linux\0", ".linux"),
        (12, IPL, utf16("init=/bin/sh\0"), None, "command-line"),
        (12, IPL, utf16("Credentials initrd\0"), b"cpio", "credential"),
        (12, IPL, utf16("Global credentials initrd\0"), b"cpio", "credential"),
        (13, IPL, utf16("System extension initrd\0"), b"cpio", "extension"),
        (13, IPL, utf16("Configuration extension initrd\0"), b"cpio", "extension"),
        (14, IPL, utf16("MokList\0"), b"keys", ""),
        (2, DRIVER, image_load(file_path("\\EFI\\d.efi")), b"the driver", 'from "\\EFI\\d.efi" on '),
    ],
)
def test_an_event_is_about_something_by_name(pcr, kind, data, measured, subject):
    (found,) = describe_events(parse_event_log(log(event(pcr, kind, data, measured=measured))), PcrBank.SHA384)
    assert found.subject.startswith(subject)
    assert bool(found.subject) == bool(subject)


def test_the_contents_of_a_section_are_about_it_too():
    events = event(11, IPL, b"?", measured=b".linux\0") + event(11, IPL, b"?", measured=b"the kernel")
    found = describe_events(parse_event_log(log(events)), PcrBank.SHA384)
    assert [each.subject for each in found] == [".linux", ".linux"]
