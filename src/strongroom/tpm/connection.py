# SPDX-License-Identifier: Apache-2.0
"""Sends commands to a TPM, one at a time, and returns answers that were refused by nobody.

A TPM that is not ready says so and has done nothing: the very same bytes are sent again, after a while. That is safe
under a session, too, because its nonces have not moved (Part 1, section 39.2). Any other code is an error that names
the command and the part of it that was wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from strongroom.errors import FormatError
from strongroom.formats.tpm.frame import (
    MAX_FRAME_BYTES,
    WITH_EMPTY_PASSWORD,
    CommandAuthorization,
    Response,
    ResponseAuthorization,
    encode_command,
    parse_response,
)
from strongroom.formats.tpm.response_codes import AGAIN, Rc, base
from strongroom.formats.tpm.wire import Reader
from strongroom.ports import TpmTransport
from strongroom.tpm.command import Command
from strongroom.tpm.faults import nonsense, refused

FIRST_PAUSE_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.25
MOST_ATTEMPTS = 50
"""With the pauses between them about eleven seconds: longer than a self-test takes."""

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command gave back. `parameters` are authentic where a session authorized the command, and in clear."""

    handle: int
    """0 where the command returns none."""
    parameters: bytes


class Authorization(Protocol):
    """What stands in the authorization area of a command: a password or a session."""

    def authorize(self, command: Command) -> tuple[CommandAuthorization, bytes]:
        """Return the authorization, and the parameters as they are sent."""

    def accept(self, command: Command, parameters: bytes, authorization: ResponseAuthorization) -> bytes:
        """Return the parameters of the response in clear. Raises TpmFault where its authorization does not hold."""


class EmptyPassword:
    """The empty password, in clear: what a hierarchy has that nobody owns (TPM_RS_PW; Part 1, section 19.4)."""

    def authorize(self, command: Command) -> tuple[CommandAuthorization, bytes]:
        """Return the password, and the parameters as they are."""
        return WITH_EMPTY_PASSWORD, b"".join(command.parameters.values())

    def accept(self, command: Command, parameters: bytes, authorization: ResponseAuthorization) -> bytes:
        """Return the parameters as they are: a password authenticates nothing that the TPM says."""
        if authorization.nonce or authorization.hmac:
            raise nonsense(command, "an HMAC where a password was given")
        return parameters


EMPTY_PASSWORD = EmptyPassword()


class Connection:
    """A TPM that takes commands. `sleep` takes seconds."""

    def __init__(self, transport: TpmTransport, *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._transport = transport
        self._sleep = sleep

    def run(self, command: Command, authorization: Authorization | None = None) -> Answer:
        """Return the answer to a command. Raises TpmFault: refused, not answered, or answered with nonsense."""
        if authorization is None:
            response = self._exchange(command, (), b"".join(command.parameters.values()))
            return Answer(response.handle or 0, response.parameters)
        authorized, parameters = authorization.authorize(command)
        response = self._exchange(command, (authorized,), parameters)
        clear = authorization.accept(command, response.parameters, response.authorizations[0])
        return Answer(response.handle or 0, clear)

    def _exchange(
        self, command: Command, authorizations: tuple[CommandAuthorization, ...], parameters: bytes
    ) -> Response:
        handles = [entity.handle for entity in command.handles.values()]
        sent = encode_command(command.code, handles, authorizations, parameters)
        response = self._sent(command, sent, sessions=len(authorizations))
        pause = FIRST_PAUSE_SECONDS
        for _ in range(MOST_ATTEMPTS - 1):
            if base(response.rc) not in AGAIN:
                break
            self._sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            response = self._sent(command, sent, sessions=len(authorizations))
        if response.rc != Rc.SUCCESS:
            raise refused(command, response.rc)
        return response

    def _sent(self, command: Command, sent: bytes, *, sessions: int) -> Response:
        data = self._transport.transmit(sent)
        if len(data) > MAX_FRAME_BYTES:
            raise nonsense(command, f"{len(data)} bytes, and no response has more than {MAX_FRAME_BYTES}")
        try:
            return parse_response(data, has_handle=command.returns_handle, sessions=sessions)
        except FormatError as error:
            raise nonsense(command, str(error)) from error


def read_answer(command: Command, parameters: bytes, read: Callable[[Reader], _Value]) -> _Value:
    """Return what `read` takes off all of the parameters. Raises TpmFault for anything malformed or left over."""
    reader = Reader(parameters)
    try:
        value = read(reader)
        reader.expect_end("the response")
    except FormatError as error:
        raise nonsense(command, str(error)) from error
    return value
