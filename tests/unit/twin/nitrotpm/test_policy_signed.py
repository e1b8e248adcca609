# SPDX-License-Identifier: Apache-2.0
"""Assertions that somebody vouches for: a key's owner, who knows a secret, or this TPM with a ticket for either."""

import hashlib
from dataclasses import replace

import pytest
from tests.tpm_commands import (
    CODES,
    EMPTY,
    ENDORSEMENT,
    NULL,
    OWNER,
    PLATFORM,
    SHA256,
    SHA384,
    SHA512,
    password,
    send,
    sized,
    u16,
    u32,
    u64,
)
from tests.tpm_policies import (
    AUTH,
    INDEX,
    TRIAL,
    Assertion,
    Signer,
    asserted,
    by_policy,
    define,
    digest_of,
    extended,
    policy_of,
    referred,
    secret,
    start,
)
from tests.tpm_templates import EK_POLICY

NOTHING = bytes(32)
NONCE, SIZE, EXPIRED, CPHASH, SIGNATURE, TICKET = 0x1CF, 0x2D5, 0x4E3, 0x151, 0x5DB, 0x5E0
AUTH_SECRET, AUTH_SIGNED = u16(0x8023), u16(0x8025)
NO_TICKET = u32(NULL) + sized()
REF = b"what for"
KEY = Signer()


EK_POLICY_512 = (
    "1e3b76502c8a1425aa0b7b3fc646a1b0fae063b03b5368f9c4cddecaff0891dd"
    "682bac1a85d4d832b781ea451915de5fc5bf0dc4a1917cd42fa041e3f998e0ee"
)


@pytest.fixture
def key(tpm):
    return KEY.load(tpm)


def nonce_of(started):
    return started.content[16:]


@pytest.mark.parametrize(
    ("hash_alg", "digest"),
    [
        (SHA256, EK_POLICY.hex()),
        (SHA384, "8bbf2266537c171cb56e403c4dc1d4b64f432611dc386e6f532050c3278c930e143e8bb1133824ccb431053871c6db53"),
        (SHA512, EK_POLICY_512),
    ],
)
def test_the_endorsement_hierarchys_secret_is_the_policy_of_the_ek_profile(tpm, hash_alg, digest):
    """PolicyA of the TCG EK Credential Profile 2.5, annex B.6."""
    session = start(tpm, TRIAL, hash_alg).handle
    assert secret(ENDORSEMENT).make(tpm, session).code == 0
    assert digest_of(tpm, session).hex() == digest


def test_who_vouches_and_what_for_are_in_the_policy(tpm, key):
    assert policy_of(tpm, [secret(ref=REF)]) == referred(NOTHING, "PolicySecret", u32(OWNER), REF)
    assert policy_of(tpm, [KEY.vouches(key, ref=REF)]) == referred(NOTHING, "PolicySigned", KEY.name, REF)


def test_a_secret_must_be_known(tpm):
    define(tpm)
    session = start(tpm).handle
    before = digest_of(tpm, session)
    assert secret(INDEX, (password(b"other"),)).make(tpm, session).code == 0x9A2
    assert secret(INDEX, ()).make(tpm, session).code == 0x125
    assert digest_of(tpm, session) == before
    assert secret(INDEX, (password(AUTH),)).make(tpm, session).code == 0


def test_a_signature_must_be_of_this_key_over_just_this(tpm, key):
    session = start(tpm).handle
    good = KEY.vouches(key, ref=REF)
    other = Signer().vouches(key, ref=REF)
    moved = replace(good, parameters=good.parameters.replace(REF, b"much too"))
    for wrong in (other, moved, replace(good, parameters=good.parameters[:-1] + bytes([good.parameters[-1] ^ 1]))):
        assert wrong.make(tpm, session).code == SIGNATURE
    assert digest_of(tpm, session) == NOTHING
    assert good.make(tpm, session).code == 0


def test_a_trial_asks_for_no_signature(tpm, key):
    assert Signer().vouches(key).make(tpm, start(tpm, TRIAL).handle).code == 0


@pytest.fixture(params=["secret", "signature"])
def vouches(request):
    """How somebody vouches."""
    return request.param


@pytest.fixture
def limited(tpm, vouches):
    """Make the assertion with limits, in a session."""

    def make(session: int, **limits):
        assertion = secret(**limits) if vouches == "secret" else KEY.vouches(KEY.load(tpm), **limits)
        return assertion.make(tpm, session)

    return make


def test_a_nonce_is_of_one_session(tpm, limited):
    one, other = start(tpm), start(tpm)
    assert limited(one.handle, nonce=nonce_of(other)).code == NONCE
    assert limited(one.handle, nonce=nonce_of(one)).code == 0


