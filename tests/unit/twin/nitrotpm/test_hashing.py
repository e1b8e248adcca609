# SPDX-License-Identifier: Apache-2.0
"""Hashes and HMACs of the emulated NitroTPM; a ticket for a digest only where a restricted key may sign it."""

import hashlib
import hmac

import pytest
from tests.tpm_commands import (
    EMPTY,
    ENDORSEMENT,
    HMAC,
    NONE,
    NULL,
    OWNER,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    password,
    selection,
    send,
    sized,
    u16,
    u32,
)
from tests.tpm_templates import DECRYPT, FIXED, NO_DA, OWN, RESTRICTED, SIGN, USER_WITH_AUTH, keyed_hash, to_create

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.ticket import Ticket, TicketKind
from strongroom.twin.nitrotpm.crypto.tickets import auth_ticket, creation_ticket, hash_ticket, matches, verified_ticket
from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.tpm import NitroTpm

BANKS = {SHA1: "sha1", SHA256: "sha256", SHA384: "sha384", SHA512: "sha512"}
NO_TICKET = u16(0x8024) + u32(NULL) + sized()
GENERATED = b"\xffTCG"
MODE_H1, MODE_H2, VALUE_2, KEY_H1, ATTRIBUTES_H1 = 0x189, 0x289, 0x2C4, 0x19C, 0x182
KEY = b"a key that everybody knows"


def hmac_key(tpm, *, attributes=FIXED | USER_WITH_AUTH | NO_DA | SIGN, scheme=u16(HMAC) + u16(SHA256)):
    template = to_create(keyed_hash(attributes, scheme=scheme), data=KEY)
    response = send(tpm, "CreatePrimary", (OWNER,), template, EMPTY)
    assert response.code == 0
    return response.handle


def start(tpm, hash_alg, auth=b""):
    return send(tpm, "HashSequenceStart", (), sized(auth) + u16(hash_alg)).handle


def complete(tpm, handle, data=b"", hierarchy=NULL):
    return send(tpm, "SequenceComplete", (handle,), sized(data) + u32(hierarchy), EMPTY)


@pytest.mark.parametrize("hash_alg", BANKS)
def test_a_hash_at_once_or_in_pieces_is_the_hash(tpm, hash_alg):
    expected = hashlib.new(BANKS[hash_alg], b"abcdef").digest()
    assert (
        send(tpm, "Hash", (), sized(b"abcdef") + u16(hash_alg) + u32(NULL)).parameters() == sized(expected) + NO_TICKET
    )
    handle = start(tpm, hash_alg)
    send(tpm, "SequenceUpdate", (handle,), sized(b"abc"), EMPTY)
    assert complete(tpm, handle, b"def").parameters() == sized(expected) + NO_TICKET
    assert complete(tpm, handle).code == 0x910


@pytest.mark.parametrize("data", [GENERATED, GENERATED + b"more", b"", b"abc"])
def test_what_could_pass_for_a_statement_of_the_tpm_gets_no_ticket(tpm, data):
    response = send(tpm, "Hash", (), sized(data) + u16(SHA256) + u32(OWNER))
    assert (response.parameters()[34:] == NO_TICKET) is data.startswith(GENERATED)
    handle = start(tpm, SHA256)
    send(tpm, "SequenceUpdate", (handle,), sized(data), EMPTY)
    assert complete(tpm, handle, b"and more", OWNER).parameters()[34:] == NO_TICKET


def test_a_ticket_is_of_its_hierarchy_and_its_digest(tpm):
    tickets = {
        _ticket(tpm, data, hash_alg, hierarchy)
        for data in (b"data", b"other")
        for hash_alg in (SHA256, SHA384)
        for hierarchy in (OWNER, ENDORSEMENT)
    }
    assert len(tickets) == 8
    assert _ticket(tpm, b"data", SHA256, OWNER) in tickets
    send(tpm, "Clear", (0x4000000C,), b"", EMPTY)
    assert _ticket(tpm, b"data", SHA256, OWNER) not in tickets


def _ticket(tpm, data, hash_alg, hierarchy):
    parameters = send(tpm, "Hash", (), sized(data) + u16(hash_alg) + u32(hierarchy)).parameters()
    return parameters[2 + int.from_bytes(parameters[:2]) :]


def test_an_event_goes_into_every_bank(tpm):
    handle = start(tpm, NONE, b"auth")
    mine = (password(b"auth"),)
    send(tpm, "SequenceUpdate", (handle,), sized(b"ev"), mine)
    ended = send(tpm, "EventSequenceComplete", (5, handle), sized(b"ent"), (*EMPTY, *mine))
    for bank, name in BANKS.items():
        digest = hashlib.new(name, b"event").digest()
        assert u16(bank) + digest in ended.parameters()
        read = send(tpm, "PCR_Read", (), selection((bank, [5]))).parameters()
        assert read[20:] == hashlib.new(name, bytes(len(digest)) + digest).digest()


