# SPDX-License-Identifier: Apache-2.0
"""Assertions about the TPM's state and the command: each stops what it should stop, and nothing else."""

import hashlib

import pytest
from tests.tpm_commands import (
    CODES,
    EMPTY,
    OWNER,
    SHA256,
    SHA512,
    Command,
    Response,
    digests,
    selection,
    send,
    sized,
    u8,
    u16,
    u32,
)
from tests.tpm_policies import (
    AUTH,
    INDEX,
    TRIAL,
    Assertion,
    asserted,
    by_policy,
    define,
    digest_of,
    extended,
    flush,
    policy_of,
    secret,
    start,
)

NOTHING = bytes(32)
FAIL, POLICY_CC, LOCALITY, PCR_CHANGED, MODE = 0x99D, 0x9A4, 0x907, 0x128, 0x989
READ = u16(8) + u16(0)
PCR_1 = Assertion("PolicyPCR", sized() + selection((SHA256, [1])))
AUTH_VALUE, PASSWORD = Assertion("PolicyAuthValue"), Assertion("PolicyPassword")


def only(name: str) -> Assertion:
    return Assertion("PolicyCommandCode", u32(CODES[name]))


def read(tpm, session: int, *, proof: bytes = b"", locality: int = 0, index: int = INDEX) -> int:
    """Read an NV index by policy, and return the response code."""
    command = Command("NV_Read", (index, index), READ, by_policy(session, proof))
    return Response(tpm.execute(command.content, locality)).code


def guarded(tpm, *assertions: Assertion, **how):
    """Define an index that these assertions open, and return a session that made them."""
    define(tpm, policy=policy_of(tpm, assertions), **how)
    return asserted(tpm, assertions)


def extend(tpm, pcr: int) -> None:
    assert send(tpm, "PCR_Extend", (pcr,), digests((SHA256, bytes(32))), EMPTY).code == 0


def test_a_session_without_the_assertion_opens_nothing(tpm):
    guarded(tpm, AUTH_VALUE)
    assert read(tpm, start(tpm).handle) == FAIL


def test_a_trial_session_authorizes_nothing(tpm):
    guarded(tpm, only("NV_Read"))
    assert read(tpm, asserted(tpm, [only("NV_Read")], kind=TRIAL)) == 0x982


def test_a_session_of_another_hash_opens_nothing(tpm):
    guarded(tpm, only("NV_Read"))
    session = start(tpm, hash_alg=SHA512).handle
    assert only("NV_Read").make(tpm, session).code == 0
    assert read(tpm, session) == FAIL


def test_an_entity_without_a_policy_admits_none(tpm):
    define(tpm)
    assert read(tpm, start(tpm).handle) == 0x12F


def test_the_named_command_is_admitted_and_no_other(tpm):
    assert read(tpm, guarded(tpm, only("NV_Read"))) == 0
    session = asserted(tpm, [only("NV_Read")])
    command = Command("NV_ReadLock", (INDEX, INDEX), b"", by_policy(session))
    assert Response(tpm.execute(command.content)).code == POLICY_CC


def test_a_session_names_one_command_and_one_that_there_is(tpm):
    session = asserted(tpm, [only("NV_Read"), only("NV_Read")])
    assert only("NV_Write").make(tpm, session).code == 0x1C4
    assert Assertion("PolicyCommandCode", u32(0x999)).make(tpm, start(tpm).handle).code == 0x1E4


def test_using_a_session_starts_its_policy_over(tpm):
    session = guarded(tpm, only("NV_Read"))
    assert [read(tpm, session), read(tpm, session)] == [0, FAIL]
    assert digest_of(tpm, session) == NOTHING


def test_only_the_named_localities_are_admitted(tpm):
    anywhere_but_0 = Assertion("PolicyLocality", u8(0x1E))
    session = guarded(tpm, anywhere_but_0)
    assert read(tpm, session) == LOCALITY
    assert read(tpm, session, locality=3) == 0


def test_localities_of_several_assertions_are_those_in_common(tpm):
    both = (Assertion("PolicyLocality", u8(0x0C)), Assertion("PolicyLocality", u8(0x06)))
    session = guarded(tpm, *both)
    assert [read(tpm, session, locality=at) for at in (1, 3, 2)] == [LOCALITY, LOCALITY, 0]


@pytest.mark.parametrize("values", [(0,), (1, 2), (0x21, 1), (1, 0x21), (0x21, 0x22)])
def test_localities_with_nothing_in_common_are_refused(tpm, values):
    *before, last = (Assertion("PolicyLocality", u8(value)) for value in values)
    assert last.make(tpm, asserted(tpm, before)).code == 0x1CD


def test_an_extended_locality_is_one_number_and_not_bits(tpm):
    session = guarded(tpm, Assertion("PolicyLocality", u8(0x21)))
    assert read(tpm, session, locality=0) == LOCALITY
    assert read(tpm, session, locality=0x21) == 0


