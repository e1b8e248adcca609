# SPDX-License-Identifier: Apache-2.0
"""PCRs of the emulated NitroTPM: extended as the specification computes, read eight at a time, reset where allowed."""

import hashlib

import pytest
from tests.tpm_commands import (
    EMPTY,
    NULL,
    PLATFORM,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    Command,
    Response,
    digests,
    selection,
    send,
    sized,
    u16,
)

from strongroom.formats.tpm.algorithms import Alg
from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.tpm import NitroTpm

LOCALITY = 0x907
BANKS = {SHA1: "sha1", SHA256: "sha256", SHA384: "sha384", SHA512: "sha512"}


def at(tpm, locality, command):
    return Response(tpm.execute(command.content, locality))


def read(tpm, bank, *pcrs):
    """Return the update counter, the selection and the digests."""
    content = send(tpm, "PCR_Read", (), selection((bank, pcrs))).parameters()
    counter, mask = int.from_bytes(content[:4]), int.from_bytes(content[11:14], "little")
    count, rest = int.from_bytes(content[14:18]), content[18:]
    size = len(rest) // count - 2 if count else 0
    return counter, mask, [rest[start + 2 : start + 2 + size] for start in range(0, len(rest), size + 2)]


@pytest.mark.parametrize("bank", BANKS)
def test_extending_hashes_the_old_value_before_the_digest(tpm, bank):
    name = BANKS[bank]
    event = hashlib.new(name, b"event").digest()
    send(tpm, "PCR_Extend", (4,), digests((bank, event)), EMPTY)
    expected = hashlib.new(name, bytes(len(event)) + event).digest()
    assert read(tpm, bank, 4)[2] == [expected]
    others = [other for other in BANKS if other != bank]
    assert all(set(read(tpm, other, 4)[2][0]) == {0} for other in others)


def test_an_event_is_hashed_for_every_bank_and_its_digests_come_back(tpm):
    response = send(tpm, "PCR_Event", (7,), sized(b"event"), EMPTY)
    each = {bank: hashlib.new(name, b"event").digest() for bank, name in BANKS.items()}
    assert response.parameters() == digests(*each.items())
    for bank, digest in each.items():
        assert read(tpm, bank, 7)[2] == [hashlib.new(BANKS[bank], bytes(len(digest)) + digest).digest()]


def test_no_more_than_eight_pcrs_are_read_at_once_and_the_selection_says_which(tpm):
    _, mask, values = read(tpm, SHA384, *range(3, 24))
    assert mask == 0b11111111 << 3
    assert len(values) == 8


def test_the_counter_counts_each_bank_and_leaves_debug_and_application_pcrs_out(tpm):
    before = read(tpm, SHA256, 0)[0]
    send(tpm, "PCR_Event", (16,), sized(b"x"), EMPTY)
    send(tpm, "PCR_Reset", (23,), b"", EMPTY)
    assert read(tpm, SHA256, 0)[0] == before
    send(tpm, "PCR_Event", (0,), sized(b"x"), EMPTY)
    assert read(tpm, SHA256, 0)[0] == before + len(BANKS)


def test_the_null_handle_extends_nothing(tpm):
    before = read(tpm, SHA256, 0)
    assert send(tpm, "PCR_Extend", (NULL,), digests((SHA256, bytes(32))), EMPTY).code == 0
    assert read(tpm, SHA256, 0) == before


@pytest.mark.parametrize("locality", range(5))
def test_dynamic_launch_pcrs_are_for_their_localities(tpm, locality):
    extended = {pcr for pcr in range(17, 23) if at(tpm, locality, _extend(pcr)).code == 0}
    assert extended == {0: set(), 1: {20}, 2: set(range(17, 23)), 3: {17, 18, 19, 20}, 4: {17, 18}}[locality]
    assert at(tpm, locality, _extend(0)).code == 0


@pytest.mark.parametrize(("locality", "reset"), [(0, {16, 23}), (1, {16, 23}), (2, {16, 20, 21, 22, 23}), (4, set())])
def test_what_was_measured_at_boot_cannot_be_reset(tpm, locality, reset):
    codes = {pcr: at(tpm, locality, Command("PCR_Reset", (pcr,), b"", EMPTY)).code for pcr in range(24)}
    assert {pcr for pcr, code in codes.items() if code == 0} == reset
    assert {code for pcr, code in codes.items() if pcr not in reset} == {LOCALITY}


def _extend(pcr):
    return Command("PCR_Extend", (pcr,), digests((SHA256, bytes(32))), EMPTY)


def test_banks_change_with_the_next_start_and_some_bank_keeps_the_root_of_trust(tpm):
    none = selection(*((bank, []) for bank in BANKS))
    assert send(tpm, "PCR_Allocate", (PLATFORM,), none, EMPTY).code == 0x127
    only = selection((SHA1, []), (SHA256, []), (SHA512, []))
    assert send(tpm, "PCR_Allocate", (PLATFORM,), only, EMPTY).parameters()[0] == 1
    assert len(read(tpm, SHA256, 0)[2]) == 1
    assert send(tpm, "Shutdown", (), u16(1)).code == 0x1CA
    tpm.cut_power()
    send(tpm, "Startup", (), u16(0))
    assert read(tpm, SHA256, 0)[1:] == (0, [])
    assert read(tpm, SHA384, 0)[2] == [bytes(48)]


def test_banks_are_those_of_the_profile():
    tpm = NitroTpm(profile=Profile(banks=(Alg.SHA384,)))
    send(tpm, "Startup", (), u16(0))
    assert send(tpm, "PCR_Event", (0,), sized(b"x"), EMPTY).parameters()[:6] == b"\0\0\0\1\0\x0c"
