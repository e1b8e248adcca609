# SPDX-License-Identifier: Apache-2.0
"""Replay against hashlib alone, and what a log can and cannot make a reader believe (ATTACKS A21)."""

from __future__ import annotations

import hashlib
import struct

import pytest
from tests.event_logs import (
    ACTION,
    AUTHORITY,
    CALLING,
    CRTM_VERSION,
    GLOBAL,
    HASHES,
    IPL,
    NO_ACTION,
    SEPARATOR,
    SHA1,
    SHA256,
    SHA384,
    SMALL_BOOT,
    VARIABLE,
    event,
    extended,
    file_path,
    image_load,
    locality,
    log,
    sha1_event,
    variable,
)

from strongroom.errors import FormatError, LocalFault
from strongroom.formats.event_log import parse_event_log
from strongroom.formats.pcrs import SEPARATOR_ONLY_SHA384, PcrBank
from strongroom.measure import banks
from strongroom.measure.event_log import LoggedEvent, describe_events, replay_log
from strongroom.measure.events import EVENT_TYPES, Event, EventType, event_over, event_type
from strongroom.measure.wording.words import Proof

ON, OFF = (variable(GLOBAL, "SecureBoot", state) for state in (b"\1", b"\0"))


def pcrs_of(data: bytes, bank: PcrBank = PcrBank.SHA384) -> dict[int, bytes]:
    return {int(index): value for index, value in replay_log(parse_event_log(data), bank).items()}


def described(data: bytes) -> tuple[LoggedEvent, ...]:
    return describe_events(parse_event_log(data), PcrBank.SHA384)


def sha384(data: bytes) -> bytes:
    return hashlib.sha384(data).digest()


def test_a_log_replays_to_the_pcrs_that_it_extends_and_to_no_others():
    pcrs = pcrs_of(SMALL_BOOT)
    assert sorted(pcrs) == [0, 1, 2, 3, 4, 5, 6, 7, 11, 12]
    assert pcrs[2] == SEPARATOR_ONLY_SHA384
    assert pcrs[4] == extended(SHA384, [sha384(CALLING), sha384(bytes(4)), sha384(b"the image")])
    assert pcrs[11] == extended(SHA384, [sha384(b".linux\0"), sha384(b"the kernel")])


@pytest.mark.parametrize("algorithm", [SHA1, SHA256, SHA384])
def test_each_bank_is_replayed_with_its_own_function(algorithm):
    three = (SHA1, SHA256, SHA384)
    records = [event(4, IPL, data, algorithms=three) for data in (b"one", b"two")]
    bank = next(bank for bank in PcrBank if bank.algorithm_id == algorithm)
    hashed = [HASHES[algorithm](data) for data in (b"one", b"two")]
    assert pcrs_of(log(*records, algorithms=three), bank) == {4: extended(algorithm, hashed)}


@pytest.mark.parametrize("bank", PcrBank)
def test_every_bank_has_a_function_with_its_size(bank):
    assert len(banks.bank_digest(bank, b"")) == bank.size_bytes


def test_a_function_that_this_machine_lacks_is_its_fault(monkeypatch):
    monkeypatch.setitem(banks._NAMES, PcrBank.SM3_256, "absent")
    with pytest.raises(LocalFault) as caught:
        banks.bank_digest(PcrBank.SM3_256, b"")
    assert caught.value.code == "event-log.no-hash"


def test_the_older_form_is_replayed_in_its_one_bank():
    data = sha1_event(0, CRTM_VERSION, b"v1") + sha1_event(0, SEPARATOR, bytes(4))
    hashed = [hashlib.sha1(each).digest() for each in (b"v1", bytes(4))]
    assert pcrs_of(data, PcrBank.SHA1) == {0: extended(SHA1, hashed)}


@pytest.mark.parametrize("read", [replay_log, describe_events])
def test_a_bank_that_the_log_lacks_is_named(read):
    with pytest.raises(FormatError) as caught:
        read(parse_event_log(sha1_event(0, CRTM_VERSION, b"v1")), PcrBank.SHA384)
    assert caught.value.code == "event-log.no-bank"
    assert "SHA384" in caught.value.message
    assert "found one with SHA1" in caught.value.message


def test_pcr_0_begins_with_the_locality_that_the_tpm_was_started_from():
    record = event(0, CRTM_VERSION, b"v1")
    assert pcrs_of(log(event(0, NO_ACTION, locality(3)), record))[0] == extended(
        SHA384, [sha384(b"v1")], start=bytes(47) + b"\3"
    )
    assert pcrs_of(log(event(0, NO_ACTION, locality(4)))) == {0: bytes(47) + b"\4"}
    assert pcrs_of(log(event(0, NO_ACTION, locality(0)), record)) == pcrs_of(log(record))


@pytest.mark.attack("A21")
def test_another_order_gives_other_pcrs():
    one, two = event(4, IPL, b"one"), event(4, IPL, b"two")
    assert pcrs_of(log(one, two)) != pcrs_of(log(two, one))


@pytest.mark.attack("A21")
def test_a_log_that_leaves_out_its_end_gives_other_pcrs():
    parsed = parse_event_log(SMALL_BOOT)
    for last in parsed.events:
        assert pcrs_of(SMALL_BOOT[: last.offset]) != pcrs_of(SMALL_BOOT)


