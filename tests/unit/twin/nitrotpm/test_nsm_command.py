# SPDX-License-Identifier: Apache-2.0
"""AWS's vendor command: who may send it, what the module gets, and where the answer goes."""

from dataclasses import replace

import pytest
from tests.tpm_commands import (
    EMPTY,
    LOCKOUT,
    OWNER,
    PLATFORM,
    SHA256,
    Command,
    Response,
    password,
    send,
    sized,
    u16,
    u32,
)
from tests.tpm_policies import (
    AUTH,
    AUTH_READ,
    AUTH_WRITE,
    INDEX,
    NO_DA,
    OPEN,
    OWNER_READ,
    OWNER_WRITE,
    POLICY_READ,
    Assertion,
    asserted,
    by_policy,
    define,
    policy_of,
)

from strongroom.formats.nsm import NsmError, encode_error
from strongroom.formats.pcrs import PcrDigests, PcrIndex
from strongroom.formats.tpm.algorithms import Alg
from strongroom.twin.nitrotpm.faults import FixedAnswer
from strongroom.twin.nitrotpm.profile import DEFAULT_PROFILE
from strongroom.twin.nitrotpm.tpm import NitroTpm

NSM = 0x20000001
POLICY_WRITE, READ_LOCKABLE, WRITE_LOCKABLE, COUNTER = 0x08, 1 << 31, 1 << 14, 1 << 4
OWN = (password(AUTH),)


class Module:
    """Answers a fixed text, and keeps what it was asked."""

    def __init__(self, answer: bytes = b"answer") -> None:
        self.text = answer
        self.asked: list[tuple[bytes, PcrDigests]] = []

    def answer(self, request, pcrs):
        self.asked.append((request, pcrs))
        return self.text


@pytest.fixture
def module():
    return Module()


@pytest.fixture
def tpm(module):
    made = NitroTpm(security_module=module)
    send(made, "Startup", (), u16(0))
    return made


def ask(tpm, by: int = INDEX, index: int = INDEX, areas=OWN, parameters: bytes = b"") -> int:
    return Response(tpm.execute(Command("", (by, index), parameters, areas, code=NSM).content)).code


def content(tpm, size: int, index: int = INDEX):
    return send(tpm, "NV_Read", (OWNER, index), u16(size) + u16(0), EMPTY).sized()


def test_the_answer_takes_the_place_of_the_request_and_the_rest_stays(tpm, module):
    define(tpm, data=b"a request that is longer")
    assert ask(tpm) == 0
    assert content(tpm, 24) == b"answer" + b"a request that is longer"[6:]
    ((request, pcrs),) = module.asked
    assert request == b"a request that is longer"
    assert sorted(pcrs) == list(range(24))
    assert pcrs[PcrIndex(0)] == bytes(48)
    assert pcrs[PcrIndex(17)] == b"\xff" * 48


def test_an_index_that_was_never_written_holds_no_request(tpm, module):
    define(tpm, data=None)
    assert ask(tpm) == 0x14A
    assert module.asked == []


@pytest.mark.parametrize(
    ("attributes", "by", "areas", "code"),
    [
        (OPEN, OWNER, EMPTY, 0),
        (OPEN, INDEX, OWN, 0),
        (OPEN, INDEX, (password(b"other"),), 0x9A2),
        (OPEN, INDEX, (), 0x125),
        (OPEN, PLATFORM, EMPTY, 0x149),
        (OPEN, LOCKOUT, EMPTY, 0x184),
        (AUTH_READ | OWNER_WRITE | OWNER_READ, INDEX, OWN, 0x12F),
        (AUTH_WRITE | OWNER_WRITE | OWNER_READ, INDEX, OWN, 0x12F),
        (AUTH_READ | AUTH_WRITE | OWNER_WRITE, OWNER, EMPTY, 0x149),
    ],
)
def test_only_who_may_both_read_and_write_the_index_may_ask(tpm, module, attributes, by, areas, code):
    define(tpm, attributes=attributes | NO_DA)
    assert ask(tpm, by, areas=areas) == code
    assert len(module.asked) == (code == 0)


@pytest.mark.parametrize(("attribute", "code"), [(POLICY_READ, 0), (0, 0x12F)])
def test_a_policy_must_be_admitted_for_both_too(tpm, attribute, code):
    allowed = Assertion("PolicyCommandCode", u32(NSM))
    attributes = OWNER_WRITE | OWNER_READ | POLICY_WRITE | attribute | NO_DA
    define(tpm, policy=policy_of(tpm, [allowed]), attributes=attributes)
    assert ask(tpm, areas=by_policy(asserted(tpm, [allowed]))) == code


@pytest.mark.parametrize(("lock", "attribute"), [("NV_ReadLock", READ_LOCKABLE), ("NV_WriteLock", WRITE_LOCKABLE)])
def test_a_locked_index_is_left_alone(tpm, module, lock, attribute):
    define(tpm, attributes=OPEN | attribute)
    assert send(tpm, lock, (OWNER, INDEX), b"", EMPTY).code == 0
    assert ask(tpm) == 0x148
    assert module.asked == []


def test_a_counter_holds_no_request(tpm, module):
    public = u32(INDEX) + u16(SHA256) + u32(OPEN | COUNTER) + sized() + u16(8)
    assert send(tpm, "NV_DefineSpace", (OWNER,), sized(AUTH) + sized(public), EMPTY).code == 0
    assert send(tpm, "NV_Increment", (OWNER, INDEX), b"", EMPTY).code == 0
    assert ask(tpm) == 0x282
    assert module.asked == []


def test_the_command_has_no_parameters(tpm, module):
    define(tpm)
    assert ask(tpm, parameters=b"x") == 0x95
    assert module.asked == []


def test_an_answer_that_does_not_fit_is_told(tpm, module):
    module.text = bytes(65)
    define(tpm, data=bytes(64))
    assert ask(tpm) == 0
    told = encode_error(NsmError.BUFFER_TOO_SMALL)
    assert content(tpm, len(told)) == told


def test_an_index_without_room_even_for_that_is_refused(tpm, module):
    module.text = bytes(65)
    define(tpm, data=b"request")
    assert ask(tpm) == 0x146
    assert content(tpm, 7) == b"request"


def test_a_longest_answer_fits_exactly(tpm, module):
    module.text = b"x" * 64
    define(tpm, data=bytes(64))
    assert ask(tpm) == 0
    assert content(tpm, 64) == b"x" * 64


def test_without_a_sha384_bank_there_is_nothing_to_sign():
    tpm = NitroTpm(profile=replace(DEFAULT_PROFILE, banks=(Alg.SHA256,)), security_module=FixedAnswer(b"signed"))
    send(tpm, "Startup", (), u16(0))
    define(tpm, data=bytes(64))
    assert ask(tpm) == 0
    assert content(tpm, 23).startswith(encode_error(NsmError.INTERNAL_ERROR))