def test_a_written_index_is_told_from_one_that_never_was(tpm):
    written, unwritten = (Assertion("PolicyNvWritten", u8(value)) for value in (1, 0))
    assert read(tpm, guarded(tpm, written)) == 0
    session = guarded(tpm, unwritten, index=INDEX + 1)
    assert read(tpm, session, index=INDEX + 1) == FAIL
    session = guarded(tpm, unwritten, index=INDEX + 2, data=None)
    assert read(tpm, session, index=INDEX + 2) == 0x14A  # admitted, and there is nothing to read
    assert unwritten.make(tpm, asserted(tpm, [written])).code == 0x1C4


def test_what_is_no_index_was_never_written(tpm):
    assertions = (AUTH_VALUE, Assertion("PolicyNvWritten", u8(0)))
    policy = policy_of(tpm, assertions)
    assert send(tpm, "SetPrimaryPolicy", (OWNER,), sized(policy) + u16(SHA256), EMPTY).code == 0
    used = secret(areas=by_policy(asserted(tpm, assertions)))
    assert used.make(tpm, start(tpm, TRIAL).handle).code == FAIL


def test_a_pcr_that_changes_closes_the_session(tpm):
    session = guarded(tpm, PCR_1)
    extend(tpm, 2)  # any PCR that is counted: the session would have to look again
    assert read(tpm, session) == PCR_CHANGED
    assert PCR_1.make(tpm, session).code == PCR_CHANGED
    assert read(tpm, asserted(tpm, [PCR_1])) == 0


def test_a_pcr_that_is_not_counted_leaves_it_open(tpm):
    session = guarded(tpm, PCR_1)
    extend(tpm, 16)
    assert read(tpm, session) == 0


def test_another_pcr_value_is_another_policy(tpm):
    guarded(tpm, PCR_1)
    extend(tpm, 1)
    assert read(tpm, asserted(tpm, [PCR_1])) == FAIL


def test_the_wanted_pcr_value_must_be_there_but_for_a_trial(tpm):
    wanted = hashlib.sha256(bytes(32)).digest()
    good, other = (Assertion("PolicyPCR", sized(value) + selection((SHA256, [1]))) for value in (wanted, NOTHING))
    assert other.make(tpm, start(tpm).handle).code == 0x1C4
    assert policy_of(tpm, [good]) == policy_of(tpm, [PCR_1])
    assert policy_of(tpm, [other]) == extended(NOTHING, "PolicyPCR", selection((SHA256, [1])), NOTHING)


def test_an_authorization_value_is_wanted_in_the_hmac_and_a_password_in_clear(tpm):
    session = guarded(tpm, AUTH_VALUE)
    assert read(tpm, session) == 0x9A2
    flush(tpm, session)
    session = asserted(tpm, [PASSWORD])
    assert read(tpm, session) == 0x9A2
    assert read(tpm, session, proof=b"nb") == 0x9A2
    assert read(tpm, session, proof=AUTH) == 0


def test_password_and_authorization_value_are_one_policy(tpm):
    assert policy_of(tpm, [PASSWORD]) == policy_of(tpm, [AUTH_VALUE]) == extended(NOTHING, "PolicyAuthValue")


def test_a_policy_vouches_for_nothing_by_itself(tpm):
    """PolicySecret under a policy wants the secret all the same, in the HMAC or in clear."""
    session = guarded(tpm, only("PolicySecret"))
    used = secret(INDEX, areas=by_policy(session))
    assert used.make(tpm, start(tpm, TRIAL).handle).code == MODE


def test_any_branch_of_an_or_opens_and_nothing_else_does(tpm):
    one, other = (policy_of(tpm, [each]) for each in (only("NV_Read"), PCR_1))
    either = Assertion("PolicyOR", u32(2) + sized(one) + sized(other))
    define(tpm, policy=policy_of(tpm, [either]))
    assert read(tpm, asserted(tpm, [only("NV_Read"), either])) == 0
    assert read(tpm, asserted(tpm, [PCR_1, either])) == 0
    assert either.make(tpm, asserted(tpm, [AUTH_VALUE])).code == 0x1C4


def test_what_was_asserted_before_an_or_goes_on_to_be_required(tpm):
    one = policy_of(tpm, [only("NV_Write")])
    either = Assertion("PolicyOR", u32(2) + sized(one) + sized(NOTHING))
    define(tpm, policy=policy_of(tpm, [either]))
    assert read(tpm, asserted(tpm, [only("NV_Write"), either])) == POLICY_CC


@pytest.mark.parametrize("count", [0, 1, 9])
def test_an_or_has_two_to_eight_branches(tpm, count):
    branches = Assertion("PolicyOR", u32(count) + sized(NOTHING) * count)
    assert branches.make(tpm, start(tpm).handle).code == 0x1D5


def test_an_administrative_command_must_be_named(tpm):
    written = Assertion("PolicyNvWritten", u8(1))
    for index, policy, expected in ((INDEX, written, FAIL), (INDEX + 1, only("NV_ChangeAuth"), 0)):
        session = guarded(tpm, policy, index=index)
        assert send(tpm, "NV_ChangeAuth", (index,), sized(b"new"), by_policy(session)).code == expected
