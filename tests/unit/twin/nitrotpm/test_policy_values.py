# SPDX-License-Identifier: Apache-2.0
"""Assertions that look at a value: in an NV index, or the TPM's time and counts."""

import pytest
from tests.tpm_commands import EMPTY, OWNER, PLATFORM, SHA256, SHA512, password, send, sized, u8, u16, u32, u64
from tests.tpm_policies import (
    AUTH,
    INDEX,
    NO_DA,
    OPEN,
    OWNER_READ,
    OWNER_WRITE,
    SESSION,
    TRIAL,
    Assertion,
    asserted,
    define,
    digest_of,
    policy_of,
    start,
)

from strongroom.twin.nitrotpm.authorization.comparisons import Comparison

POLICY_RC, VALUE, SIZE, RANGE = 0x126, 0x84, 0x95, 0x8D
EQ, NEQ, SIGNED_GT, UNSIGNED_GT, SIGNED_LT, UNSIGNED_LT, SIGNED_GE, UNSIGNED_GE, SIGNED_LE, UNSIGNED_LE, SET, CLEAR = (
    range(12)
)
NUMBER = 0x0102030405060708


def nv(operand: bytes, comparison: int, *, offset: int = 0, by: int = OWNER, index: int = INDEX, areas=EMPTY):
    return Assertion("PolicyNV", sized(operand) + u16(offset) + u16(comparison), (by, index, SESSION), areas)


def timed(operand: bytes, comparison: int, *, offset: int = 0) -> Assertion:
    return Assertion("PolicyCounterTimer", sized(operand) + u16(offset) + u16(comparison))


@pytest.mark.parametrize(
    ("there", "operand", "holding"),
    [
        (b"\x05", b"\x05", {EQ, SIGNED_GE, UNSIGNED_GE, SIGNED_LE, UNSIGNED_LE, SET}),
        (b"\x05", b"\x04", {NEQ, SIGNED_GT, UNSIGNED_GT, SIGNED_GE, UNSIGNED_GE, SET}),
        (b"\x05", b"\x0a", {NEQ, SIGNED_LT, UNSIGNED_LT, SIGNED_LE, UNSIGNED_LE, CLEAR}),
        (b"\x80", b"\x01", {NEQ, SIGNED_LT, UNSIGNED_GT, SIGNED_LE, UNSIGNED_GE, CLEAR}),
        (b"\xff", b"\xfe", {NEQ, SIGNED_GT, UNSIGNED_GT, SIGNED_GE, UNSIGNED_GE, SET}),
        (b"", b"", {EQ, SIGNED_GE, UNSIGNED_GE, SIGNED_LE, UNSIGNED_LE, SET, CLEAR}),
    ],
)
def test_comparisons(there, operand, holding):
    assert {comparison for comparison in Comparison if comparison.holds(there, operand)} == holding


def test_what_is_in_an_index_must_compare_now(tpm):
    define(tpm, data=u64(NUMBER))
    session = start(tpm).handle
    before = digest_of(tpm, session)
    assert nv(u64(NUMBER + 1), UNSIGNED_GE).make(tpm, session).code == POLICY_RC
    assert digest_of(tpm, session) == before
    assert nv(u64(NUMBER), UNSIGNED_GE).make(tpm, session).code == 0
    assert nv(u16(0x0304), EQ, offset=2).make(tpm, session).code == 0
    send(tpm, "NV_Write", (OWNER, INDEX), sized(u64(NUMBER - 1)) + u16(0), EMPTY)
    assert nv(u64(NUMBER), UNSIGNED_GE).make(tpm, session).code == POLICY_RC


