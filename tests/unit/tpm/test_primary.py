# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.tpm_transports import Between, answering
from tests.tpm_wire import EMPTY_AREA, PASSWORD_HANDLE, code_of, cut, response, u8, u16, u32

from strongroom.crypto.tpm import object_name
from strongroom.errors import TpmFault
from strongroom.formats.tpm.handles import HandleType
from strongroom.tpm.capabilities import loaded_handles
from strongroom.tpm.command import ENDORSEMENT, OWNER
from strongroom.tpm.connection import Connection
from strongroom.tpm.primary import EK_TEMPLATE, SRK_TEMPLATE, primary, salt_key

CREATE_PRIMARY, FLUSH = 0x131, 0x165
TEMPLATES = [(ENDORSEMENT, EK_TEMPLATE), (OWNER, SRK_TEMPLATE)]
AES_128, AES_256 = bytes.fromhex("0006008000430010"), bytes.fromhex("0006010000430010")
MODULUS = 78
"""Where the modulus begins in the answer: behind header, handle, two sizes, and the parameters."""
LAST = MODULUS + 255
"""Its last byte: an even number is no modulus, and nothing can be encrypted to it."""


def loaded(tpm):
    return loaded_handles(Connection(Between(tpm)), HandleType.TRANSIENT)


def made(tpm, change=None, hierarchy=ENDORSEMENT, template=EK_TEMPLATE):
    between = Between(tpm, change)
    with primary(Connection(between), hierarchy, template) as key:
        return key, between


@pytest.mark.parametrize(("hierarchy", "template"), TEMPLATES)
def test_a_primary_key_is_the_same_each_time_and_is_flushed(tpm, hierarchy, template):
    one, _ = made(tpm, None, hierarchy, template)
    other, between = made(tpm, None, hierarchy, template)
    assert one.public == other.public
    assert one.entity.name == object_name(one.public)
    assert one.public.unique != template.unique
    assert between.codes == [CREATE_PRIMARY, FLUSH]
    assert loaded(tpm) == ()


def replaced(before, after):
    def change(answer):
        assert before in answer
        return answer.replace(before, after, 1)

    return change


@pytest.mark.attack("B16")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (replaced(u32(0x000300B2), u32(0x000300F2)), "other properties"),
        (replaced(u32(0x000300B2), u32(0x00030072)), "other properties"),
        (replaced(EK_TEMPLATE.policy, bytes(32)), "other properties"),
        (replaced(AES_128, AES_256), "other properties"),
        (replaced(u32(0x000300B2), u32(0xF00300B2)), "reserved"),
        (lambda answer: answer[:-1] + bytes([answer[-1] ^ 1]), "HMAC"),
        (lambda answer: answer[:-6] + bytes([answer[-6] ^ 1]) + answer[-5:], "under the name of another"),
        (lambda answer: answer[:MODULUS] + bytes([answer[MODULUS] & 0x7F]) + answer[MODULUS + 1 :], "other properties"),
        (lambda answer: answer[:LAST] + bytes([answer[LAST] & 0xFE]) + answer[LAST + 1 :], "other properties"),
        (lambda answer: answer[:130] + bytes([answer[130] ^ 1]) + answer[131:], "under the name of another"),
        (lambda answer: cut(answer, 60), "expected"),
    ],
)
def test_another_key_than_the_one_that_was_asked_for_is_refused_and_flushed(tpm, spoil, words):
    with pytest.raises(TpmFault, match=words) as caught:
        made(tpm, answering(CREATE_PRIMARY, spoil))
    assert caught.value.code == "tpm.answer"
    assert loaded(tpm) == () or words in {"HMAC", "expected"}, "what is no response has no handle to flush"


def test_an_empty_point_is_no_key(tpm):
    def without_point(answer):
        public_end = 20 + int.from_bytes(answer[18:20])
        public = answer[20:public_end][:-68] + u16(0) + u16(0)
        return response(0, answer[10:18] + u16(len(public)) + public + answer[public_end:], tag=0x8002)

    def fitted(answer):
        spoiled = without_point(answer)
        size = len(spoiled) - 18 - 5
        return spoiled[:14] + u32(size) + spoiled[18:]

    with pytest.raises(TpmFault, match="other properties"):
        made(tpm, answering(CREATE_PRIMARY, fitted), OWNER, SRK_TEMPLATE)


@pytest.mark.attack("B16")
@pytest.mark.parametrize(("hierarchy", "template"), TEMPLATES)
def test_a_password_that_an_earlier_system_set_on_a_hierarchy_is_told(tpm, hierarchy, template):
    set_auth(tpm, hierarchy.handle)
    with pytest.raises(TpmFault) as caught:
        made(tpm, None, hierarchy, template)
    assert caught.value.code == "tpm.hierarchy-auth"
    assert "password" in caught.value.remedy


def set_auth(tpm, handle):
    area = u32(PASSWORD_HANDLE) + EMPTY_AREA + u8(1) + u16(0)
    body = u32(handle) + u32(len(area)) + area + u16(6) + b"hidden"
    assert code_of(tpm.execute(u16(0x8002) + u32(10 + len(body)) + u32(0x129) + body)) == 0


@pytest.mark.attack("B16")
def test_objects_that_killed_programs_left_make_room(tpm):
    between = Between(tpm)
    leaving = Connection(Between(tpm, lambda c, on: response(0) if code_of(c) == FLUSH else on(c)))
    for _ in range(3):
        with primary(leaving, OWNER, SRK_TEMPLATE):
            pass
    assert len(loaded(tpm)) == 3
    with pytest.raises(TpmFault) as caught, primary(Connection(between), OWNER, SRK_TEMPLATE):
        pass
    assert caught.value.code == "tpm.no-room"
    with salt_key(Connection(between)) as key:
        assert loaded(tpm) == (key.entity.handle,)
    assert loaded(tpm) == ()


def test_no_other_refusal_flushes_anything(tpm):
    failing = Between(tpm, lambda c, on: response(0x101) if code_of(c) == CREATE_PRIMARY else on(c))
    with pytest.raises(TpmFault) as caught, salt_key(Connection(failing)):
        pass
    assert caught.value.code == "tpm.failed"
    assert failing.codes == [CREATE_PRIMARY]
