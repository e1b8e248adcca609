# SPDX-License-Identifier: Apache-2.0
"""Two TPMs given the same commands: where do their answers differ?

A story is a generator that yields steps and is sent their responses, so that handles and nonces of later commands are
those of the TPM that it plays on. It is played on each TPM alone; then answers are compared label by label: the
response code and the length, and of what the TPM does not choose at random every byte.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Protocol

from tests.tpm_commands import Command, Response

RETRY = 0x922
"""TPM_RC_RETRY is no answer: "the TPM was not able to start the command", and may be started again at once."""
_RETRIES = 5


class Tpm(Protocol):
    """What can be compared."""

    def execute(self, command: bytes, locality: int = 0) -> bytes: ...

    def power_cycle(self) -> None: ...


Shown = Callable[[bytes], object]
"""What must be equal of two successful responses. Of a refusal that is always everything."""


def everything(response: bytes) -> object:
    return response


def length(response: bytes) -> object:
    return len(response)


def first(count: int) -> Shown:
    """The first bytes, and the length."""
    return lambda response: (len(response), response[:count])


def without_nonces(response: bytes) -> object:
    """All that stands before the sessions, and the length."""
    return len(response), Response(response).before_sessions


def saved_context(response: bytes) -> object:
    """What a TPMS_CONTEXT says of what is saved. The rest is for the TPM alone to read, and as long as it likes."""
    return response[10:26]


def last(count: int) -> Shown:
    """The last bytes, and the length."""
    return lambda response: (len(response), response[-count:])


RANDOM = {
    "Certify",
    "Create",
    "CreateLoaded",
    "CreatePrimary",
    "GetRandom",
    "Load",
    "MakeCredential",
    "ObjectChangeAuth",
    "PolicySecret",
    "PolicySigned",
    "Quote",
    "RSA_Encrypt",
    "ReadClock",
    "ReadPublic",
    "Sign",
    "StartAuthSession",
    "VerifySignature",
}
"""Commands whose responses hold random numbers, new keys, times, or what is made with them."""


@dataclass(frozen=True)
class Step:
    """A command, and a label that no other step of its story has. No command: cut the power and give it again."""

    label: str
    command: Command | bytes | None
    shown: Shown | None = None

    def but(self, label: str) -> Step:
        """Return the same under another label."""
        return replace(self, label=label)

    def of(self, response: Response) -> object:
        """Return what is compared."""
        if response.code != 0:
            return response.content
        shown = self.shown or _shown_of(self.command)
        return shown(response.content)


def _shown_of(command: Command | bytes | None) -> Shown:
    if not isinstance(command, Command):
        return everything
    if command.name == "ContextSave":
        return saved_context
    if command.name in RANDOM:
        return length
    return without_nonces if command.has_sessions else everything


@dataclass(frozen=True)
class Note:
    """What a story made of answers, compared as one: whether an HMAC was right, or two keys the same."""

    label: str
    value: object

    def of(self, _response: Response) -> object:
        return self.value


@dataclass(frozen=True)
class Pause:
    """Time that passes, in seconds, where a TPM forgives or forgets by the clock."""

    label: str
    seconds: float

    def of(self, _response: Response) -> object:
        return self.seconds


Steps = Generator[Step | Note | Pause, Response, Any]
"""What it returns is for stories that it is a part of: often a response."""
Story = Callable[[], Steps]
POWER_CYCLE = None


@dataclass(frozen=True)
class Answer:
    """What a TPM said to a step."""

    step: Step | Note | Pause
    sent: bytes
    response: Response

    @property
    def compared(self) -> object:
        return self.step.of(self.response)


def play(story: Story, tpm: Tpm) -> dict[str, Answer]:
    """Return each step's answer by its label."""
    answers: dict[str, Answer] = {}
    steps = story()
    response = None
    while True:
        try:
            step = next(steps) if response is None else steps.send(response)
        except StopIteration:
            return answers
        assert step.label not in answers, f"two steps are called {step.label}"
        sent, response = _take(step, tpm)
        answers[step.label] = Answer(step, sent, response)


def _take(step: Step | Note | Pause, tpm: Tpm) -> tuple[bytes, Response]:
    if isinstance(step, Pause):
        time.sleep(step.seconds)
    if not isinstance(step, Step):
        return b"", Response(b"")
    if step.command is POWER_CYCLE:
        tpm.power_cycle()
        return b"", Response(b"")
    content = step.command if isinstance(step.command, bytes) else step.command.content
    locality = 0 if isinstance(step.command, bytes) else step.command.locality
    response = Response(tpm.execute(content, locality))
    for _ in range(_RETRIES):
        if response.code != RETRY:
            break
        response = Response(tpm.execute(content, locality))
    return content, response


@dataclass(frozen=True)
class Difference:
    """Two answers that should be the same, or one that is missing."""

    label: str
    expected: Answer | None
    seen: Answer | None

    def __str__(self) -> str:
        sent = (self.expected or self.seen).sent.hex()  # type: ignore[union-attr]  # one of them is there
        return f"{self.label}: {_said(self.expected)}, {_said(self.seen)}; sent {_short(sent)}"


def _said(answer: Answer | None) -> str:
    if answer is None:
        return "not asked"
    if isinstance(answer.step, Note):
        return str(answer.step.value)
    content = answer.response.content
    return f"{answer.response.code:#x} ({len(content)} bytes: {_short(content.hex())})"


def _short(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}..."


def differences(expected: Mapping[str, Answer], seen: Mapping[str, Answer]) -> list[Difference]:
    """Every label whose answers differ, in order; a step that only one of them came to differs too."""
    found = []
    for label in [*expected, *(label for label in seen if label not in expected)]:
        one, other = expected.get(label), seen.get(label)
        if one is None or other is None or one.compared != other.compared:
            found.append(Difference(label, one, other))
    return found


@dataclass(frozen=True)
class Known:
    """A difference that is meant, at every label of a story that the pattern matches."""

    story: str
    label: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        return fnmatchcase(difference.label, self.label)


def judge(found: Iterable[Difference], known: Iterable[Known]) -> list[str]:
    """Return complaints: differences that nobody knows, and what is known and does not differ any more."""
    found, known = list(found), list(known)
    unknown = [str(difference) for difference in found if not any(entry.covers(difference) for entry in known)]
    idle = [entry for entry in known if not any(entry.covers(difference) for difference in found)]
    return unknown + [f"{entry.label}: differs no more, though it is known to: {entry.reason}" for entry in idle]
