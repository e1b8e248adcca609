# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.tpm_transports import Scripted
from tests.tpm_wire import response, u32

from strongroom.errors import StrongroomError, TpmFault
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.tpm.cleanup import Released
from strongroom.tpm.command import OWNER, Command, Entity
from strongroom.tpm.commands import aws_nsm_request, get_capability, nv_write
from strongroom.tpm.connection import (
    EMPTY_PASSWORD,
    LONGEST_PAUSE_SECONDS,
    MOST_ATTEMPTS,
    Connection,
    read_answer,
)
from strongroom.tpm.faults import refused

ASK = get_capability(6, 0x12C, 1)
INDEX = Entity(0x01000000, b"name", b"auth")
RETRY, YIELDED, TESTING = 0x922, 0x908, 0x90A
PASSWORD_ANSWER = response(0, u32(0) + b"\0\0\1\0\0", tag=0x8002)


def asked(*answers, command=ASK, authorization=None):
    """Run a command against a script. Return the answer, the transport and the pauses."""
    transport, pauses = Scripted(*answers), []
    answer = Connection(transport, sleep=pauses.append).run(command, authorization)
    return answer, transport, pauses


def fault(*answers, command=ASK, authorization=None):
    with pytest.raises(TpmFault) as caught:
        asked(*answers, command=command, authorization=authorization)
    return caught.value


@pytest.mark.parametrize("code", [RETRY, YIELDED, TESTING, 0xB0000 | RETRY])
def test_the_same_bytes_are_sent_again_to_a_tpm_that_is_not_ready(code):
    answer, transport, pauses = asked(response(code), response(code), response(0, b"yes"))
    assert answer.parameters == b"yes"
    assert len(transport.commands) == 3
    assert len(set(transport.commands)) == 1
    assert pauses == sorted(pauses)
    assert len(pauses) == 2


def test_a_tpm_that_is_never_ready_is_given_up():
    transport, pauses = Scripted(*[response(RETRY)] * MOST_ATTEMPTS), []
    with pytest.raises(TpmFault) as caught:
        Connection(transport, sleep=pauses.append).run(ASK)
    assert caught.value.code == "tpm.not-ready"
    assert caught.value.rc == RETRY
    assert max(pauses) == LONGEST_PAUSE_SECONDS
    assert 5 < sum(pauses) < 30


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x80\x01\0\0\0\x0a\0\0\0",
        response(0)[:-1],
        response(0) + b"\0",
        response(0, tag=0x8002),
        response(0, tag=0x00C4),
        response(0x922, b"more"),
    ],
)
def test_what_is_no_response_is_a_fault_of_the_tpm(answer):
    assert fault(answer).code == "tpm.answer"


def test_a_response_larger_than_any_is_not_parsed():
    assert "4097" in str(fault(response(0, bytes(4087))))
    assert asked(response(0, bytes(4086)))[0].parameters == bytes(4086)


def test_parameters_that_do_not_fill_a_response_are_a_fault():
    for data in (b"\0", b"\0\1", b"\0\1ab"):
        with pytest.raises(TpmFault) as caught:
            read_answer(ASK, data, lambda reader: reader.sized("something"))
        assert caught.value.code == "tpm.answer"
    assert read_answer(ASK, b"\0\1a", lambda reader: reader.sized("something")) == b"a"


def test_a_password_is_sent_in_clear_and_answered_without_an_hmac():
    command = nv_define_space_of_nothing()
    answer, transport, _ = asked(PASSWORD_ANSWER, command=command, authorization=EMPTY_PASSWORD)
    assert answer.parameters == b""
    assert u32(Rh.PASSWORD) + b"\0\0\1\0\0" in transport.commands[0]
    for strange in (b"\0\1x\1\0\0", b"\0\0\1\0\1x"):
        spoiled = response(0, u32(0) + strange, tag=0x8002)
        assert fault(spoiled, command=command, authorization=EMPTY_PASSWORD).code == "tpm.answer"


