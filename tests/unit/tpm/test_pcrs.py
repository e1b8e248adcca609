# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.tpm_transports import Between, Scripted, answering
from tests.tpm_wire import EMPTY_AREA, PASSWORD_HANDLE, code_of, response, u8, u16, u32

from strongroom.crypto.tpm import digest
from strongroom.errors import TpmFault, UsageError
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.capabilities import Property
from strongroom.formats.tpm.handles import HandleType
from strongroom.tpm.capabilities import active_banks, fixed_property, free_handles, loaded_handles
from strongroom.tpm.connection import Connection
from strongroom.tpm.pcrs import EVERY_PCR, read_pcrs

PCR_READ, PCR_EXTEND, GET_CAPABILITY = 0x17E, 0x182, 0x17A
BANKS = (Alg.SHA1, Alg.SHA256, Alg.SHA384, Alg.SHA512)
AREA = u32(PASSWORD_HANDLE) + EMPTY_AREA + u8(1) + u16(0)


def extend(tpm, index, value):
    body = u32(index) + u32(len(AREA)) + AREA + u32(1) + u16(Alg.SHA384) + value
    assert code_of(tpm.execute(u16(0x8002) + u32(10 + len(body)) + u32(PCR_EXTEND) + body)) == 0


def pcr_answer(counter, mask, *digests, bank=Alg.SHA384):
    selection = u32(1) + u16(bank) + u8(3) + mask.to_bytes(3, "little")
    return response(0, u32(counter) + selection + u32(len(digests)) + b"".join(u16(len(d)) + d for d in digests))


def banks_answer(*banks, mask=b"\xff\xff\xff"):
    return response(0, b"\0" + u32(5) + u32(len(banks)) + b"".join(u16(b) + u8(3) + mask for b in banks))


def fault(*answers, indices=(0, 1)):
    with pytest.raises(TpmFault) as caught:
        read_pcrs(Connection(Scripted(banks_answer(Alg.SHA384), *answers)), Alg.SHA384, indices)
    return caught.value.code


@pytest.mark.parametrize("bank", BANKS)
def test_every_pcr_of_every_bank_is_read(connection, tpm, bank):
    extend(tpm, 4, b"\x11" * 48)
    values = read_pcrs(connection, bank)
    assert tuple(values) == EVERY_PCR
    extended = digest(bank, bytes(48) + b"\x11" * 48) if bank is Alg.SHA384 else bytes(HASH_BYTES[bank])
    assert values[4] == extended
    assert values[17] == b"\xff" * HASH_BYTES[bank]


def test_only_what_was_asked_for_is_read(connection, between):
    assert tuple(read_pcrs(connection, Alg.SHA384, (13, 2))) == (2, 13)
    assert between.codes.count(PCR_READ) == 1


def test_pcrs_that_change_while_they_are_read_are_read_again(tpm):
    def extending(answer):
        extend(tpm, 8, b"\x22" * 48)
        return answer

    between = Between(tpm, answering(PCR_READ, extending))
    values = read_pcrs(Connection(between), Alg.SHA384)
    assert values[8] == digest(Alg.SHA384, bytes(48) + b"\x22" * 48)
    assert between.codes.count(PCR_READ) == 6


def test_pcrs_that_never_rest_are_a_fault(tpm):
    def change(command, onward):
        if code_of(command) == PCR_READ:
            extend(tpm, 8, b"\x22" * 48)
        return onward(command)

    with pytest.raises(TpmFault) as caught:
        read_pcrs(Connection(Between(tpm, change)), Alg.SHA384)
    assert caught.value.code == "tpm.pcrs-moving"


def test_a_bank_that_is_not_active_is_no_fault_of_the_tpm():
    for answer in (banks_answer(Alg.SHA256), banks_answer(Alg.SHA256, Alg.SHA384, mask=bytes(3)), banks_answer()):
        with pytest.raises(UsageError) as caught:
            read_pcrs(Connection(Scripted(answer)), Alg.SHA384)
        assert caught.value.code == "tpm.bank"


