# SPDX-License-Identifier: Apache-2.0
"""Predictions, and the twin's firmware, against what firmware, stub and TPM of other people measured.

Each configuration boots once; these tests stay in one file, so that one worker runs them all.
"""

import struct

import pytest
from tests import tpm2_eventlog
from tests.boot.explained import codes, gated, recorded, references
from tests.boot.machine import COMMAND_LINE, FIRMWARE, Booted, Machine, boot, boots_so_far
from tests.boot.variables import (
    boot_with_options,
    run_driver_first,
    run_preparation_first,
    secure_boot,
    write_variables,
)
from tests.images import BOOT_DRIVER, RETURN_SUCCESS, make_pe

from strongroom.formats.efi import parse_signature_database
from strongroom.formats.event_log import parse_event_log
from strongroom.formats.pcrs import ZERO_SHA384, PcrBank, PcrDigests
from strongroom.formats.pe import parse_pe
from strongroom.formats.uki import parse_uki
from strongroom.measure.compare_log import compare_log
from strongroom.measure.event_log import describe_events
from strongroom.measure.explain.account import account_of_log
from strongroom.measure.explain.compare import explain
from strongroom.measure.explain.difference import Component
from strongroom.measure.predict import gate_events, measure_image, payload_digests, stub_events
from strongroom.measure.stub import recognise_stub
from strongroom.measure.wording.words import Proof
from strongroom.twin.firmware import Firmware, SecureBoot
from strongroom.twin.firmware import boot as replay_boot

pytestmark = pytest.mark.slow

IMAGE_PATH = "\\EFI\\BOOT\\BOOTX64.EFI"
PREDICTED = (2, 4, 7, 11, 12, 13)
REPRODUCED = (*PREDICTED, 9)
"""What the twin measures exactly as these boots do."""
EXTENSION_FOLDER = "EFI/BOOT/BOOTX64.EFI.extra.d"


def store_with(variables) -> bytes:
    return write_variables((FIRMWARE / "OVMF_VARS_4M.fd").read_bytes(), variables)


def predicted(image: bytes, keys=None) -> dict[int, str]:
    return {int(index): value.hex() for index, value in measure_image(image, secure_boot=keys).pcrs.items()}


def measured(booted: Booted, predicted: dict[int, str]) -> dict[int, str]:
    """Return the PCRs that were predicted: PCR 11 is for systemd-stub 252 only."""
    assert set(predicted) >= {2, 4, 7, 12, 13}
    return {index: booted.pcrs[index].hex() for index in predicted}


def moved(booted: Booted, reference: Booted) -> set[int]:
    return {index for index in PREDICTED if booted.pcrs[index] != reference.pcrs[index]}


@pytest.fixture(scope="module")
def clean_boot(image) -> Booted:
    return boot(Machine(image))


def test_a_clean_boot_measures_what_was_predicted(image, clean_boot):
    expected = predicted(image)
    assert measured(clean_boot, expected) == expected


def test_a_secure_boot_measures_what_was_predicted(signed, keys):
    store = store_with(secure_boot(pk=keys.pk, kek=keys.kek, db=keys.db, dbx=keys.dbx))
    booted = boot(Machine(signed, store=store))
    expected = predicted(signed, keys)
    assert measured(booted, expected) == expected


@pytest.mark.attack("B1")
def test_a_command_line_from_a_boot_option_is_used_and_moves_pcr12_alone(clean_boot, image):
    added = COMMAND_LINE.decode() + " init=/bin/sh"
    booted = boot(Machine(image, store=store_with(boot_with_options(IMAGE_PATH, added))))
    assert f"COMMAND LINE {added}" in booted.serial
    assert moved(booted, clean_boot) == {12}


@pytest.mark.attack("B2")
@pytest.mark.attack("B3")
def test_a_credential_and_an_extension_beside_the_image_move_pcr12_and_pcr13_alone(clean_boot, image):
    planted = {f"{EXTENSION_FOLDER}/root.cred": b"credential" * 9, f"{EXTENSION_FOLDER}/evil.raw": b"extension" * 99}
    booted = boot(Machine(image, files=planted))
    assert moved(booted, clean_boot) == {12, 13}