def test_a_sequence_of_one_kind_is_none_of_the_other(tpm):
    event, hashing = start(tpm, NONE), start(tpm, SHA256)
    assert complete(tpm, event).code == MODE_H1
    assert send(tpm, "EventSequenceComplete", (5, hashing), sized(), EMPTY * 2).code == MODE_H2
    assert send(tpm, "SequenceUpdate", (hmac_key(tpm),), sized(), EMPTY).code == MODE_H1


def test_there_is_room_for_so_many_sequences():
    tpm = NitroTpm(profile=Profile(loaded_objects=2))
    send(tpm, "Startup", (), u16(0))
    assert [send(tpm, "HashSequenceStart", (), sized() + u16(SHA256)).code for _ in range(3)] == [0, 0, 0x902]


@pytest.mark.parametrize("wanted", [NONE, SHA256])
def test_an_hmac_at_once_or_in_pieces_is_the_hmac(tpm, wanted):
    handle, expected = hmac_key(tpm), hmac.digest(KEY, b"abcdef", "sha256")
    assert send(tpm, "HMAC", (handle,), sized(b"abcdef") + u16(wanted), EMPTY).sized() == expected
    sequence = send(tpm, "HMAC_Start", (handle,), sized() + u16(wanted), EMPTY).handle
    send(tpm, "SequenceUpdate", (sequence,), sized(b"abc"), EMPTY)
    assert complete(tpm, sequence, b"def", OWNER).parameters() == sized(expected) + NO_TICKET


def test_a_key_without_a_scheme_takes_the_callers_hash(tpm):
    handle = hmac_key(tpm, attributes=FIXED | USER_WITH_AUTH | NO_DA | SIGN | DECRYPT, scheme=u16(NONE))
    expected = hmac.digest(KEY, b"abc", "sha384")
    assert send(tpm, "HMAC", (handle,), sized(b"abc") + u16(SHA384), EMPTY).sized() == expected
    assert send(tpm, "HMAC", (handle,), sized(b"abc") + u16(NONE), EMPTY).code == VALUE_2
    assert send(tpm, "HMAC", (hmac_key(tpm),), sized(b"abc") + u16(SHA384), EMPTY).code == VALUE_2


@pytest.mark.parametrize("command", ["HMAC", "HMAC_Start"])
def test_a_restricted_key_makes_no_hmac_of_what_it_is_given(tpm, command):
    template = keyed_hash(OWN | NO_DA | SIGN | RESTRICTED, scheme=u16(HMAC) + u16(SHA256))
    restricted = send(tpm, "CreatePrimary", (OWNER,), to_create(template), EMPTY)
    assert restricted.code == 0
    assert send(tpm, command, (restricted.handle,), sized(b"abc") + u16(NONE), EMPTY).code == ATTRIBUTES_H1
    sealed = hmac_key(tpm, attributes=FIXED | USER_WITH_AUTH | NO_DA, scheme=u16(NONE))
    assert send(tpm, command, (sealed,), sized(b"abc") + u16(SHA256), EMPTY).code == KEY_H1


def test_a_ticket_matches_itself_and_nothing_else(tpm):
    chip = tpm._chip
    about = {"timeout_ms": 5, "cp_hash": b"c", "policy_ref": b"r", "entity_name": b"n"}
    tickets = [
        hash_ticket(chip, Rh.OWNER, Alg.SHA256, b"digest"),
        hash_ticket(chip, Rh.PLATFORM, Alg.SHA256, b"digest"),
        verified_ticket(chip, Rh.OWNER, b"digest", b"name"),
        creation_ticket(chip, Rh.OWNER, b"name", b"digest"),
        creation_ticket(chip, Rh.NULL, b"name", b"digest"),
        auth_ticket(chip, TicketKind.AUTH_SIGNED, Rh.OWNER, **about),
        auth_ticket(chip, TicketKind.AUTH_SECRET, Rh.OWNER, **about),
        auth_ticket(chip, TicketKind.AUTH_SIGNED, Rh.OWNER, **{**about, "timeout_ms": 6}),
        auth_ticket(chip, TicketKind.AUTH_SIGNED, Rh.OWNER, **{**about, "cp_hash": b"cr", "policy_ref": b""}),
    ]
    assert [[matches(one, other) for other in tickets] for one in tickets] == [
        [one is other for other in tickets] for one in tickets
    ]


def test_a_ticket_that_says_nothing_matches_nothing(tpm):
    chip = tpm._chip
    nothing = hash_ticket(chip, Rh.NULL, Alg.SHA256, b"digest")
    assert nothing == Ticket(TicketKind.HASHCHECK, Rh.NULL, b"")
    assert not matches(nothing, nothing)
    assert verified_ticket(chip, Rh.NULL, b"digest", b"name").digest == b""


def test_an_authorization_with_an_end_ends_with_the_power(tpm):
    chip = tpm._chip
    about = {"cp_hash": b"", "policy_ref": b"", "entity_name": b"n"}
    for timeout_ms, outlives in ((5, False), (0, True)):
        before = auth_ticket(chip, TicketKind.AUTH_SECRET, Rh.OWNER, timeout_ms=timeout_ms, **about)
        tpm.cut_power()
        again = auth_ticket(chip, TicketKind.AUTH_SECRET, Rh.OWNER, timeout_ms=timeout_ms, **about)
        assert matches(before, again) is outlives