@pytest.mark.parametrize(
    "answer",
    [
        pcr_answer(1, 0b11, bytes(48)),
        pcr_answer(1, 0b01, bytes(48), bytes(48)),
        pcr_answer(1, 0b11, bytes(48), bytes(32)),
        pcr_answer(1, 0b11, bytes(48), bytes(48)).replace(u32(2) + u16(48), u32(3) + u16(48)),
        pcr_answer(1, 0b100, bytes(48)),
        pcr_answer(1, 0),
        pcr_answer(1, 0b11, bytes(48), bytes(48), bank=Alg.SHA256),
        response(0, b"\0\0\0\1"),
    ],
)
def test_values_that_do_not_fit_what_was_asked_for_are_refused(answer):
    assert fault(answer, answer) == "tpm.answer"


def test_values_in_pieces_that_the_tpm_chooses_are_put_together():
    answers = (banks_answer(Alg.SHA384), pcr_answer(7, 0b10, b"\2" * 48), pcr_answer(7, 0b01, b"\1" * 48))
    values = read_pcrs(Connection(Scripted(*answers)), Alg.SHA384, (0, 1))
    assert dict(values) == {0: b"\1" * 48, 1: b"\2" * 48}


def test_the_banks_of_a_tpm_and_its_properties(connection):
    assert set(active_banks(connection)) == set(BANKS)
    assert fixed_property(connection, Property.NV_BUFFER_MAX) == 1024


@pytest.mark.parametrize(
    "body",
    [
        b"\0" + u32(5) + u32(1) + u32(Property.NV_BUFFER_MAX) + u32(1),
        b"\0" + u32(6) + u32(0),
        b"\0" + u32(6) + u32(1) + u32(Property.NV_BUFFER_MAX + 1) + u32(1),
        b"\0" + u32(6) + u32(2) + 2 * (u32(Property.NV_BUFFER_MAX) + u32(1)),
    ],
)
def test_an_answer_about_something_else_is_refused(body):
    with pytest.raises(TpmFault) as caught:
        fixed_property(Connection(Scripted(response(0, body))), Property.NV_BUFFER_MAX)
    assert caught.value.code == "tpm.answer"


def handles_answer(more, *handles):
    return response(0, u8(more) + u32(1) + u32(len(handles)) + b"".join(map(u32, handles)))


@pytest.mark.attack("B16")
def test_handles_that_somebody_occupied_are_passed_by_over_any_number_of_pages():
    first = HandleType.NV_INDEX.first
    pages = [handles_answer(1, *range(first + 254 * n, first + 254 * (n + 1))) for n in range(2)]
    connection = Connection(Scripted(*pages, handles_answer(0, first + 508, first + 510)))
    free = free_handles(connection, HandleType.NV_INDEX)
    assert [next(free), next(free)] == [first + 509, first + 511]


@pytest.mark.parametrize("handle", [0, 0x02000000, 0x80000000, 0xFFFFFFFF])
def test_handles_of_another_kind_are_refused(handle):
    with pytest.raises(TpmFault) as caught:
        loaded_handles(Connection(Scripted(handles_answer(1, 0x01000000, handle))), HandleType.NV_INDEX)
    assert caught.value.code == "tpm.answer"


def test_the_last_handle_of_a_kind_leads_to_no_other_kind():
    script = Scripted(handles_answer(1, 0x01FFFFFF), handles_answer(0))
    loaded_handles(Connection(script), HandleType.NV_INDEX)
    assert u32(0x01000000) in script.commands[1]
    sessions = Scripted(handles_answer(0, 0x02000000, 0x03000001))
    assert loaded_handles(Connection(sessions), HandleType.HMAC_SESSION) == (0x02000000, 0x03000001)


def test_a_list_of_handles_that_does_not_end_is_given_up():
    script = Scripted(*[handles_answer(1, 0x01000000)] * 64)
    with pytest.raises(TpmFault) as caught:
        loaded_handles(Connection(script), HandleType.NV_INDEX)
    assert caught.value.code == "tpm.answer"
    assert len(script.commands) == 64
    assert loaded_handles(Connection(Scripted(handles_answer(1))), HandleType.NV_INDEX) == ()
