# SPDX-License-Identifier: Apache-2.0
"""What the twin's machines measure, against constants of genuine documents and against our own predictor."""

import hashlib

import pytest
from tests.images import OPTIONAL
from tests.twin_world import small_pe, small_uki

from strongroom.errors import FormatError
from strongroom.formats.pcrs import (
    SECURE_BOOT_OFF_PCR7_SHA384,
    SEPARATOR_ONLY_SHA384,
    ZERO_SHA384,
    PcrIndex,
)
from strongroom.measure.explain.account import account_of_document, account_of_image
from strongroom.measure.explain.compare import explain
from strongroom.measure.predict import measure_image
from strongroom.twin.authenticode import authenticode_sha384, read_image
from strongroom.twin.firmware import GENUINE_PCR0, Firmware, SecureBoot, boot, replay
from strongroom.twin.tcg_event import EventType, hashed

IMAGE = small_uki()


def pcrs(image=IMAGE, instance_id="i-0", **firmware) -> dict[int, bytes]:
    return numbered(boot(image, firmware=Firmware(**firmware), instance_id=instance_id).pcrs)


def numbered(digests) -> dict[int, bytes]:
    return {int(index): digest for index, digest in digests.items()}


def changed(**firmware):
    """The PCRs that differ from an honest boot of the same image."""
    honest, other = pcrs(), pcrs(**firmware)
    return {index for index in honest if honest[index] != other[index]}


def test_an_honest_boot_has_the_constants_of_genuine_documents():
    found = pcrs()
    assert list(found) == list(range(24))
    assert found[0] == GENUINE_PCR0
    assert found[2] == found[3] == found[6] == SEPARATOR_ONLY_SHA384
    assert found[7] == SECURE_BOOT_OFF_PCR7_SHA384
    assert all(found[index] == ZERO_SHA384 for index in (8, 10, 12, 13, 14, 15, 16, 23))
    assert all(found[index] == b"\xff" * 48 for index in range(17, 23))


def test_pcr4_begins_as_recorded_from_firmware():
    """AWS-published state of PCR 4 after the two fixed events (nitro-tpm-pcr-compute)."""
    fixed = [event for event in boot(IMAGE, firmware=Firmware(), instance_id="i").events if event.pcr == 4][:2]
    assert numbered(replay(fixed))[4].hex().startswith("70bc457e")
    assert numbered(replay(fixed))[4].hex().endswith("53b01df9")


@pytest.mark.parametrize("version", [252, 254, 257, 258])
def test_the_gates_equal_what_our_own_predictor_says(version):
    image = small_uki(version=version)
    predicted = measure_image(image, secure_boot=None).pcrs
    found = pcrs(image)
    assert {2, 4, 7, 12, 13} <= set(predicted)
    assert {index: found[index] for index in predicted} == dict(predicted)


@pytest.mark.parametrize("name", ["tiny32", "tiny32.signed", "tiny64", "tiny64.signed"])
def test_authenticode_equals_what_two_other_implementations_say(genuine_vectors, name):
    data = (genuine_vectors / "uki" / f"authenticode-{name}.efi").read_bytes()
    start = {"tiny32": "ff67a85679b86470", "tiny64": "ad37d821bff4ac08"}[name.partition(".")[0]]
    assert authenticode_sha384(read_image(data)).hex().startswith(start)


def test_only_pcr1_tells_two_instances_of_one_image_apart():
    one, other = pcrs(instance_id="i-1"), pcrs(instance_id="i-2")
    assert {index for index in one if one[index] != other[index]} == {1}


def test_another_command_line_inside_the_image_moves_pcr4():
    one, other = pcrs(), pcrs(small_uki(cmdline="root=/dev/sda"))
    assert one[4] != other[4]
    assert one[12] == other[12] == ZERO_SHA384


@pytest.mark.attack("B1")
def test_a_command_line_from_the_boot_option_moves_pcr12_and_what_the_kernel_got():
    assert changed(load_options="init=/bin/sh") == {9, 12}
    text = "init=/bin/sh".encode("utf-16-le") + b"\0\0"
    extended = hashlib.sha384(ZERO_SHA384 + hashlib.sha384(text).digest()).digest()
    assert pcrs(load_options="init=/bin/sh")[12] == extended


@pytest.mark.attack("B20")
def test_a_driver_before_the_image_moves_pcr2_alone():
    assert changed(drivers=(small_pe((".text", b"driver")),)) == {2}


@pytest.mark.attack("B20")
def test_a_program_before_the_image_moves_pcr4():
    assert changed(programs_before=(small_pe((".text", b"program")),)) == {4}


