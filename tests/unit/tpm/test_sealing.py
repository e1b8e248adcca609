# SPDX-License-Identifier: Apache-2.0
import base64
import json
from dataclasses import replace

import pytest
from tests.libtpms import libtpms
from tests.tpm_transports import STARTUP, Between, Scripted, answering, refusing
from tests.tpm_wire import code_of, u32
from tests.unit.tpm.test_nitro import define, lock
from tests.unit.tpm.test_pcrs import extend
from tests.unit.tpm.test_session import leftovers

from strongroom.appraisal.policy import UnsafePartialPolicy
from strongroom.errors import FormatError, TpmFault, UsageError
from strongroom.flows.tpm_sealing import seal_for_boot_state
from strongroom.formats.pcrs import GATES, SEPARATOR_ONLY_SHA384, PcrDigests
from strongroom.formats.sealed import SEALED_ATTRIBUTES, encode_sealed, parse_sealed
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.tpm.connection import Answer, Connection
from strongroom.tpm.pcrs import read_pcrs
from strongroom.tpm.sealing import BANK, seal_secret, unseal_secret

SECRET = b"thirty-two bytes that open a disk"
CREATE, LOAD, UNSEAL, POLICY_PCR = 0x153, 0x157, 0x15E, 0x17F


@pytest.fixture
def booted(tpm):
    for index in (2, 4, 7):
        extend(tpm, index, bytes([index]) * 48)
    return tpm


def now(tpm, indices=GATES):
    return read_pcrs(Connection(Between(tpm)), BANK, indices)


def sealed_in(tpm, change=None, pcrs=None):
    return seal_secret(Connection(Between(tpm, change)), SECRET, pcrs or now(tpm))


def fault(tpm, sealed, change=None):
    with pytest.raises(TpmFault) as caught:
        unseal_secret(Connection(Between(tpm, change)), sealed)
    return caught.value


@pytest.mark.attack("L6")
def test_a_secret_comes_back_and_never_crosses_in_clear(booted):
    between = Between(booted)
    connection = Connection(between)
    sealed = parse_sealed(encode_sealed(seal_secret(connection, SECRET, now(booted))))
    assert unseal_secret(connection, sealed) == SECRET
    assert not [each for each in (*between.commands, *between.responses) if SECRET[:8] in each]
    assert leftovers(booted) == []


@pytest.mark.parametrize("size", [1, 128])
def test_any_size_that_a_tpm_takes_comes_back(booted, size):
    connection = Connection(Between(booted))
    secret = b"\0" * size
    assert unseal_secret(connection, seal_secret(connection, secret, now(booted))) == secret


@pytest.mark.parametrize("size", [0, 129])
def test_other_sizes_are_refused_before_the_tpm_is_asked(booted, size):
    with pytest.raises(UsageError) as caught:
        seal_secret(Connection(Scripted()), bytes(size), now(booted))
    assert caught.value.code == "sealed.secret-size"


@pytest.mark.attack("L6")
@pytest.mark.parametrize("index", GATES)
def test_another_boot_state_is_refused_and_said_which_pcr_moved(booted, index):
    sealed = sealed_in(booted)
    extend(booted, index, b"\x99" * 48)
    found = fault(booted, sealed)
    assert found.code == "tpm.sealed-pcrs"
    assert f"PCR{index} (" in str(found)
    assert sealed.pcrs[index].hex() in str(found)
    assert [f"PCR{other} (" in str(found) for other in GATES].count(True) == 1
    assert leftovers(booted) == []


def test_a_pcr_that_is_no_part_of_it_may_move(booted):
    sealed = sealed_in(booted)
    extend(booted, 11, b"\x99" * 48)
    assert unseal_secret(Connection(Between(booted)), sealed) == SECRET


def test_a_secret_can_be_sealed_for_a_boot_that_is_to_come(booted):
    before = now(booted)
    extend(booted, 4, b"\x99" * 48)
    later = now(booted)
    booted.power_cycle()
    booted.execute(STARTUP)
    for index in (2, 4, 7):
        extend(booted, index, bytes([index]) * 48)
    assert now(booted) == before
    sealed = sealed_in(booted, pcrs=later)
    assert fault(booted, sealed).code == "tpm.sealed-pcrs"
    extend(booted, 4, b"\x99" * 48)
    assert unseal_secret(Connection(Between(booted)), sealed) == SECRET


def test_pcrs_that_move_at_the_last_moment_count(booted):
    """Between the policy and the unsealing: the TPM itself notices."""
    sealed = sealed_in(booted)

    def change(command, onward):
        if code_of(command) == UNSEAL:
            extend(booted, 12, b"\x99" * 48)
        return onward(command)

    assert fault(booted, sealed, change).code == "tpm.sealed-pcrs"


@pytest.mark.attack("B16")
def test_a_locked_tpm_still_unseals(booted):
    sealed = sealed_in(booted)
    define(booted, 0x01000000, auth=b"unknown")
    lock(booted, 0x01000000)
    assert unseal_secret(Connection(Between(booted)), sealed) == SECRET


def test_a_secret_of_another_tpm_is_told_apart(booted):
    sealed = sealed_in(booted)
    with libtpms() as other:
        other.execute(STARTUP)
        assert fault(other, sealed).code == "tpm.sealed-elsewhere"
        assert fault(other, sealed).rc is None


