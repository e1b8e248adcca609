# SPDX-License-Identifier: Apache-2.0
"""Policies on libtpms and on the emulated NitroTPM: the same bytes, the same codes, the same digests.

Each conversation begins with both TPMs as new, so their handles are the same too. Where a response depends on the time
or on a secret of the TPM (tickets), its length is compared; everywhere else every byte.
"""

from __future__ import annotations

import hashlib

import pytest
from tests.libtpms import libtpms
from tests.tpm_commands import (
    CODES,
    DIGEST_SIZES,
    EMPTY,
    ENDORSEMENT,
    LOCKOUT,
    NULL,
    OWNER,
    PLATFORM,
    SHA1,
    SHA256,
    SHA384,
    SHA512,
    SM3,
    Command,
    Response,
    digests,
    password,
    selection,
    sized,
    u8,
    u16,
    u32,
    u64,
)
from tests.tpm_policies import (
    AUTH,
    INDEX,
    POLICY,
    SESSION,
    TRIAL,
    Assertion,
    Signer,
    by_policy,
    define,
    secret,
    start,
    vouch,
)

from strongroom.twin.nitrotpm.tpm import NitroTpm

RETRY = 0x922
NAMES = tuple(u16(SHA256) + bytes([value]) * 32 for value in (1, 2))
KEY = Signer()


class Both:
    """Executes on both TPMs, and returns libtpms's response; the first difference is an error."""

    def __init__(self, reference) -> None:
        self.reference, self.own = reference, NitroTpm()
        self.count = 0

    def execute(self, command: bytes, locality: int = 0, *, exact: bool = False):
        expected = self.reference.execute(command, locality)
        while Response(expected).code == RETRY:
            expected = self.reference.execute(command, locality)
        found = self.own.execute(command, locality)
        self.count += 1
        same = expected == found if exact else (expected[:10], len(expected)) == (found[:10], len(found))
        assert same, f"{command.hex()}: {expected.hex()} != {found.hex()}"
        return expected

    def exactly(self, assertion: Assertion, session: int, locality: int = 0) -> Response:
        """Assert, and compare the whole response and the digest after it."""
        made = Response(self.execute(assertion.command(session).content, locality, exact=True))
        self.execute(Command("PolicyGetDigest", (session,)).content, exact=True)
        return made


@pytest.fixture
def both():
    with libtpms() as reference:
        pair = Both(reference)
        pair.execute(Command("Startup", (), u16(0)).content)
        yield pair


def test_one_changed_bit_is_a_difference(both):
    both.own.execute = lambda command, locality: both.reference.execute(command, locality)[:-1] + b"x"
    with pytest.raises(AssertionError, match="!="):
        both.execute(Command("GetTestResult").content, exact=True)


def simple(name: str, *parameters: bytes) -> Assertion:
    return Assertion(name, b"".join(parameters))


