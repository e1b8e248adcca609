# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes an emulated NitroTPM is sent, it answers with a response, and what it refuses leaves no trace."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.tpm_any_bytes import LONGEST, answered, commands_of_every_kind, prepared

from strongroom.twin.nitrotpm.registry import COMMANDS

COMMANDS_SENT = commands_of_every_kind()


def test_there_is_a_command_of_every_kind():
    assert {int.from_bytes(command[6:10]) for command in COMMANDS_SENT} == set(COMMANDS)


@given(st.binary(max_size=LONGEST))
def test_any_bytes_are_answered(data):
    answered(prepared(), data)


@given(st.sampled_from(sorted(COMMANDS)), st.sampled_from([0x8001, 0x8002]), st.binary(max_size=200))
def test_any_body_of_a_command_is_answered(code, tag, body):
    answered(prepared(), tag.to_bytes(2) + (10 + len(body)).to_bytes(4) + code.to_bytes(4) + body)


@pytest.mark.parametrize("whole", COMMANDS_SENT, ids=lambda command: command[6:10].hex())
def test_a_command_that_ends_early_or_late_is_answered(whole):
    tpm = prepared()
    for end in range(len(whole)):
        answered(tpm, whole[:end])
        answered(tpm, whole[:2] + end.to_bytes(4) + whole[6:end])
    for more in (1, 4, LONGEST - len(whole)):
        answered(tpm, whole + bytes(more))
        answered(tpm, whole[:2] + (len(whole) + more).to_bytes(4) + whole[6:] + bytes(more))


@settings(max_examples=300)
@given(st.data())
def test_a_command_with_changed_bytes_is_answered(data):
    tpm = prepared()
    for _ in range(data.draw(st.integers(1, 5))):
        command = bytearray(data.draw(st.sampled_from(COMMANDS_SENT)))
        for _ in range(data.draw(st.integers(1, 3))):
            command[data.draw(st.integers(0, len(command) - 1))] = data.draw(st.integers(0, 255))
        answered(tpm, bytes(command))
