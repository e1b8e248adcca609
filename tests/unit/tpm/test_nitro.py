# SPDX-License-Identifier: Apache-2.0
"""Attestation on libtpms with AWS's command added (tests/tpm_transports.py), and with what hostile systems leave."""

import pytest
from tests.tpm_transports import NSM, Between, FakeNitro, Scripted, answering, refusing
from tests.tpm_wire import EMPTY_AREA, PASSWORD_HANDLE, code_of, flipped, response, u8, u16, u32
from tests.unit.tpm.test_primary import set_auth
from tests.unit.tpm.test_session import leftovers

from strongroom.errors import TpmFault, UsageError
from strongroom.formats.cbor import encode
from strongroom.formats.nsm import (
    AttestationRequest,
    NsmError,
    encode_attestation_response,
    encode_error,
    parse_request,
)
from strongroom.ports import EvidenceSource
from strongroom.tpm.nitro import NitroTpm
from strongroom.tpm.nv_buffer import MESSAGE_BYTES

DOCUMENT = bytes(range(256)) * 6
FLUSH, START, NV_DEFINE, NV_UNDEFINE, NV_WRITE, NV_READ, NV_READ_PUBLIC = (
    0x165,
    0x176,
    0x12A,
    0x122,
    0x137,
    0x14E,
    0x169,
)
CREATE_PRIMARY, GET_CAPABILITY = 0x131, 0x17A
SMALL = 2048
"""What libtpms has room for in one index; a NitroTPM has 8,192 bytes."""


@pytest.fixture
def nitro(tpm, monkeypatch):
    return FakeNitro(tpm, lambda request: encode_attestation_response(DOCUMENT), monkeypatch)


def attest(nitro, change=None, **fields):
    between = Between(nitro, change)
    return NitroTpm(between, message_bytes=SMALL).attest(**fields), between


def fault(nitro, change=None, **fields):
    with pytest.raises(TpmFault) as caught:
        attest(nitro, change, **fields)
    return caught.value


def test_the_document_comes_back_and_the_nsm_gets_what_was_asked_for(nitro, tpm):
    document, _ = attest(nitro, nonce=b"n" * 300, user_data=b"u", public_key=b"k" * 1024)
    assert document == DOCUMENT
    assert parse_request(nitro.requests[0]) == AttestationRequest(b"u", b"n" * 300, b"k" * 1024)
    assert leftovers(tpm) == []


def test_commands_come_in_the_order_of_aws_tool(nitro):
    _, between = attest(nitro, nonce=b"n")
    told = [code for before, code in zip([0, *between.codes], between.codes, strict=False) if code != before]
    assert told == [
        *(CREATE_PRIMARY, GET_CAPABILITY),
        *(START, GET_CAPABILITY, NV_DEFINE, NV_WRITE, NV_READ_PUBLIC, FLUSH),
        *(START, NSM, FLUSH),
        *(START, NV_READ, FLUSH),
        *(NV_UNDEFINE, FLUSH),
    ]


def test_it_is_a_source_of_evidence_for_the_flows():
    source: EvidenceSource = NitroTpm(Scripted())
    assert source.attest.__doc__


def test_a_real_index_has_8192_bytes():
    assert MESSAGE_BYTES == 8192


@pytest.mark.parametrize("field", ["nonce", "user_data", "public_key"])
def test_fields_are_bounded_before_the_tpm_is_asked(field):
    with pytest.raises(UsageError) as caught:
        NitroTpm(Scripted()).attest(**{field: bytes(1025)})
    assert caught.value.code == "nsm.field-too-long"


@pytest.mark.parametrize("error", list(NsmError))
def test_an_error_of_the_nsm_is_told_by_its_name(nitro, tpm, error):
    nitro.answer = lambda request: encode_error(error)
    found = fault(nitro)
    assert found.code == "nsm.refused"
    assert error.value in str(found)
    assert leftovers(tpm) == []


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff" * 100,
        encode("GetRandom"),
        encode({"GetRandom": {"random": b"x"}}),
        encode({"Attestation": {"document": b"x", "more": 1}}),
        encode({"Attestation": {"document": "x"}}),
        encode({"Attestation": {"document": b""}}),
        encode({"Error": "Whatever"}),
        encode({"Attestation": {"document": bytes(1990)}})[:20] + b"\x59\xff\xff",
        b"\xa1\x6bAttestation\xa1\x68document\x59\x07\xf0",
    ],
)
def test_an_answer_of_the_nsm_that_is_none_is_refused(nitro, tpm, answer):
    nitro.answer = lambda request: answer + b"\xff" * (SMALL - len(answer))
    assert fault(nitro).code == "nsm.answer"
    assert leftovers(tpm) == []


