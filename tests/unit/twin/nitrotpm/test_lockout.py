# SPDX-License-Identifier: Apache-2.0
"""Guessing is slow on the emulated NitroTPM: failures count, time forgives, and nothing else does."""

import pytest
from tests.conformance.tpm_stories.nv_commands import INDEX, NO_DA, PLAIN, define, write
from tests.tpm_commands import (
    EMPTY,
    LOCKOUT,
    NONE,
    NULL,
    OWNER,
    SHA256,
    Command,
    Response,
    password,
    send,
    sized,
    u8,
    u16,
    u32,
    u64,
)
from tests.tpm_sessions import CALLER_NONCE, Session

from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.tpm import NitroTpm

AUTH_FAIL, LOCKED, BAD_AUTH, RETRY = 0x98E, 0x921, 0x9A2, 0x922
HOUR_MS = 3_600_000


@pytest.fixture
def tpm(clock):
    made = NitroTpm(monotonic_ms=clock)
    start(made)
    assert parameters(made, 3, 100, 1000) == 0
    for index, attributes in ((INDEX, PLAIN & ~NO_DA), (INDEX + 1, PLAIN)):
        assert Response(made.execute(define(attributes, 8, auth=b"auth", index=index).content)).code == 0
    return made


def start(tpm, shutdown=None, startup=0):
    if shutdown is not None:
        assert send(tpm, "Shutdown", (), u16(shutdown)).code == 0
    tpm.cut_power()
    assert send(tpm, "Startup", (), u16(startup)).code == 0


def parameters(tpm, tries, recovery_s, authority_recovery_s):
    content = u32(tries) + u32(recovery_s) + u32(authority_recovery_s)
    return send(tpm, "DictionaryAttackParameters", (LOCKOUT,), content, EMPTY).code


def guess(tpm, value, index=INDEX):
    return Response(tpm.execute(write(b"x", by=index, index=index, areas=(password(value),)).content)).code


def failures(tpm):
    return int.from_bytes(send(tpm, "GetCapability", (), u32(6) + u32(0x20E) + u32(1)).parameters()[-4:])


def test_after_so_many_failures_even_the_right_value_is_refused(tpm):
    assert [guess(tpm, b"wrong") for _ in range(4)] == [AUTH_FAIL] * 3 + [LOCKED]
    assert guess(tpm, b"auth") == LOCKED
    assert failures(tpm) == 3


def test_who_is_exempt_is_refused_without_being_counted_and_works_in_lockout(tpm):
    assert [guess(tpm, b"wrong", INDEX + 1) for _ in range(5)] == [BAD_AUTH] * 5
    assert failures(tpm) == 0
    for _ in range(3):
        guess(tpm, b"wrong")
    assert guess(tpm, b"auth", INDEX + 1) == 0


def test_hierarchies_do_not_count(tpm):
    wrong = (password(b"wrong"),)
    assert send(tpm, "ClockSet", (OWNER,), u64(1), wrong).code == BAD_AUTH
    assert failures(tpm) == 0


def test_time_forgives_one_failure_after_another(tpm, clock):
    for _ in range(3):
        guess(tpm, b"wrong")
    clock.now_ms += 99_999
    assert guess(tpm, b"auth") == LOCKED
    clock.now_ms += 1
    assert guess(tpm, b"wrong") == AUTH_FAIL
    assert guess(tpm, b"auth") == LOCKED
    clock.now_ms += 250_000
    assert failures(tpm) == 1
    clock.now_ms += 50_000
    assert failures(tpm) == 0


def test_setting_the_clock_forgives_nothing(tpm):
    for _ in range(3):
        guess(tpm, b"wrong")
    assert send(tpm, "ClockSet", (OWNER,), u64(1000 * HOUR_MS), EMPTY).code == 0
    assert guess(tpm, b"auth") == LOCKED


def test_powering_off_does_not_shorten_the_wait(tpm, clock):
    for _ in range(3):
        guess(tpm, b"wrong")
    clock.now_ms += 60_000
    start(tpm)
    clock.now_ms += 60_000
    assert guess(tpm, b"auth") == LOCKED
    clock.now_ms += 40_000
    assert guess(tpm, b"auth") == 0


def test_what_was_waited_before_a_shutdown_counts(tpm, clock):
    for _ in range(3):
        guess(tpm, b"wrong")
    clock.now_ms += 60_000
    start(tpm, shutdown=1, startup=1)
    clock.now_ms += 40_000
    assert guess(tpm, b"auth") == 0


def test_cutting_the_power_after_a_guess_costs_one_try(tpm):
    guess(tpm, b"auth")
    start(tpm)
    assert failures(tpm) == 1
    start(tpm)
    assert failures(tpm) == 1
    guess(tpm, b"auth")
    start(tpm, shutdown=0)
    assert failures(tpm) == 1


