# SPDX-License-Identifier: Apache-2.0
"""Assertions that tie a policy to one command: its parameters, the names of its handles, what it creates."""

import hashlib

import pytest
from tests.tpm_commands import CODES, EMPTY, KEYEDHASH, NONE, OWNER, PLATFORM, SHA256, send, sized, u8, u16, u32, u64
from tests.tpm_objects import make_loaded, make_primary
from tests.tpm_policies import Assertion, asserted, by_policy, digest_of, extended, policy_of, start
from tests.tpm_templates import AES128, SRK_ECC, SRK_RSA, STORAGE, USER_WITH_AUTH, ecc, keyed_hash, to_create

FAIL, POLICY_CC, CPHASH = 0x99D, 0x9A4, 0x151
NOTHING, SOMETHING = bytes(32), b"s" * 32
ONE_NAME, OTHER_NAME = (u16(SHA256) + bytes([value]) * 32 for value in (1, 2))
CP_HASH, NAME_HASH, TEMPLATE = "PolicyCpHash", "PolicyNameHash", "PolicyTemplate"


def bound(name: str, *parts: bytes) -> Assertion:
    return Assertion(name, sized(hashlib.sha256(b"".join(parts)).digest()))


def owned(tpm, assertion: Assertion):
    """Make a policy the owner's, and return a session that satisfies it."""
    policy = policy_of(tpm, [assertion])
    assert send(tpm, "SetPrimaryPolicy", (OWNER,), sized(policy) + u16(SHA256), EMPTY).code == 0
    return asserted(tpm, [assertion])


def set_clock(tpm, session: int, value: int):
    return send(tpm, "ClockSet", (OWNER,), u64(value), by_policy(session)).code


def test_a_cp_hash_admits_one_command_with_its_parameters(tpm):
    session = owned(tpm, bound(CP_HASH, u32(CODES["ClockSet"]), u32(OWNER), u64(10**9)))
    assert set_clock(tpm, session, 10**9 + 1) == FAIL
    assert send(tpm, "SetPrimaryPolicy", (OWNER,), sized() + u16(0x10), by_policy(session)).code == FAIL
    assert set_clock(tpm, session, 10**9) == 0


def test_a_name_hash_admits_any_command_on_these_handles(tpm):
    session = owned(tpm, bound(NAME_HASH, u32(OWNER)))
    assert set_clock(tpm, session, 10**9) == 0
    session = owned(tpm, bound(NAME_HASH, u32(PLATFORM)))
    assert set_clock(tpm, session, 2 * 10**9) == FAIL


def test_a_template_admits_what_is_created_from_it(tpm):
    session = owned(tpm, bound(TEMPLATE, SRK_ECC))
    assert send(tpm, "CreatePrimary", (OWNER,), to_create(SRK_RSA), by_policy(session)).code == FAIL
    assert set_clock(tpm, session, 10**9) == FAIL
    assert send(tpm, "CreatePrimary", (OWNER,), to_create(SRK_ECC), by_policy(session)).code == 0


def test_a_template_admits_no_other_command_that_has_a_public_area(tpm):
    """Import has one for its second parameter, as Create has: but nothing is created."""
    seed, value = b"s" * 32, b"a key of somebody else"
    brought = keyed_hash(USER_WITH_AUTH, unique=hashlib.sha256(seed + value).digest())
    secret = sized(u16(KEYEDHASH) + sized() + sized(seed) + sized(value))
    assertion = bound(TEMPLATE, brought)
    policy = policy_of(tpm, [assertion])
    parent = make_primary(tpm, ecc(STORAGE & ~USER_WITH_AUTH, symmetric=AES128, policy=policy))
    session = asserted(tpm, [assertion])
    parameters = sized() + sized(brought) + sized(secret) + sized() + u16(NONE)
    assert send(tpm, "Import", (parent,), parameters, by_policy(session)).code == FAIL
    assert send(tpm, "Create", (parent,), to_create(brought, data=value), by_policy(session)).code == 0