def test_a_trial_takes_any_nonce_and_any_limit(tpm, limited):
    session = start(tpm, TRIAL).handle
    assert limited(session, nonce=b"n" * 16, cp_hash=b"short", expiration=1).code == 0


def test_a_cp_hash_has_the_sessions_size_and_there_is_one(tpm, limited):
    session = start(tpm).handle
    assert limited(session, cp_hash=b"short").code == SIZE
    assert limited(session, cp_hash=b"c" * 32).code == 0
    assert limited(session, cp_hash=b"d" * 32).code == CPHASH
    assert limited(session).code == 0


def test_a_cp_hash_limits_what_the_session_is_good_for(tpm, limited):
    name = u32(OWNER)
    clock = u64(10**9)
    session = start(tpm).handle
    limited(session, cp_hash=hashlib.sha256(u32(CODES["ClockSet"]) + name + clock).digest())
    policy = digest_of(tpm, session)
    send(tpm, "SetPrimaryPolicy", (OWNER,), sized(policy) + u16(SHA256), EMPTY)
    assert send(tpm, "ClockSet", (OWNER,), u64(10**9 + 1), by_policy(session)).code == 0x99D
    assert send(tpm, "ClockSet", (OWNER,), clock, by_policy(session)).code == 0


def test_an_end_counts_from_the_sessions_start_with_its_nonce(tpm, limited):
    started = start(tpm)
    pass_time(tpm, 10)
    assert limited(started.handle, nonce=nonce_of(started), expiration=9).code == EXPIRED
    assert limited(started.handle, nonce=nonce_of(started), expiration=11).code == 0


def test_an_end_without_a_nonce_is_a_time_of_the_tpm(tpm, limited):
    pass_time(tpm, 10)
    session = start(tpm).handle
    assert limited(session, expiration=9).code == EXPIRED
    assert limited(session, expiration=11).code == 0


def test_the_session_ends_at_the_first_end(tpm, limited):
    define(tpm, policy=b"")
    session = start(tpm).handle
    for seconds in (50, 20, 40):
        limited(session, expiration=seconds)
    policy = digest_of(tpm, session)
    send(tpm, "SetPrimaryPolicy", (OWNER,), sized(policy) + u16(SHA256), EMPTY)
    pass_time(tpm, 21)
    assert send(tpm, "ClockSet", (OWNER,), u64(10**9), by_policy(session)).code == 0x9A3


def test_an_end_that_has_not_come_is_none(tpm, limited):
    session = start(tpm).handle
    limited(session, expiration=20)
    send(tpm, "SetPrimaryPolicy", (OWNER,), sized(digest_of(tpm, session)) + u16(SHA256), EMPTY)
    pass_time(tpm, 19)
    assert send(tpm, "ClockSet", (OWNER,), u64(10**9), by_policy(session)).code == 0


def test_an_end_means_nothing_after_the_next_start(tpm, limited):
    """Even for a session that was carried over: the time that its end is written in began anew."""
    session = start(tpm).handle
    context = send(tpm, "ContextSave", (session,)).content[10:]
    assert send(tpm, "Shutdown", (), u16(1)).code == 0
    tpm.cut_power()
    assert send(tpm, "Startup", (), u16(1)).code == 0
    assert send(tpm, "ContextLoad", (), context).code == 0
    assert limited(session, expiration=10**6).code == EXPIRED


def test_only_a_negative_expiration_gets_a_ticket(tpm, limited, vouches):
    kind = AUTH_SECRET if vouches == "secret" else AUTH_SIGNED
    session = start(tpm).handle
    assert limited(session, expiration=100).parameters() == sized() + kind + NO_TICKET
    assert limited(start(tpm, TRIAL).handle, expiration=-100).parameters() == sized() + kind + NO_TICKET
    assert limited(session, expiration=-100).parameters()[10:16] == kind + u32(OWNER)


def pass_time(tpm, seconds: int) -> None:
    """Let the TPM's time move on."""
    tpm._chip.time._before_ms += seconds * 1000


LIMITS = {"cp_hash": b"c" * 32, "ref": REF, "expiration": -100}


@pytest.fixture
def given(tpm, key, vouches):
    """What makes up a PolicyTicket: timeout, cpHash, what for, who, and the ticket."""
    assertion = secret(**LIMITS) if vouches == "secret" else KEY.vouches(key, **LIMITS)
    reply = assertion.make(tpm, start(tpm).handle)
    assert reply.code == 0
    who = u32(OWNER) if vouches == "secret" else KEY.name
    return {
        "timeout": sized(reply.sized()),
        "cp_hash": sized(b"c" * 32),
        "ref": sized(REF),
        "who": sized(who),
        "ticket": reply.parameters()[10:],
    }