def test_a_file_that_was_tampered_with_is_refused_by_the_tpm(booted):
    sealed = sealed_in(booted)
    spoiled = bytearray(sealed.private)
    spoiled[-1] ^= 1
    assert fault(booted, replace(sealed, private=bytes(spoiled))).code == "tpm.refused"


def test_a_file_whose_policy_is_not_that_of_its_pcrs_is_refused_before_the_tpm_is_asked(booted):
    sealed = sealed_in(booted)
    swapped = replace(sealed, pcrs=PcrDigests.of({**dict(sealed.pcrs), 4: b"\x55" * 48}))
    with pytest.raises(FormatError) as caught:
        unseal_secret(Connection(Scripted()), swapped)
    assert caught.value.code == "sealed.policy"


def test_other_refusals_stay_what_they_are(booted):
    sealed = sealed_in(booted)
    assert fault(booted, sealed, refusing(UNSEAL, 0x101)).code == "tpm.failed"
    assert fault(booted, sealed, refusing(POLICY_PCR, 0x1C4)).code == "tpm.refused", "no PCR differs"
    assert leftovers(booted) == []


@pytest.mark.parametrize("code", [LOAD, UNSEAL])
def test_an_answer_that_somebody_changed_is_refused(booted, code):
    spoiled = answering(code, lambda answer: answer[:-1] + bytes([answer[-1] ^ 1]))
    assert fault(booted, sealed_in(booted), spoiled).code == "tpm.answer"
    assert leftovers(booted) == [] or code == LOAD, "an answer that nobody vouches for has no handle to flush"


def run_with(monkeypatch, code, change):
    """Let the client see another answer although its HMAC held."""
    genuine = Connection.run

    def run(self, command, authorization=None):
        answer = genuine(self, command, authorization)
        return Answer(answer.handle, change(answer.parameters)) if command.code == code else answer

    monkeypatch.setattr(Connection, "run", run)


def test_an_object_under_another_name_is_not_unsealed(booted, monkeypatch):
    sealed = sealed_in(booted)
    run_with(monkeypatch, LOAD, lambda parameters: parameters[:-1] + bytes([parameters[-1] ^ 1]))
    assert "name of another" in str(fault(booted, sealed))
    assert leftovers(booted) == []


def test_an_object_that_was_made_otherwise_than_asked_for_is_not_kept(booted, monkeypatch):
    def change(parameters):
        asked = u32(int(SEALED_ATTRIBUTES))
        assert asked in parameters
        return parameters.replace(asked, u32(int(SEALED_ATTRIBUTES | ObjectAttributes.USER_WITH_AUTH)))

    run_with(monkeypatch, CREATE, change)
    with pytest.raises(TpmFault, match="other properties"):
        sealed_in(booted)


GOOD = {2: SEPARATOR_ONLY_SHA384, 4: b"\4" * 48, 7: b"\7" * 48, 12: bytes(48), 13: bytes(48)}


@pytest.mark.attack("L6")
@pytest.mark.parametrize("left_out", [2, 4, 12, 13])
def test_less_than_the_gate_set_is_refused_unless_asked_for_by_name(booted, left_out):
    pcrs = PcrDigests.of({index: value for index, value in GOOD.items() if index != left_out})
    with pytest.raises(UsageError) as caught:
        seal_for_boot_state(Connection(Scripted()), SECRET, pcrs)
    assert caught.value.code == "policy.partial"
    _, flags = seal_for_boot_state(Connection(Between(booted)), SECRET, pcrs, strength=UnsafePartialPolicy)
    assert "policy.partial" in [flag.code for flag in flags]


@pytest.mark.attack("A12")
@pytest.mark.parametrize("index", [4, 7])
def test_zeros_that_no_measured_boot_leaves_are_always_refused(index):
    for strength in ({}, {"strength": UnsafePartialPolicy}):
        with pytest.raises(UsageError) as caught:
            seal_for_boot_state(Connection(Scripted()), SECRET, PcrDigests.of({**GOOD, index: bytes(48)}), **strength)
        assert caught.value.code.startswith("policy.")


def file_of(tpm):
    return json.loads(encode_sealed(sealed_in(tpm)))


def public_with(members, **changes):
    public = parse_sealed(json.dumps(members).encode()).public
    return members | {"public": base64.b64encode(replace(public, **changes).encode()).decode()}


def test_the_file_says_nothing_unknown_and_nothing_twice(booted):
    members = file_of(booted)
    assert parse_sealed(json.dumps(members).encode())
    for wrong in (
        members | {"version": 2},
        members | {"bank": "SHA256"},
        members | {"more": 1},
        members | {"pcrs": {}},
        members | {"pcrs": {"PCR24": "00" * 48}},
        members | {"pcrs": {"PCR4": "00" * 32}},
        members | {"parent": "00"},
        members | {"parent": "zz" * 34},
        members | {"private": ""},
        members | {"public": "AAAA"},
        public_with(members, attributes=SEALED_ATTRIBUTES | ObjectAttributes.USER_WITH_AUTH),
        public_with(members, attributes=SEALED_ATTRIBUTES & ~ObjectAttributes.ADMIN_WITH_POLICY),
        public_with(members, attributes=SEALED_ATTRIBUTES & ~ObjectAttributes.FIXED_TPM),
    ):
        with pytest.raises(FormatError):
            parse_sealed(json.dumps(wrong).encode())