def selecting(*, with_object: int, one: bytes = ONE_NAME, parent: bytes = OTHER_NAME) -> Assertion:
    return Assertion("PolicyDuplicationSelect", sized(one) + sized(parent) + u8(with_object))


def test_a_duplication_is_selected_with_or_without_its_object_in_the_policy(tpm):
    without = extended(NOTHING, "PolicyDuplicationSelect", OTHER_NAME, b"\0")
    assert policy_of(tpm, [selecting(with_object=0)]) == without
    assert policy_of(tpm, [selecting(with_object=0, one=OTHER_NAME)]) == without
    assert policy_of(tpm, [selecting(with_object=1)]) == extended(
        NOTHING, "PolicyDuplicationSelect", ONE_NAME, OTHER_NAME, b"\1"
    )


def test_an_object_goes_to_the_selected_parent_and_to_no_other(tpm):
    parent, other = make_primary(tpm), make_primary(tpm, SRK_RSA)
    parent_name = name_of(tpm, parent)
    policy = policy_of(tpm, [selecting(with_object=0, parent=parent_name)])
    movable = make_loaded(tpm, parent, keyed_hash(USER_WITH_AUTH, policy=policy), data=b"sealed")
    select = selecting(with_object=0, one=name_of(tpm, movable), parent=parent_name)
    parameters = sized() + u16(NONE)
    for to, expected in ((other, FAIL), (parent, 0)):
        areas = by_policy(asserted(tpm, [select]))
        assert send(tpm, "Duplicate", (movable, to), parameters, areas).code == expected
    mistaken = selecting(with_object=0, one=ONE_NAME, parent=parent_name)
    assert send(tpm, "Duplicate", (movable, parent), parameters, by_policy(asserted(tpm, [mistaken]))).code == FAIL


def name_of(tpm, handle: int):
    return send(tpm, "ReadPublic", (handle,)).sized(1)


def test_a_selected_duplication_admits_nothing_else(tpm):
    session = owned(tpm, selecting(with_object=1))
    assert set_clock(tpm, session, 10**9) == POLICY_CC


def test_a_selected_duplication_names_its_command_and_no_other(tpm):
    session = asserted(tpm, [Assertion("PolicyCommandCode", u32(CODES["ClockSet"]))])
    assert selecting(with_object=1).make(tpm, session).code == 0x143
    session = asserted(tpm, [selecting(with_object=1)])
    assert Assertion("PolicyCommandCode", u32(CODES["ClockSet"])).make(tpm, session).code == 0x1C4


@pytest.mark.parametrize("first", [CP_HASH, NAME_HASH, TEMPLATE])
@pytest.mark.parametrize("second", [CP_HASH, NAME_HASH, TEMPLATE])
def test_a_session_has_room_for_one_kind_of_digest(tpm, first, second):
    session = asserted(tpm, [Assertion(first, sized(SOMETHING))])
    before = digest_of(tpm, session)
    again = first == second and first != NAME_HASH
    assert Assertion(second, sized(SOMETHING)).make(tpm, session).code == (0 if again else CPHASH)
    assert (digest_of(tpm, session) != before) == again
    assert selecting(with_object=1).make(tpm, session).code == CPHASH


@pytest.mark.parametrize(("kind", "code"), [(CP_HASH, CPHASH), (NAME_HASH, CPHASH), (TEMPLATE, 0x1C4)])
def test_a_second_digest_that_differs_is_refused(tpm, kind, code):
    session = asserted(tpm, [Assertion(kind, sized(SOMETHING))])
    assert Assertion(kind, sized(NOTHING)).make(tpm, session).code == code


@pytest.mark.parametrize("kind", [CP_HASH, NAME_HASH, TEMPLATE])
@pytest.mark.parametrize("size", [0, 31, 33])
def test_a_digest_has_the_size_of_the_sessions_hash(tpm, kind, size):
    assert Assertion(kind, sized(bytes(size))).make(tpm, start(tpm).handle).code == 0x1D5
