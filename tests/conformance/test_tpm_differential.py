# SPDX-License-Identifier: Apache-2.0
"""Every story ends the same on every TPM; and a TPM that is a little wrong is found out."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import pytest
from tests.conformance.tpm_differential import Answer, Difference, Known, Note, Step, differences, judge, play
from tests.conformance.tpm_stories.registry import STORIES
from tests.conformance.tpm_subjects import KNOWN, SUBJECTS
from tests.libtpms import libtpms as run_libtpms
from tests.tpm_commands import CODES, Command, Response, send, spoilt, u16

NOT_SPOILT = {
    "AC_GetCapability",
    "AC_Send",
    "CertifyCreation",
    "CertifyX509",
    "ClockRateAdjust",
    "Commit",
    "Duplicate",
    "ECC_Parameters",
    "ECDH_KeyGen",
    "ECDH_ZGen",
    "EC_Ephemeral",
    "EncryptDecrypt",
    "EncryptDecrypt2",
    "GetCommandAuditDigest",
    "GetSessionAuditDigest",
    "GetTime",
    "HMAC_Start",
    "Import",
    "IncrementalSelfTest",
    "NV_Certify",
    "NV_ChangeAuth",
    "NV_UndefineSpaceSpecial",
    "PCR_SetAuthPolicy",
    "PCR_SetAuthValue",
    "PP_Commands",
    "PolicyAuthorizeNV",
    "PolicyCounterTimer",
    "PolicyDuplicationSelect",
    "PolicyNV",
    "PolicyPhysicalPresence",
    "PolicyTemplate",
    "PolicyTicket",
    "Policy_AC_SendSelect",
    "Rewrap",
    "SetAlgorithmSet",
    "SetCommandCodeAuditStatus",
    "ZGen_2Phase",
}
"""No guest, tool or AWS client was seen to send these. Any other command is sent good, and spoilt in every way."""

pytestmark = pytest.mark.slow


@cache
def libtpms_answers(name: str) -> Mapping[str, Answer]:
    with run_libtpms() as tpm:
        return play(STORIES[name], tpm)


@pytest.mark.parametrize("name", STORIES)
def test_a_subject_answers_as_libtpms_does(name, subject):
    subject_name, tpm = subject
    found = differences(libtpms_answers(name), play(STORIES[name], tpm))
    complaints = judge(found, [entry for entry in KNOWN[subject_name] if entry.story == name])
    assert not complaints, "\n".join(["libtpms answers, and the subject:", *complaints])


@pytest.mark.parametrize("name", STORIES)
def test_what_a_story_calls_good_is_good_for_libtpms(name):
    answers = libtpms_answers(name)
    refused = {label: hex(answer.response.code) for label, answer in answers.items() if answer.response.code != 0}
    assert not {label: code for label, code in refused.items() if label.endswith(": good")}
    assert len(refused) < len(answers)
    assert not {
        label for label, answer in answers.items() if isinstance(answer.step, Note) and answer.step.value is False
    }


def test_every_command_is_spoilt_in_some_story_or_listed_as_left_out():
    answers = {label: answer for name in STORIES for label, answer in libtpms_answers(name).items()}
    told = {answer.step.command.name for label, answer in answers.items() if label.endswith(": good")}
    assert told == set(CODES) - NOT_SPOILT


def test_known_differences_are_of_subjects_and_stories_that_there_are():
    assert set(KNOWN) == set(SUBJECTS)
    assert {entry.story for entries in KNOWN.values() for entry in entries} <= set(STORIES)


class Damaged:
    """A TPM of which one answer has one bit changed."""

    def __init__(self, tpm, number: int, position: int) -> None:
        self.tpm, self.left, self.position = tpm, number, position

    def execute(self, command: bytes, locality: int = 0) -> bytes:
        response = bytearray(self.tpm.execute(command, locality))
        if self.left == 0:
            response[self.position] ^= 1
        self.left -= 1
        return bytes(response)

    def power_cycle(self) -> None:
        self.tpm.power_cycle()


def story():
    yield Step("startup", Command("Startup", (), u16(0)))
    yield Step("random", Command("GetRandom", (), u16(8)))
    yield Step("self test", Command("GetTestResult"))
    yield Step("refused", Command("GetRandom"))


@pytest.mark.parametrize(
    ("number", "position", "label"),
    [
        (0, 9, "startup"),
        (1, 9, "random"),
        (2, -1, "self test"),
        (2, 1, "self test"),
        (3, 9, "refused"),
        (3, 0, "refused"),
    ],
)
def test_one_changed_bit_is_a_difference(number, position, label, libtpms):
    with run_libtpms() as other:
        found = differences(play(story, libtpms), play(story, Damaged(other, number, position)))
    assert [difference.label for difference in found] == [label]
    assert len(judge(found, ())) == 1


@pytest.mark.parametrize("name", STORIES)
def test_in_every_story_another_code_of_any_answer_is_a_difference(name):
    answers = {label: answer for label, answer in libtpms_answers(name).items() if answer.sent}
    assert answers
    for label, answer in answers.items():
        other = replace(answer, response=Response(spoilt(answer.response.content, 9)))
        assert [difference.label for difference in differences({label: answer}, {label: other})] == [label]


def test_random_bytes_are_no_difference_and_their_number_is_one(libtpms):
    def longer():
        yield Step("startup", Command("Startup", (), u16(0)))
        yield Step("random", Command("GetRandom", (), u16(9)))

    one, two = (play(told, Again(libtpms)) for told in (story, longer))
    assert not differences(one, play(story, Again(libtpms)))
    assert [difference.label for difference in differences({"random": one["random"]}, {"random": two["random"]})]


class Again:
    """The same TPM from the start: power is cut first."""

    def __init__(self, tpm) -> None:
        tpm.power_cycle()
        self.execute, self.power_cycle = tpm.execute, tpm.power_cycle


def test_a_missing_step_is_a_difference(libtpms):
    answers = play(story, libtpms)
    fewer = {label: answer for label, answer in answers.items() if label != "self test"}
    assert [difference.label for difference in differences(answers, fewer)] == ["self test"]
    assert [difference.label for difference in differences(fewer, answers)] == ["self test"]


def test_two_steps_of_one_label_are_refused(libtpms):
    def twice():
        yield Step("startup", Command("Startup", (), u16(0)))
        yield Step("startup", Command("Startup", (), u16(0)))

    with pytest.raises(AssertionError, match="two steps are called startup"):
        play(twice, libtpms)


def test_a_known_difference_is_let_pass_and_must_be_used(libtpms):
    answers = play(story, libtpms)
    found = [Difference("self test", answers["self test"], None)]
    assert judge(found, [Known("any", "self*", "a reason")]) == []
    assert judge([], [Known("any", "self*", "a reason")]) == ["self*: differs no more, though it is known to: a reason"]
    assert len(judge(found, [Known("any", "other", "a reason")])) == 2


def test_there_may_be_several_and_one_that_ends_takes_nobody_along(libtpms):
    with run_libtpms() as other:
        assert send(libtpms, "Startup", (), u16(0)).code == 0
        assert send(other, "GetRandom", (), u16(8)).code == 0x100
        other._process.kill()
        with pytest.raises((ConnectionError, BrokenPipeError)):
            send(other, "GetRandom", (), u16(8))
    one, two = (send(libtpms, "GetRandom", (), u16(32)).content for _ in range(2))
    assert one != two