@pytest.mark.attack("A21")
def test_events_that_extend_nothing_change_nothing_and_say_so():
    lie = event(4, NO_ACTION, b"Secure Boot is on, and the image is the vendor's")
    data = log(event(4, IPL, b"one"), lie, event(4, IPL, b"two"))
    assert pcrs_of(data) == pcrs_of(log(event(4, IPL, b"one"), event(4, IPL, b"two")))
    said = described(data)[1]
    assert (said.kind, said.proof) == (EventType.NO_ACTION, Proof.UNMEASURED)


@pytest.mark.attack("A21")
def test_the_digest_of_an_event_that_extends_nothing_means_nothing():
    record = struct.pack("<IIIH", 4, NO_ACTION, 1, SHA384) + sha384(b"evil") + struct.pack("<I", 0)
    assert pcrs_of(log(record)) == {}


@pytest.mark.attack("A21")
@pytest.mark.parametrize(
    ("kind", "true", "lie"),
    [
        (VARIABLE, OFF, ON),
        (ACTION, CALLING, b"Exit Boot Services Invocation"),
        (IPL, "init=/bin/sh\0".encode("utf-16-le"), "quiet\0".encode("utf-16-le")),
    ],
)
def test_another_text_leaves_the_pcrs_and_loses_its_proof(kind, true, lie):
    pcr = {VARIABLE: 7, ACTION: 4, IPL: 12}[kind]
    honest, lying = (log(event(pcr, kind, data, measured=true)) for data in (true, lie))
    assert pcrs_of(honest) == pcrs_of(lying)
    assert [described(data)[0].proof for data in (honest, lying)] == [Proof.COVERED, Proof.CLAIMED]


@pytest.mark.attack("A21")
def test_the_path_of_a_program_is_only_claimed():
    data = log(event(4, 0x80000003, image_load(file_path("\\EFI\\vendor.efi")), measured=b"another program"))
    assert described(data)[0].proof is Proof.CLAIMED


@pytest.mark.attack("A21")
def test_what_a_loader_measured_cannot_be_relabelled_as_a_setting_of_the_firmware():
    """A file that holds a variable's bytes, measured by GRUB into PCR 9; and the same by a program, into PCR 7."""
    file_of_grub = described(log(event(9, VARIABLE, ON)))[0]
    late = described(log(event(7, VARIABLE, OFF), event(7, SEPARATOR, bytes(4)), event(7, VARIABLE, ON)))
    assert file_of_grub.proof is Proof.CLAIMED
    assert [each.proof for each in late] == [Proof.COVERED, Proof.COVERED, Proof.CLAIMED]


@pytest.mark.attack("A21")
def test_a_separator_cannot_be_hidden_behind_another_type():
    hidden = event(7, AUTHORITY, b"nothing to see", measured=bytes(4))
    assert described(log(hidden, event(7, VARIABLE, ON)))[1].proof is Proof.CLAIMED


@pytest.mark.attack("A21")
@pytest.mark.parametrize("kind", [IPL, ACTION])
def test_contents_of_a_section_cannot_pass_as_the_name_of_the_next(kind):
    """An image whose .osrel holds the bytes of a section's name."""
    measured = (b".osrel\0", b".cmdline\0", b".cmdline\0", b"quiet")
    said = described(log(*(event(11, kind, b"lie", measured=each) for each in measured)))
    assert [each.about for each in said] == [
        "name of section .osrel",
        "contents of section .osrel",
        "name of section .cmdline",
        "contents of section .cmdline",
    ]


def test_events_are_described_in_order_as_a_prediction_names_them():
    said = described(SMALL_BOOT)
    assert [(each.pcr, each.kind, each.about) for each in said][-3:] == [
        (11, EventType.IPL, "name of section .linux"),
        (11, EventType.IPL, "contents of section .linux"),
        (12, EventType.IPL, 'kernel command line "quiet"'),
    ]
    predicted: Event = event_over(11, EventType.IPL, b".linux\0", "name of section .linux")
    found = said[-3]
    assert (found.pcr, found.kind, found.digest, found.about) == (
        predicted.pcr,
        predicted.kind,
        predicted.digest,
        predicted.about,
    )
    assert [each.offset for each in said] == [each.offset for each in parse_event_log(SMALL_BOOT).events]


def test_a_type_without_a_name_is_its_number():
    assert described(log(event(2, 0x8401, b"\1")))[0].kind == "0x00008401"


def test_types_have_the_numbers_of_the_specification():
    numbers = {0x00: "EV_PREBOOT_CERT", 0x03: "EV_NO_ACTION", 0x04: "EV_SEPARATOR", 0x06: "EV_EVENT_TAG"}
    numbers |= {0x08: "EV_S_CRTM_VERSION", 0x0A: "EV_PLATFORM_CONFIG_FLAGS", 0x0D: "EV_IPL", 0x11: "EV_NONHOST_INFO"}
    numbers |= {0x13: "EV_POST_CODE2", 0x80000001: "EV_EFI_VARIABLE_DRIVER_CONFIG"}
    numbers |= {0x80000003: "EV_EFI_BOOT_SERVICES_APPLICATION", 0x80000007: "EV_EFI_ACTION"}
    numbers |= {0x8000000D: "EV_EFI_GPT_EVENT2", 0x80000010: "EV_EFI_HCRTM_EVENT"}
    numbers |= {0x800000E0: "EV_EFI_VARIABLE_AUTHORITY", 0x800000E4: "EV_EFI_SPDM_DEVICE_AUTHORITY"}
    assert {number: event_type(number) for number in numbers} == numbers
    assert len(EVENT_TYPES) == len(EventType) == len(set(EVENT_TYPES.values()))