def test_a_trial_does_not_look_and_a_read_index_has_its_own_name(tpm):
    define(tpm, data=None)
    unread = policy_of(tpm, [nv(bytes(64), EQ, offset=999)])
    send(tpm, "NV_Write", (OWNER, INDEX), sized(bytes(8)) + u16(0), EMPTY)
    assert policy_of(tpm, [nv(bytes(64), EQ, offset=999)]) != unread


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"operand": bytes(9)}, SIZE | 0x140),
        ({"operand": b"\0", "offset": 8}, SIZE | 0x140),
        ({"operand": b"", "offset": 9}, VALUE | 0x240),
        ({"operand": b"", "comparison": 12}, VALUE | 0x340),
        ({"operand": bytes(65)}, SIZE | 0x140),
    ],
)
def test_what_does_not_fit_the_index_is_refused(tpm, parameters, code):
    define(tpm)
    operand, comparison = parameters["operand"], parameters.get("comparison", EQ)
    assert nv(operand, comparison, offset=parameters.get("offset", 0)).make(tpm, start(tpm).handle).code == code


def test_only_who_may_read_the_index_may_assert_it(tpm):
    define(tpm)
    define(tpm, index=INDEX + 1, attributes=OWNER_WRITE | OWNER_READ | NO_DA)
    define(tpm, index=INDEX + 2, data=None)
    define(tpm, index=INDEX + 3)
    own = (password(AUTH),)
    expected = {
        0: nv(b"", EQ, by=INDEX, areas=own),
        0x149: nv(b"", EQ, by=PLATFORM),
        0x9A2: nv(b"", EQ, by=INDEX, areas=(password(b"other"),)),
        0x12F: nv(b"", EQ, by=INDEX + 1, index=INDEX + 1, areas=own),
        0x14A: nv(b"", EQ, index=INDEX + 2),
        0x125: nv(b"", EQ, areas=()),
    }
    session = start(tpm).handle
    assert [each.make(tpm, session).code for each in expected.values()] == list(expected)
    assert nv(b"", EQ, by=INDEX + 3, areas=own).make(tpm, session).code == 0x149


def test_time_and_counts_must_compare_now(tpm):
    session = start(tpm).handle
    assert timed(u64(0), UNSIGNED_GE).make(tpm, session).code == 0
    assert timed(u64(2**63), UNSIGNED_GE).make(tpm, session).code == POLICY_RC
    assert timed(u32(1), EQ, offset=16).make(tpm, session).code == 0  # one TPM Reset
    assert timed(u8(1), EQ, offset=24).make(tpm, session).code == 0  # a clock that is safe
    assert timed(u8(0), EQ, offset=24).make(tpm, session).code == POLICY_RC


def test_what_does_not_fit_the_time_is_refused_even_in_a_trial(tpm):
    for kind in (1, TRIAL):
        session = start(tpm, kind).handle
        assert timed(b"", EQ, offset=26).make(tpm, session).code == VALUE | 0x240
        assert timed(b"ab", EQ, offset=24).make(tpm, session).code == RANGE


AUTHORIZE = Assertion("PolicyAuthorizeNV", b"", (OWNER, INDEX, SESSION), EMPTY)
AUTH_VALUE = Assertion("PolicyAuthValue")


def test_the_policy_in_an_index_is_accepted_until_another_is_written(tpm):
    policy = policy_of(tpm, [AUTH_VALUE])
    define(tpm, data=u16(SHA256) + policy + b"what is left over")
    session = asserted(tpm, [AUTH_VALUE])
    assert AUTHORIZE.make(tpm, session).code == 0
    assert digest_of(tpm, session) == policy_of(tpm, [AUTHORIZE])
    send(tpm, "NV_Write", (OWNER, INDEX), sized(bytes(32)) + u16(2), EMPTY)
    assert AUTHORIZE.make(tpm, asserted(tpm, [AUTH_VALUE])).code == VALUE


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (u16(SHA512) + bytes(64), 0x83),
        (u16(0x12) + bytes(32), 0x83),
        (u16(SHA256) + bytes(31), 0x9A),
        (b"\0", 0x9A),
    ],
)
def test_what_is_no_policy_of_the_sessions_hash_is_refused(tpm, data, code):
    define(tpm, data=data)
    assert AUTHORIZE.make(tpm, start(tpm).handle).code == code


def test_an_index_that_nobody_may_read_approves_nothing(tpm):
    define(tpm, data=None, attributes=OPEN)
    assert AUTHORIZE.make(tpm, start(tpm).handle).code == 0x14A