def test_nothing_more_is_read_of_an_answer_that_is_malformed(nitro):
    nitro.answer = lambda request: encode("GetRandom")
    between = Between(nitro)
    with pytest.raises(TpmFault):
        NitroTpm(between, message_bytes=SMALL).attest()
    assert between.codes.count(NV_READ) == 1


def test_only_as_much_is_read_as_the_answer_needs(nitro):
    nitro.answer = lambda request: encode_attestation_response(b"short")
    _, between = attest(nitro)
    assert between.codes.count(NV_READ) == 1


@pytest.mark.parametrize("place", [14, 20, 90, -1])
def test_an_answer_to_the_vendor_command_that_somebody_made_is_refused(nitro, tpm, place):
    nitro.spoil = lambda made: flipped(made, place)
    assert fault(nitro).code == "tpm.answer"
    assert leftovers(tpm) == []


@pytest.mark.parametrize("code", [NV_WRITE, NV_READ_PUBLIC, NSM, NV_READ, START])
def test_an_error_anywhere_leaves_nothing_behind(nitro, tpm, code):
    assert fault(nitro, refusing(code, 0x101)).rc == 0x101
    assert leftovers(tpm) == []


def test_an_index_that_cannot_be_removed_does_not_hide_the_first_error(nitro):
    def change(command, onward):
        return (
            response({NSM: 0x101, NV_UNDEFINE: 0x149}[code_of(command)])
            if code_of(command)
            in (
                NSM,
                NV_UNDEFINE,
            )
            else onward(command)
        )

    found = fault(nitro, change)
    assert found.rc == 0x101
    assert "NV_UNDEFINE_SPACE" in found.__notes__[0]


def test_an_index_that_cannot_be_removed_is_an_error(nitro):
    assert fault(nitro, refusing(NV_UNDEFINE, 0x149)).rc == 0x149


@pytest.mark.parametrize("code", [NSM, NV_WRITE, NV_DEFINE, NV_READ])
def test_a_tpm_that_is_not_ready_gets_the_same_bytes_again(nitro, tpm, code):
    document, between = attest(nitro, refusing(code, 0x922, 0x908))
    assert document == DOCUMENT
    same = [command for command in between.commands if code_of(command) == code]
    assert same[0] == same[1] == same[2]
    assert leftovers(tpm) == []


AREA = u32(PASSWORD_HANDLE) + EMPTY_AREA + u8(1) + u16(0)


def define(tpm, index, *, size=64, auth=b"", alg=0x000D, attributes=0x40004):
    public = u32(index) + u16(alg) + u32(attributes) + u16(0) + u16(size)
    body = u32(0x40000001) + u32(len(AREA)) + AREA + u16(len(auth)) + auth + u16(len(public)) + public
    return code_of(tpm.execute(u16(0x8002) + u32(10 + len(body)) + u32(NV_DEFINE) + body))


def undefine(tpm, index):
    body = u32(0x40000001) + u32(index) + u32(len(AREA)) + AREA
    assert code_of(tpm.execute(u16(0x8002) + u32(10 + len(body)) + u32(NV_UNDEFINE) + body)) == 0


@pytest.mark.attack("B16")
def test_indices_that_an_earlier_system_left_are_passed_by_and_kept(nitro, tpm):
    squatted = [0x01000000, 0x01000001, 0x01000003]
    assert [define(tpm, index) for index in squatted] == [0, 0, 0]
    document, between = attest(nitro)
    assert document == DOCUMENT
    assert u32(0x01000002) in next(c for c in between.commands if code_of(c) == NSM)
    assert leftovers(tpm) == squatted


@pytest.mark.attack("B16")
def test_an_index_that_is_taken_meanwhile_is_left_for_the_next(nitro, tpm):
    def change(command, onward):
        if code_of(command) == NV_DEFINE and leftovers(tpm)[:1] != [0x01000000]:
            define(tpm, 0x01000000)
        return onward(command)

    document, _ = attest(nitro, change)
    assert document == DOCUMENT
    assert leftovers(tpm) == [0x01000000]