@pytest.mark.attack("B6")
def test_a_loader_in_the_images_place_moves_pcr4():
    loader = (small_pe((".text", b"loader")),)
    assert changed(loaders=loader) == {4}
    assert pcrs(loaders=loader)[4] != pcrs(programs_before=loader)[4]


@pytest.mark.attack("B2")
def test_a_credential_beside_the_image_moves_pcr12_and_the_initrd_that_the_kernel_got():
    assert changed(credentials={"passwd.cred": b"x"}) == {9, 12}


@pytest.mark.attack("B3")
def test_a_system_extension_beside_the_image_moves_pcr13_and_the_initrd_that_the_kernel_got():
    assert changed(extensions={"evil.raw": b"x"}) == {9, 13}


def extended(*inputs: bytes) -> bytes:
    value = ZERO_SHA384
    for data in inputs:
        value = hashlib.sha384(value + hashlib.sha384(data).digest()).digest()
    return value


def test_pcr9_is_the_command_line_in_utf16_and_the_initrd():
    line = "root=/dev/mapper/root\0".encode("utf-16-le")
    assert pcrs()[9] == extended(line, b"initrd")


def test_pcr9_holds_the_command_line_that_replaced_the_images_own_and_no_other():
    line = "init=/bin/sh\0".encode("utf-16-le")
    assert pcrs(load_options="init=/bin/sh")[9] == extended(line, b"initrd")
    assert pcrs(load_options="init=/bin/sh", secure_boot=SECURE)[9] == pcrs()[9]


def test_explain_finds_nothing_between_an_image_and_its_honest_boot_but_the_machines_own():
    image = account_of_image("the image", IMAGE, secure_boot=None)
    document = account_of_document("the document", boot(IMAGE, firmware=Firmware(), instance_id="i-0").pcrs)
    found = explain(image, document)
    assert found.differences == ()
    assert PcrIndex(9) in found.same


@pytest.mark.attack("B8")
def test_a_legacy_boot_measures_nothing_whatever_software_extends_later():
    golden = [event for event in boot(IMAGE, firmware=Firmware(), instance_id="i").events if event.pcr == 4]
    found = pcrs(legacy_bios=True, software_extends=tuple((4, event.digest) for event in golden))
    assert found[4] == pcrs()[4]
    assert found[2] == found[7] == ZERO_SHA384


SECURE = SecureBoot(pk=b"pk", kek=b"kek", db=b"db", dbx=b"dbx", authority=b"owner and certificate")


def test_secure_boot_moves_pcr7_and_keeps_the_outside_command_line_out():
    assert changed(secure_boot=SECURE) == {4, 7}
    with_options = boot(IMAGE, firmware=Firmware(secure_boot=SECURE, load_options="init=/bin/sh"), instance_id="i-0")
    assert numbered(with_options.pcrs)[12] == ZERO_SHA384


def test_each_secure_boot_variable_is_measured():
    values = {name: getattr(SECURE, name) for name in ("pk", "kek", "db", "dbx", "authority")}
    seen = {pcrs(secure_boot=SecureBoot(**values | {name: b"other"}))[7] for name in values}
    assert len(seen) == len(values)


def test_replay_depends_on_the_order():
    one, two = (hashed(5, EventType.EFI_ACTION, data, "x") for data in (b"1", b"2"))
    assert replay([one, two]) != replay([two, one])


def test_an_image_without_a_kernel_boots_as_a_plain_program():
    assert pcrs(small_pe((".text", b"app")))[11] == ZERO_SHA384


@pytest.mark.parametrize(
    "data",
    [b"", b"MZ", b"MZ" + bytes(100), small_pe((".text", b"x"))[:100], b"ZM" + IMAGE[2:], small_pe((".linux", b"x"))],
)
def test_what_firmware_would_not_load_is_refused(data):
    with pytest.raises(FormatError):
        pcrs(data)


def test_an_image_that_is_neither_pe32_nor_pe32_plus_is_refused():
    data = bytearray(IMAGE)
    data[OPTIONAL] = 0
    with pytest.raises(FormatError, match="PE32"):
        pcrs(bytes(data))


def test_the_stub_of_amazon_linux_counts_as_252():
    release = b'NAME="Amazon Linux"\nVERSION="2023"\n'
    image = small_pe((".osrel", release), (".linux", small_pe((".text", b"kernel"))))
    kernels = [e for e in boot(image, firmware=Firmware(), instance_id="i").events if "kernel inside" in e.description]
    assert len(kernels) == 1
