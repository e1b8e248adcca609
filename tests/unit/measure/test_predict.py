# SPDX-License-Identifier: Apache-2.0
"""Expected values are computed here from the TCG's and AWS's descriptions, with hashlib alone."""

from __future__ import annotations

import hashlib
import struct
import uuid

import pytest
from tests.images import make_pe, make_uki, patched

from strongroom.errors import FormatError, NotTrusted
from strongroom.formats.pcrs import SECURE_BOOT_OFF_PCR7_SHA384, SEPARATOR_ONLY_SHA384, ZERO_SHA384
from strongroom.formats.pe import parse_pe
from strongroom.measure.authenticode import authenticode_digest
from strongroom.measure.predict import measure_image

AFTER_FIRMWARE = "70bc457e"  # PCR 4 after its two fixed events begins so


def extended(*measured: bytes, start: bytes = bytes(48)) -> bytes:
    for digest in measured:
        start = hashlib.sha384(start + digest).digest()
    return start


def sha384(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def pcr4(*images: bytes) -> bytes:
    fixed = extended(sha384(b"Calling EFI Application from Boot Option"), sha384(bytes(4)))
    assert fixed.hex().startswith(AFTER_FIRMWARE)
    return extended(*(authenticode_digest(parse_pe(image)) for image in images), start=fixed)


def predicted(image: bytes) -> dict[int, bytes]:
    return {int(index): digest for index, digest in measure_image(image, secure_boot=None).pcrs.items()}


def test_constants_follow_from_events():
    pcrs = predicted(make_uki())
    assert pcrs[2] == SEPARATOR_ONLY_SHA384
    assert pcrs[7] == SECURE_BOOT_OFF_PCR7_SHA384
    assert pcrs[12] == pcrs[13] == ZERO_SHA384


def test_pcr7_without_secure_boot_covers_five_empty_variables():
    def variable(vendor: str, name: str, data: bytes = b"") -> bytes:
        text = name.encode("utf-16-le")
        return uuid.UUID(vendor).bytes_le + struct.pack("<QQ", len(name), len(data)) + text + data

    platform, images = "8be4df61-93ca-11d2-aa0d-00e098032b8c", "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
    measured = [variable(platform, "SecureBoot", b"\0"), variable(platform, "PK"), variable(platform, "KEK")]
    measured += [variable(images, "db"), variable(images, "dbx"), bytes(4)]
    assert predicted(make_uki())[7] == extended(*map(sha384, measured))


@pytest.mark.parametrize("version", [b"252.39", b"257.8"])
def test_pcr4_holds_the_image_and_its_kernel_before_258(version):
    image = make_uki(version=version)
    assert predicted(image)[4] == pcr4(image, make_pe())


def test_pcr4_holds_the_image_alone_from_258_on():
    image = make_uki(version=b"258")
    assert predicted(image)[4] == pcr4(image)


def test_pcr11_holds_names_and_contents_in_the_order_of_252():
    sections = {
        ".linux": make_pe(),
        ".osrel": b"ID=test\n",
        ".cmdline": b"quiet",
        ".initrd": b"initrd",
        ".splash": b"BM",
        ".dtb": b"\xd0\x0d",
        ".pcrpkey": b"key",
    }
    image = make_uki(dict(reversed(sections.items())), uname=b"6.1", sbat=b"sbat", pcrsig=b"{}")
    measured = [part for name, contents in sections.items() for part in (name.encode() + b"\0", contents)]
    assert predicted(image)[11] == extended(*map(sha384, measured))


@pytest.mark.parametrize("version", [b"253", b"254", b"255", b"256", b"258"])
def test_pcr11_is_left_out_where_its_order_was_not_compared_with_a_real_boot(version):
    assert 11 not in predicted(make_uki(version=version))


def test_pcr11_holds_uname_and_sbat_too_in_the_order_of_257():
    sections = {".linux": make_pe(), ".osrel": b"ID=test\n", ".cmdline": b"quiet", ".initrd": b"i", ".uname": b"6.1"}
    sections[".sbat"] = b"sbat"
    image = make_uki(dict(reversed(sections.items())), version=b"257.13")
    measured = [part for name, contents in sections.items() for part in (name.encode() + b"\0", contents)]
    assert predicted(image)[11] == extended(*map(sha384, measured))


@pytest.mark.parametrize("name", [".ucode", ".splash", ".dtb", ".pcrpkey", ".profile", ".dtbauto", ".hwids", ".efifw"])
def test_pcr11_of_257_is_left_out_for_an_image_with_a_section_that_was_not_compared(name):
    assert 11 not in predicted(make_uki({".linux": make_pe(), name: b"x"}, version=b"257.13"))


def test_what_was_measured_is_said():
    facts = measure_image(make_uki(), secure_boot=None).strongroom
    assert facts is not None
    assert facts.architecture == "x86_64"
    assert facts.root_hash == "ab" * 32
    assert facts.uki_digest == authenticode_digest(parse_pe(make_uki())).hex()
    assert (facts.stub, facts.stub_version) == ("systemd-stub", "252.39-1~deb12u2")
    assert facts.kernel_digest == authenticode_digest(parse_pe(make_pe())).hex()
    assert facts.command_line == "quiet roothash=" + "Ab" * 32


def test_what_each_section_holds_is_said():
    facts = measure_image(make_uki(uname=b"6.1", pcrsig=b"{}"), secure_boot=None).strongroom
    assert facts is not None
    sections = dict(facts.sections)
    assert sections[".initrd"] == sha384(b"initrd" * 200).hex()
    assert sections.keys() == {".linux", ".osrel", ".cmdline", ".initrd", ".uname", ".pcrsig", ".sdmagic"}


def test_a_kernel_that_the_firmware_does_not_load_has_no_digest_of_its_own():
    facts = measure_image(make_uki(version=b"258"), secure_boot=None).strongroom
    assert facts is not None
    assert facts.kernel_digest == ""


def test_a_command_line_too_long_for_the_file_is_left_out():
    facts = measure_image(make_uki(cmdline=b"x" * 4097), secure_boot=None).strongroom
    assert facts is not None
    assert facts.command_line == ""


@pytest.mark.attack("B6")
@pytest.mark.parametrize("name", [".osrel", ".cmdline", ".initrd", ".linux"])
def test_any_other_content_is_another_pcr4(name):
    contents = make_pe([(".text", b"\xcc")]) if name == ".linux" else b"other"
    changed = make_uki({name: contents})
    assert predicted(changed)[4] != predicted(make_uki())[4]


def test_a_writable_view_is_measured_like_bytes():
    assert measure_image(memoryview(bytearray(make_uki())), secure_boot=None) == measure_image(
        make_uki(), secure_boot=None
    )


def test_a_kernel_that_is_no_efi_program_is_refused_where_the_firmware_would_load_it():
    image = make_uki(linux=b"\x7fELF" + bytes(600))
    with pytest.raises(FormatError) as caught:
        measure_image(image, secure_boot=None)
    assert caught.value.code == "pe.no-mz"
    assert ".linux" in caught.value.message
    assert caught.value.offset == image.index(b"\x7fELF")
    assert predicted(make_uki(version=b"258", linux=b"\x7fELF"))[4]


def test_a_kernel_fault_without_a_place_has_none():
    kernel = patched(make_pe(), 0x46, "<H", 0)
    with pytest.raises(FormatError) as caught:
        measure_image(make_uki(linux=kernel), secure_boot=None)
    assert (caught.value.code, caught.value.offset) == ("pe.section-count", None)


@pytest.mark.attack("B1")
def test_an_image_with_an_unknown_stub_is_not_measured():
    with pytest.raises(NotTrusted):
        measure_image(make_uki(version=None), secure_boot=None)