@pytest.mark.attack("B16")
def test_whoever_is_always_faster_is_told_of(nitro):
    found = fault(nitro, refusing(NV_DEFINE, 0x14C, 0x14C, 0x14C))
    assert found.code == "tpm.index-taken"
    assert attest(nitro, refusing(NV_DEFINE, 0x14C, 0x14C))[0] == DOCUMENT


def test_an_index_that_is_refused_for_another_reason_is_not_tried_again(nitro):
    between = Between(nitro, refusing(NV_DEFINE, 0x14B))
    with pytest.raises(TpmFault):
        NitroTpm(between, message_bytes=SMALL).attest()
    assert between.codes.count(NV_DEFINE) == 1


@pytest.mark.attack("B16")
def test_a_tpm_that_is_full_says_what_to_remove(nitro, tpm):
    index = 0x01000000
    while define(tpm, index, size=2048) == 0:
        index += 1
    found = fault(nitro)
    assert found.code == "tpm.no-space"
    assert "tpm2_nvundefine" in found.remedy
    assert len(leftovers(tpm)) == index - 0x01000000


@pytest.mark.attack("B16")
def test_an_owner_password_of_an_earlier_system_fails_with_words(nitro, tpm):
    set_auth(tpm, 0x40000001)
    found = fault(nitro)
    assert found.code == "tpm.hierarchy-auth"
    assert "OWNER" in str(found)
    assert leftovers(tpm) == []


@pytest.mark.attack("B16")
def test_a_locked_tpm_fails_with_words(nitro, tpm):
    define(tpm, 0x01000000, auth=b"unknown")
    lock(tpm, 0x01000000)
    found = fault(nitro)
    assert found.code == "tpm.lockout"
    assert leftovers(tpm) == [0x01000000]


def lock(tpm, index):
    """Give wrong authorizations until the TPM has enough."""
    wrong = u32(PASSWORD_HANDLE) + EMPTY_AREA + u8(1) + u16(1) + b"x"
    body = u32(index) + u32(index) + u32(len(wrong)) + wrong + u16(1) + u16(0)
    command = u16(0x8002) + u32(10 + len(body)) + u32(NV_READ) + body
    for _ in range(100):
        if code_of(tpm.execute(command)) == 0x921:
            return
    raise AssertionError("the TPM did not lock")


@pytest.mark.attack("B16")
@pytest.mark.parametrize("how", [{"size": 2048}, {"size": 1024}, {"size": 2048, "attributes": 0x60006}])
def test_an_index_that_is_redefined_under_us_is_not_believed(nitro, tpm, how):
    """By another program with the owner's rights, after our request was written."""

    def change(command, onward):
        if code_of(command) == NV_READ_PUBLIC:
            undefine(tpm, 0x01000000)
            define(tpm, 0x01000000, **how)
        return onward(command)

    assert fault(nitro, change).code == "tpm.index-changed"


@pytest.mark.attack("B16")
def test_an_index_that_is_redefined_after_we_looked_fails_at_its_authorization(nitro, tpm):
    def change(command, onward):
        if code_of(command) == NV_READ:
            undefine(tpm, 0x01000000)
            define(tpm, 0x01000000, size=2048)
        return onward(command)

    assert fault(nitro, change).code in {"tpm.wrong-authorization", "tpm.refused"}


def test_a_tpm_without_the_command_is_no_nitrotpm(tpm):
    with pytest.raises(TpmFault) as caught:
        NitroTpm(Between(tpm), message_bytes=SMALL).attest()
    assert caught.value.code == "tpm.no-vendor-command"
    assert leftovers(tpm) == []


def test_a_tpm_that_moves_nothing_is_refused(nitro, tpm):
    tiny = response(0, b"\0" + u32(6) + u32(1) + u32(0x12C) + u32(63))
    assert fault(nitro, answering(GET_CAPABILITY, lambda answer: tiny)).code == "tpm.nv-buffer"
    assert leftovers(tpm) == []


def test_a_piece_that_is_shorter_than_asked_for_is_refused(nitro, monkeypatch):
    from strongroom.tpm.connection import Answer, Connection

    genuine = Connection.run

    def run(self, command, authorization=None):
        answer = genuine(self, command, authorization)
        return Answer(0, b"\0\1x") if command.code == NV_READ else answer

    monkeypatch.setattr(Connection, "run", run)
    assert fault(nitro).code == "tpm.answer"