def plain_assertions(size: int) -> list[Assertion]:
    """Assertions that need nothing, good and wrong, for a session whose digests have that size."""
    digest, other = b"d" * size, b"o" * size
    hashes = (digest, digest, other, b"", b"short", bytes(size + 1), bytes(65))
    operands = ((bytes(8), 0), (b"\xff" * 8, 0), (bytes(4), 16), (b"\1", 24), (b"\xff" * 4, 20), (bytes(25), 0))
    odd_times = ((b"", 25, 0), (b"", 26, 0), (b"ab", 24, 0), (bytes(26), 0, 0), (bytes(65), 0, 0), (b"", 0, 12))
    pcrs = (
        (b"", selection((SHA384, range(8)))),
        (b"", selection((SHA384, ()), (SHA1, [23]))),
        (b"", selection()),
        (other, selection((SHA256, [1]))),
        (b"short", selection((SHA256, [1]))),
        (b"", selection((SM3, [1]))),
        (b"", selection((SHA256, [1]), (SHA256, [1]))),
        (bytes(65), selection()),
        (b"", u32(1) + u16(SHA256) + u8(2) + b"ab"),
        (b"", u32(17)),
    )
    return [
        simple("PolicyAuthValue"),
        simple("PolicyPassword"),
        *(simple("PolicyCommandCode", u32(code)) for code in (0x999, 0, CODES["NV_Read"], CODES["NV_Read"], 0x151)),
        *(simple("PolicyLocality", u8(value)) for value in (0, 0x1F, 0x20, 3, 3, 4, 1)),
        *(simple("PolicyNvWritten", u8(value)) for value in (2, 1, 1, 0)),
        *(simple("PolicyPCR", sized(wanted), selected) for wanted, selected in pcrs),
        *(simple("PolicyOR", u32(count), sized(digest) * count) for count in (0, 1, 2, 8, 9)),
        simple("PolicyOR", u32(2), sized(bytes(65)) * 2),
        simple("PolicyOR", u32(3), sized(digest), sized(b""), sized(b"short")),
        *(
            simple("PolicyCounterTimer", sized(operand), u16(offset), u16(comparison))
            for operand, offset in operands
            for comparison in (0, 1, 3, 5, 7, 9, 10, 11)
        ),
        *(simple("PolicyCounterTimer", sized(each[0]), u16(each[1]), u16(each[2])) for each in odd_times),
        *(simple(name, sized(each)) for each in hashes for name in ("PolicyCpHash", "PolicyNameHash")),
        simple("PolicyDuplicationSelect", sized(NAMES[0]), sized(NAMES[1]), u8(1)),
        simple("PolicyTemplate", sized(digest)),
        simple("PolicyRestart"),
        *(simple("PolicyTemplate", sized(each)) for each in hashes),
        simple("PolicyNameHash", sized(digest)),
        simple("PolicyRestart"),
        *(simple("PolicyNameHash", sized(each)) for each in hashes),
        simple("PolicyTemplate", sized(digest)),
        simple("PolicyRestart"),
        simple("PolicyDuplicationSelect", sized(NAMES[0]), sized(NAMES[1]), u8(2)),
        simple("PolicyDuplicationSelect", sized(bytes(69)), sized(NAMES[1]), u8(1)),
        simple("PolicyDuplicationSelect", sized(NAMES[0]), sized(NAMES[1]), u8(1)),
        simple("PolicyDuplicationSelect", sized(NAMES[0]), sized(NAMES[1]), u8(0)),
        simple("PolicyCpHash", sized(digest)),
        simple("PolicyRestart"),
        simple("PolicyDuplicationSelect", sized(NAMES[0]), sized(NAMES[1]), u8(0)),
    ]


@pytest.mark.parametrize("kind", [POLICY, TRIAL])
@pytest.mark.parametrize("hash_alg", [SHA1, SHA256, SHA384, SHA512])
def test_assertions_that_need_nothing_have_the_same_answers_and_digests(both, kind, hash_alg):
    session = start(both, kind, hash_alg).handle
    for assertion in plain_assertions(DIGEST_SIZES[hash_alg]):
        both.exactly(assertion, session)


def test_every_truncation_and_a_byte_too_many_are_refused_alike(both):
    key = KEY.load(both)
    define(both)
    session = start(both).handle
    by_owner = (OWNER, INDEX, SESSION)
    signed = Assertion("PolicySigned", vouch(ref=b"r") + KEY.sign(bytes(4) + b"r"), (key, SESSION))
    assertions = [
        *plain_assertions(32)[-1:],
        signed,
        secret(ref=b"r"),
        simple(
            "PolicyTicket", sized(u64(9)), sized(b""), sized(b"r"), sized(u32(OWNER)), u16(0x8023), u32(NULL), sized()
        ),
        simple("PolicyAuthorize", sized(bytes(32)), sized(), sized(NAMES[0]), u16(0x8022), u32(NULL), sized()),
        Assertion("PolicyNV", sized(b"") + u16(0) + u16(0), by_owner, EMPTY),
        Assertion("PolicyAuthorizeNV", b"", by_owner, EMPTY),
        simple("PolicyOR", u32(2), sized(bytes(32)) * 2),
        simple("PolicyPCR", sized(), selection((SHA256, [1]))),
        simple("PolicyCounterTimer", sized(b""), u16(0), u16(0)),
        *(simple(name, value) for name, value in (("PolicyCommandCode", u32(0x14E)), ("PolicyLocality", u8(1)))),
        simple("PolicyGetDigest"),
    ]
    for each in assertions:
        whole = each.parameters
        for size in range(len(whole)):
            both.exactly(Assertion(each.name, whole[:size], each.handles, each.areas), session)
        both.exactly(Assertion(each.name, whole + b"\0", each.handles, each.areas), session)
    assert both.count > 500