@pytest.mark.attack("B20")
def test_a_driver_that_runs_first_moves_pcr2_alone(clean_boot, image):
    driver = make_pe([(".text", RETURN_SUCCESS)], subsystem=BOOT_DRIVER)
    store = store_with(run_driver_first("\\EFI\\driver.efi"))
    booted = boot(Machine(image, files={"EFI/driver.efi": driver}, store=store))
    assert moved(booted, clean_boot) == {2}


@pytest.mark.attack("B20")
def test_a_preparation_program_that_runs_first_moves_pcr4_alone(clean_boot, image):
    program = make_pe([(".text", RETURN_SUCCESS)])
    store = store_with(run_preparation_first("\\EFI\\prepare.efi"))
    booted = boot(Machine(image, files={"EFI/prepare.efi": program}, store=store))
    assert moved(booted, clean_boot) == {4}


def test_an_image_with_a_gap_and_an_odd_length_is_measured_as_predicted(image):
    odd = with_gap_and_tail(image)
    assert len(odd) % 8
    expected = predicted(odd)
    assert measured(boot(Machine(odd)), expected) == expected


def with_gap_and_tail(image: bytes) -> bytes:
    """The same image with 512 bytes of filler before its last section and five bytes behind it."""
    last = parse_pe(image).sections[-1]
    changed = bytearray(image[: last.raw_offset] + b"\xaa" * 512 + image[last.raw_offset :] + b"\xbb" * 5)
    struct.pack_into("<I", changed, last.header_offset + 20, last.raw_offset + 512)
    return bytes(changed)


def test_nothing_was_added_to_a_clean_boot(clean_boot):
    assert clean_boot.pcrs[12] == clean_boot.pcrs[13] == ZERO_SHA384


def replayed(image: bytes, **firmware) -> dict[int, bytes]:
    pcrs = replay_boot(image, firmware=Firmware(**firmware), instance_id="i-0").pcrs
    return {int(index): digest for index, digest in pcrs.items() if index in REPRODUCED}


def promised(booted: Booted) -> dict[int, bytes]:
    return {index: booted.pcrs[index] for index in REPRODUCED}


def test_the_twin_measures_a_clean_boot(image):
    assert replayed(image) == promised(boot(Machine(image)))


def test_the_twin_measures_a_secure_boot(signed, signer, keys):
    authority = next(e.signature_data for e in parse_signature_database(keys.db) if e.content == signer.der)
    variables = SecureBoot(pk=keys.pk, kek=keys.kek, db=keys.db, dbx=keys.dbx, authority=authority)
    store = store_with(secure_boot(pk=keys.pk, kek=keys.kek, db=keys.db, dbx=keys.dbx))
    booted = boot(Machine(signed, store=store))
    assert replayed(signed, secure_boot=variables) == promised(booted)


@pytest.mark.attack("B1")
def test_the_twin_measures_a_command_line_from_a_boot_option(image):
    added = COMMAND_LINE.decode() + " init=/bin/sh"
    booted = boot(Machine(image, store=store_with(boot_with_options(IMAGE_PATH, added))))
    assert replayed(image, load_options=added) == promised(booted)


@pytest.mark.attack("B20")
def test_the_twin_measures_a_driver_that_runs_first(image):
    driver = make_pe([(".text", RETURN_SUCCESS)], subsystem=BOOT_DRIVER)
    store = store_with(run_driver_first("\\EFI\\driver.efi"))
    booted = boot(Machine(image, files={"EFI/driver.efi": driver}, store=store))
    assert replayed(image, drivers=(driver,)) == promised(booted)


@pytest.mark.attack("B20")
def test_the_twin_measures_a_program_that_runs_first(image):
    program = make_pe([(".text", RETURN_SUCCESS)])
    store = store_with(run_preparation_first("\\EFI\\prepare.efi"))
    booted = boot(Machine(image, files={"EFI/prepare.efi": program}, store=store))
    assert replayed(image, programs_before=(program,)) == promised(booted)


IMA_PCR = 10
"""Extended by the running kernel, which keeps a log of its own."""


def logged(booted: Booted):
    events = describe_events(parse_event_log(booted.event_log), PcrBank.SHA384)
    return [event for event in events if event.proof is not Proof.UNMEASURED]


def words(booted: Booted, pcr: int, proof: Proof) -> list[str]:
    return [event.about for event in logged(booted) if (event.pcr, event.proof) == (pcr, proof)]