def nv_define_space_of_nothing():
    return Command(Cc.NV_DEFINE_SPACE, {"authHandle": OWNER}, {"auth": b"\0\0", "publicInfo": b"\0\0"})


@pytest.mark.parametrize(
    ("command", "rc", "code", "words"),
    [
        (nv_define_space_of_nothing(), 0x2D5, "tpm.refused", "NV_DEFINE_SPACE was refused over publicInfo"),
        (nv_define_space_of_nothing(), 0x9A2, "tpm.hierarchy-auth", "authHandle (OWNER)"),
        (nv_define_space_of_nothing(), 0x98E, "tpm.hierarchy-auth", "authHandle (OWNER)"),
        (nv_define_space_of_nothing(), 0x921, "tpm.lockout", "lockout"),
        (nv_define_space_of_nothing(), 0x14B, "tpm.no-space", "NV_DEFINE_SPACE"),
        (nv_define_space_of_nothing(), 0x14C, "tpm.index-taken", "NV_DEFINE_SPACE"),
        (nv_define_space_of_nothing(), 0x185, "tpm.hierarchy", "over authHandle (OWNER)"),
        (nv_write(INDEX, b"x", 0), 0x98E, "tpm.wrong-authorization", "authHandle (0x01000000)"),
        (nv_write(INDEX, b"x", 0), 0x28B, "tpm.refused", "over nvIndex (0x01000000)"),
        (nv_write(INDEX, b"x", 0), 0x7C4, "tpm.refused", "NV_WRITE was refused: "),
        (aws_nsm_request(INDEX), 0x143, "tpm.no-vendor-command", "AWS_NSM_REQUEST"),
        (aws_nsm_request(INDEX), 0xB0143, "tpm.no-vendor-command", "AWS_NSM_REQUEST"),
        (ASK, 0x143, "tpm.refused", "GET_CAPABILITY"),
        (ASK, 0x9A2, "tpm.wrong-authorization", "no handle"),
        (ASK, 0x902, "tpm.no-room", "object"),
        (ASK, 0x903, "tpm.no-room", "session"),
        (ASK, 0x905, "tpm.no-room", "session"),
        (ASK, 0x99D, "tpm.policy", "policy"),
        (ASK, 0x100, "tpm.not-started", "GET_CAPABILITY"),
        (ASK, 0x101, "tpm.failed", "GET_CAPABILITY"),
        (ASK, 0x4FF, "tpm.refused", "response code 0x4ff"),
    ],
)
def test_a_refusal_names_the_command_and_the_part_that_was_wrong(command, rc, code, words):
    found = refused(command, rc)
    assert (found.code, found.rc) == (code, rc)
    assert words in str(found)
    assert fault(response(rc), command=ASK).rc == rc


def test_what_was_put_into_the_tpm_is_taken_away_after_an_error_that_stays_the_first():
    done = []
    with pytest.raises(ValueError, match="first"), Released(lambda: done.append(1)):
        raise ValueError("first")
    assert done == [1]


def fail():
    raise TpmFault("a.b", "second")


def test_a_cleanup_that_fails_is_a_note_on_the_first_error_and_an_error_where_there_was_none():
    with pytest.raises(KeyboardInterrupt) as caught, Released(fail):
        raise KeyboardInterrupt
    assert caught.value.__notes__ == ["Cleaning up failed, too: second"]
    with pytest.raises(StrongroomError, match="second"), Released(fail):
        pass


def test_a_cleanup_that_is_interrupted_is_begun_once_more_before_the_program_ends():
    begun = []

    def release():
        begun.append(1)
        raise KeyboardInterrupt if len(begun) == 1 else TpmFault("a.b", "it had been done")

    with pytest.raises(KeyboardInterrupt) as caught, Released(release):
        pass
    assert len(begun) == 2
    assert caught.value.__notes__ == ["Cleaning up failed, too: it had been done"]


def test_a_command_without_handles_cannot_be_authorized():
    with pytest.raises(RuntimeError, match="GET_CAPABILITY"):
        _ = ASK.authorized