def test_a_ticket_is_as_good_as_what_it_was_given_for(tpm, given, vouches):
    session = start(tpm).handle
    assert Assertion("PolicyTicket", b"".join(given.values())).make(tpm, session).code == 0
    code, who = ("PolicySecret", u32(OWNER)) if vouches == "secret" else ("PolicySigned", KEY.name)
    assert digest_of(tpm, session) == referred(NOTHING, code, who, REF)
    assert tpm._chip.volatile.sessions[session].policy.cp_hash == b"c" * 32


@pytest.mark.parametrize(
    ("part", "instead", "code"),
    [
        ("timeout", sized(u64(2**62)), TICKET),
        ("timeout", sized(u64(0)), TICKET),
        ("timeout", sized(u64(1)), 0x1E3),
        ("timeout", sized(b"short"), 0x1D5),
        ("cp_hash", sized(b"d" * 32), TICKET),
        ("cp_hash", sized(), TICKET),
        ("cp_hash", sized(b"short"), SIZE),
        ("ref", sized(b"another"), TICKET),
        ("who", sized(u32(PLATFORM)), TICKET),
        ("ticket", AUTH_SECRET + NO_TICKET, TICKET),
        ("ticket", AUTH_SECRET + u32(OWNER) + sized(bytes(64)), TICKET),
        ("ticket", u16(0x8022) + NO_TICKET, 0x5D7),
        ("ticket", AUTH_SECRET + u32(0x4000000A) + sized(), 0x5C4),
    ],
)
def test_a_ticket_is_for_nothing_else(tpm, given, part, instead, code):
    pass_time(tpm, 1)
    session = start(tpm).handle
    assert Assertion("PolicyTicket", b"".join((given | {part: instead}).values())).make(tpm, session).code == code
    assert digest_of(tpm, session) == NOTHING


def test_a_ticket_ends(tpm, given):
    pass_time(tpm, 101)
    assert Assertion("PolicyTicket", b"".join(given.values())).make(tpm, start(tpm).handle).code == 0x1E3


def test_a_trial_takes_no_ticket(tpm, given):
    assert Assertion("PolicyTicket", b"".join(given.values())).make(tpm, start(tpm, TRIAL).handle).code == 0x182


def test_a_ticket_does_not_outlive_the_time_it_is_written_in(tpm, given):
    tpm.cut_power()
    send(tpm, "Startup", (), u16(0))
    assert Assertion("PolicyTicket", b"".join(given.values())).make(tpm, start(tpm).handle).code == TICKET


def authorize(approved: bytes, ticket: bytes, *, ref: bytes = REF, name: bytes = KEY.name) -> Assertion:
    return Assertion("PolicyAuthorize", sized(approved) + sized(ref) + sized(name) + ticket)


@pytest.fixture
def ticket(tpm, key):
    """The TPM's word that KEY signed for the policy that is all zeros, for REF."""
    signed = hashlib.sha256(NOTHING + REF).digest()
    return send(tpm, "VerifySignature", (key,), sized(signed) + KEY.sign(NOTHING + REF)).parameters()


def test_an_approved_policy_becomes_that_of_its_key(tpm, ticket):
    session = asserted(tpm, [authorize(NOTHING, ticket)])
    assert digest_of(tpm, session) == referred(NOTHING, "PolicyAuthorize", KEY.name, REF)


def test_only_what_was_approved_is_accepted(tpm, ticket):
    session = asserted(tpm, [Assertion("PolicyAuthValue")])
    assert authorize(NOTHING, ticket).make(tpm, session).code == 0x1C4
    now = extended(NOTHING, "PolicyAuthValue")
    assert authorize(now, ticket).make(tpm, session).code == 0x4C4


@pytest.mark.parametrize(
    "changes", [{"ref": b"another"}, {"name": u16(SHA256) + bytes(32)}, {"ticket": u16(0x8022) + NO_TICKET}]
)
def test_the_ticket_must_be_for_this_key_and_purpose(tpm, ticket, changes):
    wrong = authorize(NOTHING, **({"ticket": ticket} | changes))
    assert wrong.make(tpm, start(tpm).handle).code == 0x4C4


@pytest.mark.parametrize(
    ("name", "code"), [(b"", 0x3C3), (u16(0x12) + bytes(32), 0x3C3), (u16(SHA256) + bytes(31), 0x3D5)]
)
def test_a_key_has_a_name(tpm, ticket, name, code):
    for kind in (1, TRIAL):
        assert authorize(NOTHING, ticket, name=name).make(tpm, start(tpm, kind).handle).code == code


def test_a_trial_needs_no_approval(tpm):
    approved = authorize(b"any", u16(0x8022) + NO_TICKET)
    assert policy_of(tpm, [approved]) == referred(NOTHING, "PolicyAuthorize", KEY.name, REF)