@pytest.fixture(scope="module")
def secure_boot_of_signed(signed, keys) -> Booted:
    return boot(Machine(signed, store=store_with(secure_boot(pk=keys.pk, kek=keys.kek, db=keys.db, dbx=keys.dbx))))


@pytest.fixture
def boots(clean_boot, secure_boot_of_signed) -> tuple[Booted, ...]:
    """These two, and whatever else was booted before: all of this file's where the whole of it runs."""
    found = boots_so_far()
    assert {id(clean_boot), id(secure_boot_of_signed)} <= set(map(id, found))
    return found


def test_the_log_of_each_boot_leads_to_its_pcrs(boots):
    for booted in boots:
        pcrs = PcrDigests.of({index: value for index, value in booted.pcrs.items() if index != IMA_PCR})
        found = compare_log(parse_event_log(booted.event_log), pcrs)
        assert found.findings == ()
        assert found.reproduced == tuple(pcrs)


@pytest.mark.parametrize("secure", [False, True])
def test_what_is_logged_is_what_was_predicted_event_by_event(
    image, signed, keys, clean_boot, secure_boot_of_signed, secure
):
    booted, uki = (secure_boot_of_signed, parse_uki(signed)) if secure else (clean_boot, parse_uki(image))
    stub = recognise_stub(uki)
    expected = (*gate_events(uki, stub, keys if secure else None), *stub_events(stub, payload_digests(uki)))
    for pcr in (2, 4, 7, 11, 12, 13):
        found = [(event.kind, event.digest) for event in logged(booted) if event.pcr == pcr]
        assert found == [(event.kind, event.digest) for event in expected if event.pcr == pcr]


def test_a_log_says_what_was_booted_and_what_of_that_is_proven(clean_boot, secure_boot_of_signed):
    assert words(clean_boot, 7, Proof.COVERED)[:2] == ["variable SecureBoot: off", "variable PK: empty"]
    assert words(secure_boot_of_signed, 7, Proof.COVERED) == [
        "variable SecureBoot: on",
        "variable PK: 1 certificate",
        "variable KEK: 1 certificate",
        "variable db: 2 certificates",
        "variable dbx: 1 hash",
        "end of the firmware's own measurements",
        'db let an image through by the certificate of "CN=db"',
    ]
    sections = [about for about in words(clean_boot, 11, Proof.COVERED) if about.startswith("name")]
    assert sections == [f"name of section {name}" for name in (".linux", ".osrel", ".cmdline", ".initrd")]
    program, kernel = words(clean_boot, 4, Proof.CLAIMED)
    assert f'from "{IMAGE_PATH}" on "PciRoot(0x0)/' in program
    assert kernel.endswith("the kernel inside a unified kernel image")
    assert words(clean_boot, 12, Proof.COVERED) == words(clean_boot, 13, Proof.CLAIMED) == []


@pytest.mark.attack("B1")
def test_a_log_shows_the_command_line_that_was_added(image):
    added = COMMAND_LINE.decode() + " init=/bin/sh"
    booted = boot(Machine(image, store=store_with(boot_with_options(IMAGE_PATH, added))))
    assert words(booted, 12, Proof.COVERED) == [f'kernel command line "{added}"']


@pytest.mark.attack("B2")
@pytest.mark.attack("B3")
def test_a_log_shows_that_something_lay_beside_the_image(image):
    planted = {f"{EXTENSION_FOLDER}/root.cred": b"credential" * 9, f"{EXTENSION_FOLDER}/evil.raw": b"extension" * 99}
    booted = boot(Machine(image, files=planted))
    assert words(booted, 12, Proof.CLAIMED) == ["credentials that lay beside the image"]
    assert words(booted, 13, Proof.CLAIMED) == ["system extensions that lay beside the image"]


@pytest.mark.attack("B20")
def test_a_log_shows_the_driver_that_ran_first(image):
    driver = make_pe([(".text", RETURN_SUCCESS)], subsystem=BOOT_DRIVER)
    store = store_with(run_driver_first("\\EFI\\driver.efi"))
    (said,) = words(boot(Machine(image, files={"EFI/driver.efi": driver}, store=store)), 2, Proof.CLAIMED)
    assert said.startswith(f'EFI driver, {len(driver)} bytes, from "\\EFI\\driver.efi"')