def test_handles_that_are_no_policy_session_are_refused_alike(both):
    start(both, 0)
    for session in (0x02000000, 0x03000001, 0x03000077, OWNER, 0x81000000, INDEX, 0):
        for name in ("PolicyAuthValue", "PolicyGetDigest", "PolicyPassword", "PolicyRestart", "PolicyAuthorize"):
            both.execute(Command(name, (session,)).content)
        both.execute(secret().command(session).content)


@pytest.mark.parametrize("kind", [POLICY, TRIAL])
def test_secrets_of_every_entity(both, kind):
    session = start(both, kind).handle
    define(both)
    entities = (OWNER, ENDORSEMENT, PLATFORM, NULL, LOCKOUT, 0, 23, 24, 0x4000000D, 0x40000009, session, INDEX + 1)
    for entity in entities:
        both.exactly(secret(entity), session)
        both.execute(secret(entity, expiration=-1000).command(session).content)
    for areas in ((), (password(b"wrong"),), EMPTY * 2):
        both.exactly(secret(OWNER, areas), session)
    both.exactly(secret(INDEX, (password(AUTH),)), session)
    both.exactly(secret(INDEX, (password(b"wrong"),)), session)
    for limits in (
        {"nonce": b"n" * 16},
        {"nonce": bytes(65)},
        {"cp_hash": b"short"},
        {"cp_hash": b"c" * 32},
        {"cp_hash": b"d" * 32},
        {"ref": bytes(65)},
        {"ref": bytes(64)},
        {"expiration": 2**31 - 1},
    ):
        both.exactly(secret(**limits), session)


@pytest.mark.parametrize("kind", [POLICY, TRIAL])
def test_signatures_good_and_wrong(both, kind):
    key, session = KEY.load(both), start(both, kind).handle
    good = KEY.sign(bytes(4))
    wrong = Signer().sign(bytes(4))
    odd = (
        b"",
        u16(0x0010),
        u16(0x0077),
        u16(0x0014) + u16(SHA256) + sized(b"x"),
        u16(0x0005) + u16(SHA256) + bytes(32),
    )
    zero = u16(0x0018) + u16(SHA256) + sized(b"") * 2
    long = u16(0x0018) + u16(SHA256) + sized(b"\xff" * 32) * 2
    for signature in (good, wrong, good + b"x", *odd, zero, long, u16(0x0018) + u16(SM3) + sized(b"") * 2):
        both.exactly(Assertion("PolicySigned", vouch() + signature, (key, SESSION)), session)
    both.execute(KEY.vouches(key, expiration=-1000, ref=b"r").command(session).content)
    both.exactly(KEY.vouches(key, cp_hash=b"c" * 32), session)
    both.exactly(KEY.vouches(key, cp_hash=b"d" * 32), session)


@pytest.mark.parametrize("kind", [POLICY, TRIAL])
def test_values_in_indices(both, kind):
    session = start(both, kind).handle
    define(both, data=u64(0x0102030405060708))
    define(both, index=INDEX + 1, data=None)
    by = (
        (OWNER, EMPTY),
        (PLATFORM, EMPTY),
        (ENDORSEMENT, EMPTY),
        (INDEX, (password(AUTH),)),
        (INDEX, EMPTY),
        (OWNER, ()),
    )
    for index in (INDEX, INDEX + 1, INDEX + 2):
        for authority, areas in by:
            handles = (authority, index, SESSION)
            both.exactly(Assertion("PolicyNV", sized(b"\1") + u16(0) + u16(0), handles, areas), session)
            both.exactly(Assertion("PolicyAuthorizeNV", b"", handles, areas), session)
    for comparison in range(13):
        for operand in (b"\0", b"\1", b"\2", b"\x80", b"\1\3", u64(0x0102030405060708), bytes(9)):
            for offset in (0, 1, 8, 9):
                parameters = sized(operand) + u16(offset) + u16(comparison)
                both.exactly(Assertion("PolicyNV", parameters, (OWNER, INDEX, SESSION), EMPTY), session)


def test_a_policy_in_an_index(both):
    for number, hash_alg in enumerate((SHA256, SHA512, SHA1, SM3, 0x0010)):
        policy = hashlib.sha256(bytes(32) + u32(CODES["PolicyAuthValue"])).digest()
        define(both, index=INDEX + number, data=u16(hash_alg) + policy.ljust(64, b"\0"))
    define(both, index=INDEX + 9, data=u16(SHA256) + bytes(31))
    session = start(both).handle
    for number in (0, 1, 2, 3, 4, 9):
        both.exactly(simple("PolicyRestart"), session)
        both.exactly(simple("PolicyAuthValue"), session)
        both.exactly(Assertion("PolicyAuthorizeNV", b"", (OWNER, INDEX + number, SESSION), EMPTY), session)