def test_the_lockout_authority_has_one_try(tpm, clock):
    wrong = (password(b"wrong"),)
    assert send(tpm, "DictionaryAttackLockReset", (LOCKOUT,), b"", wrong).code == AUTH_FAIL
    assert send(tpm, "DictionaryAttackLockReset", (LOCKOUT,), b"", EMPTY).code == LOCKED
    assert guess(tpm, b"auth") == 0
    clock.now_ms += 999_999
    assert parameters(tpm, 3, 100, 0) == LOCKED
    clock.now_ms += 1
    assert parameters(tpm, 3, 100, 0) == 0


def test_without_a_time_the_lockout_authority_waits_for_the_next_start(tpm, clock):
    parameters(tpm, 3, 100, 0)
    assert send(tpm, "DictionaryAttackLockReset", (LOCKOUT,), b"", (password(b"wrong"),)).code == AUTH_FAIL
    clock.now_ms += 1000 * HOUR_MS
    assert parameters(tpm, 3, 100, 0) == LOCKED
    start(tpm)
    assert parameters(tpm, 3, 100, 0) == 0


def test_the_lockout_authority_resets(tpm):
    for _ in range(3):
        guess(tpm, b"wrong")
    assert send(tpm, "DictionaryAttackLockReset", (LOCKOUT,), b"", EMPTY).code == 0
    assert guess(tpm, b"auth") == 0


def test_without_recovery_nothing_is_counted(tpm):
    parameters(tpm, 3, 0, 0)
    assert [guess(tpm, b"wrong") for _ in range(5)] == [AUTH_FAIL] * 5
    assert failures(tpm) == 0


def test_it_can_want_a_second_try_as_libtpms_does():
    tpm = NitroTpm(profile=Profile(needs_retry_first=True))
    start(tpm)
    tpm.execute(define(PLAIN & ~NO_DA, 8, auth=b"auth").content)
    assert [guess(tpm, b"auth") for _ in range(3)] == [RETRY, 0, 0]
    wrong = Command("DictionaryAttackLockReset", (LOCKOUT,), b"", (password(b"wrong"),))
    assert Response(tpm.execute(wrong.content)).code == AUTH_FAIL


def guess_by_binding(tpm, value, bound_to=INDEX):
    """Guess without naming the entity in a command: its value is in the key of a session that resets PCR 16."""
    begin = sized(CALLER_NONCE) + sized() + u8(0) + u16(NONE) + u16(SHA256)
    started = Session.started(send(tpm, "StartAuthSession", (NULL, bound_to), begin), secret=value)
    reset = started.authorise(Command("PCR_Reset", (16,)), [u32(16)])
    code = Response(tpm.execute(reset.content)).code
    assert send(tpm, "FlushContext", (), u32(started.handle)).code == 0
    return code


def test_a_session_that_is_bound_to_an_entity_guesses_at_it_whatever_it_authorises(tpm):
    assert [guess_by_binding(tpm, b"wrong") for _ in range(4)] == [AUTH_FAIL] * 3 + [LOCKED]
    assert guess_by_binding(tpm, b"auth") == LOCKED
    assert failures(tpm) == 3


def test_a_session_that_is_bound_to_who_is_exempt_counts_for_nobody(tpm):
    assert [guess_by_binding(tpm, b"wrong", INDEX + 1) for _ in range(4)] == [BAD_AUTH] * 4
    assert guess_by_binding(tpm, b"auth", INDEX + 1) == 0
    assert failures(tpm) == 0


def test_a_session_that_is_bound_to_the_lockout_authority_guesses_once(tpm):
    assert send(tpm, "HierarchyChangeAuth", (LOCKOUT,), sized(b"auth"), EMPTY).code == 0
    assert guess_by_binding(tpm, b"auth", LOCKOUT) == 0
    assert guess_by_binding(tpm, b"wrong", LOCKOUT) == AUTH_FAIL
    assert guess_by_binding(tpm, b"auth", LOCKOUT) == LOCKED
    assert failures(tpm) == 0


def test_what_a_session_is_bound_to_is_remembered_in_its_context(tpm):
    begin = sized(CALLER_NONCE) + sized() + u8(0) + u16(NONE) + u16(SHA256)
    started = Session.started(send(tpm, "StartAuthSession", (NULL, INDEX), begin), secret=b"wrong")
    context = send(tpm, "ContextSave", (started.handle,)).content[10:]
    assert send(tpm, "ContextLoad", (), context).handle == started.handle
    reset = started.authorise(Command("PCR_Reset", (16,)), [u32(16)])
    assert Response(tpm.execute(reset.content)).code == AUTH_FAIL
    assert failures(tpm) == 1