@pytest.mark.attack("A21")
def test_a_second_reader_finds_the_same_in_the_log_of_each_boot(boots, tmp_path):
    for number, booted in enumerate(boots):
        (tmp_path / f"{number}").write_bytes(booted.event_log)
        assert tpm2_eventlog.differences(tmp_path / f"{number}") == []


# --- what `explain` says of these boots -------------------------------------------------------------------------------


def explained(image: bytes, booted: Booted, keys=None) -> dict[str, list[str]]:
    """By source, the codes of what moved; the image and its measurements file agree."""
    names = ("document", "with log")
    answers = [
        dict(zip(names, (codes(gated(reference, seen)) for seen in recorded(booted)), strict=True))
        for reference in references(image, keys)
    ]
    assert answers[0] == answers[1]
    return answers[0]


def test_a_clean_boot_is_explained_by_nothing(image, clean_boot):
    assert explained(image, clean_boot) == {"document": [], "with log": []}


@pytest.mark.attack("B1")
def test_a_command_line_from_a_boot_option_is_quoted(image):
    added = COMMAND_LINE.decode() + " init=/bin/sh"
    booted = boot(Machine(image, store=store_with(boot_with_options(IMAGE_PATH, added))))
    assert explained(image, booted) == {"document": ["added-input"], "with log": ["command-line"]}
    (moved,) = gated(references(image)[0], recorded(booted)[1])
    assert (f'"{added}"' in moved.sentence, moved.grounds) == (True, "proven")


@pytest.mark.attack("B2")
@pytest.mark.attack("B3")
def test_a_credential_and_an_extension_beside_the_image_are_told_apart(image):
    planted = {f"{EXTENSION_FOLDER}/root.cred": b"credential" * 9, f"{EXTENSION_FOLDER}/evil.raw": b"extension" * 99}
    booted = boot(Machine(image, files=planted))
    assert explained(image, booted) == {
        "document": ["added-input", "extension"],
        "with log": ["credential", "extension"],
    }


@pytest.mark.attack("B20")
def test_a_driver_that_runs_first_is_named_by_its_path(image):
    driver = make_pe([(".text", RETURN_SUCCESS)], subsystem=BOOT_DRIVER)
    booted = boot(
        Machine(image, files={"EFI/driver.efi": driver}, store=store_with(run_driver_first("\\EFI\\driver.efi")))
    )
    assert explained(image, booted) == {"document": ["driver"], "with log": ["driver"]}
    (moved,) = gated(references(image)[0], recorded(booted)[1])
    assert ("driver.efi" in moved.sentence, moved.grounds) == (True, "logged")


@pytest.mark.attack("B20")
def test_a_preparation_program_is_told_from_another_image(image):
    program = make_pe([(".text", RETURN_SUCCESS)])
    store = store_with(run_preparation_first("\\EFI\\prepare.efi"))
    booted = boot(Machine(image, files={"EFI/prepare.efi": program}, store=store))
    assert explained(image, booted) == {"document": ["other-program"], "with log": ["program-before-image"]}


def test_secure_boot_is_explained_where_it_was_expected_off(signed, keys):
    store = store_with(secure_boot(pk=keys.pk, kek=keys.kek, db=keys.db, dbx=keys.dbx))
    booted = boot(Machine(signed, store=store))
    assert explained(signed, booted, keys) == {"document": [], "with log": []}
    without = explained(signed, booted)
    assert without["document"] == ["program-missing", "secure-boot"]
    assert without["with log"][:2] == ["program-missing", "secure-boot-state"]
    assert set(without["with log"][2:]) == {"secure-boot-keys", "secure-boot-authority"}


def test_the_logs_of_a_boot_with_and_one_without_secure_boot_are_told_apart(clean_boot, secure_boot_of_signed):
    off, on = (
        account_of_log(name, parse_event_log(booted.event_log))
        for name, booted in (
            ("the log without", clean_boot),
            ("the log with", secure_boot_of_signed),
        )
    )
    moved = {each.subject: each for each in explain(off, on).differences if each.component is Component.SECURE_BOOT}
    assert moved["SecureBoot"].sentence.startswith("Secure Boot is on in the log with")
    assert moved["db"].sentence.endswith("2 certificates")
    assert 'by the certificate of "CN=db"' in moved["authority"].sentence
    assert {each.code for each in explain(off, on).gated} >= {"explain.program-missing"}