CASES = {
    "nothing": (),
    "value": (simple("PolicyAuthValue"),),
    "password": (simple("PolicyPassword"),),
    "command": (simple("PolicyCommandCode", u32(CODES["NV_Read"])),),
    "other command": (simple("PolicyCommandCode", u32(CODES["NV_Write"])),),
    "locality 2": (simple("PolicyLocality", u8(4)),),
    "locality 33": (simple("PolicyLocality", u8(0x21)),),
    "written": (simple("PolicyNvWritten", u8(1)),),
    "unwritten": (simple("PolicyNvWritten", u8(0)),),
    "cp hash": (simple("PolicyCpHash", sized(bytes(32))),),
    "name hash": (simple("PolicyNameHash", sized(bytes(32))),),
    "template": (simple("PolicyTemplate", sized(bytes(32))),),
    "pcr": (simple("PolicyPCR", sized(), selection((SHA256, [1]))),),
    "secret": (secret(),),
    "secret with an end": (secret(expiration=10**6),),
    "command and locality": (simple("PolicyCommandCode", u32(CODES["NV_Write"])), simple("PolicyLocality", u8(4))),
    "cp hash and locality": (simple("PolicyCpHash", sized(bytes(32))), simple("PolicyLocality", u8(4))),
    "cp hash and written": (simple("PolicyCpHash", sized(bytes(32))), simple("PolicyNvWritten", u8(0))),
    "password and command": (simple("PolicyPassword"), simple("PolicyCommandCode", u32(CODES["NV_Write"]))),
}
PROOFS = (b"", AUTH, b"wrong", bytes(32))
AFTERWARDS = (None, simple("PolicyAuthValue"), 1, 16)
"""What happens between the policy and its use: nothing, one assertion more, a PCR is extended."""


@pytest.mark.parametrize("case", CASES)
def test_what_a_policy_admits(both, case):
    policy = _trial_digest(both, CASES[case])
    for number, data in enumerate((bytes(8), None)):
        define(both, index=INDEX + number, policy=policy, data=data)
        for use in ("NV_Read", "PolicySecret"):
            for locality in (0, 2, 0x21):
                for proof in PROOFS:
                    _use(both, CASES[case], INDEX + number, use=use, proof=proof, locality=locality)
        for afterwards in AFTERWARDS[1:]:
            _use(both, CASES[case], INDEX + number, use="NV_Read", afterwards=afterwards)


def _trial_digest(both, assertions) -> bytes:
    session = start(both, TRIAL).handle
    for each in assertions:
        both.execute(each.command(session).content)
    found = Response(both.execute(Command("PolicyGetDigest", (session,)).content, exact=True)).sized()
    both.execute(Command("FlushContext", (), u32(session)).content)
    return found


def _use(both, assertions, index: int, *, use: str, proof: bytes = b"", locality: int = 0, afterwards=None) -> None:
    """Satisfy a policy, let something happen, and authorize a command with it."""
    session, other = start(both).handle, start(both, TRIAL).handle
    for each in assertions:
        both.execute(each.command(session).content)
    if isinstance(afterwards, Assertion):
        both.execute(afterwards.command(session).content)
    elif afterwards is not None:
        both.execute(Command("PCR_Extend", (afterwards,), digests((SHA256, bytes(32))), EMPTY).content)
    areas = by_policy(session, proof)
    command = Command("NV_Read", (index, index), u16(8) + u16(0), areas)
    if use == "PolicySecret":
        command = Command("PolicySecret", (index, other), vouch(), areas)
    both.execute(command.content, locality)
    both.execute(Command("PolicyGetDigest", (session,)).content, exact=True)
    for handle in (session, other):
        both.execute(Command("FlushContext", (), u32(handle)).content)


def test_entities_without_a_policy_admit_none(both):
    session, other = start(both).handle, start(both, TRIAL).handle
    for entity in (OWNER, ENDORSEMENT, PLATFORM, LOCKOUT, 1):
        both.execute(secret(entity, by_policy(session)).command(other).content)
