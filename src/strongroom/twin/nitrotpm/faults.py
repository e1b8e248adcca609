# SPDX-License-Identifier: Apache-2.0
"""Faults to inject: a TPM or its security module that lies, stutters or breaks, to see what clients make of it.

Each stands around the real thing and is handed to whoever should meet it; nothing here is reached in any other way.
Documents that come out old are a fault of the instance (`Instance.document_age`).
"""

from __future__ import annotations

from typing import Protocol

from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.tpm.frame import CODE_AT, encode_response
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.nsm import SecurityModule


class Executes(Protocol):
    """What takes commands: a TPM, or a fault around one."""

    def execute(self, command: bytes, locality: int = 0) -> bytes:
        """Return the response to a command."""


class WrongPcr:
    """A module that signs another value of one PCR than the TPM has. Such a document is authentic, and wrong."""

    def __init__(self, module: SecurityModule, index: int, digest: bytes) -> None:
        self._module, self._index, self._digest = module, index, digest

    def answer(self, request: bytes, pcrs: PcrDigests) -> bytes:
        """Return the module's answer for the other PCRs."""
        values = {int(index): value for index, value in pcrs.items()} | {self._index: self._digest}
        return self._module.answer(request, PcrDigests.of(values))


class ShortAnswer:
    """A module whose answers end after so many bytes. What stood in the index before shows behind them."""

    def __init__(self, module: SecurityModule, size_bytes: int) -> None:
        self._module, self._size_bytes = module, size_bytes

    def answer(self, request: bytes, pcrs: PcrDigests) -> bytes:
        """Return how the module's answer begins."""
        return self._module.answer(request, pcrs)[: self._size_bytes]


class FixedAnswer:
    """A module that answers the same to everything: an error (`nsm.encode_error`), or bytes that mean nothing."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def answer(self, _request: bytes, _pcrs: PcrDigests) -> bytes:
        """Return that."""
        return self._answer


class RetriesFirst:
    """A TPM that answers TPM_RC_RETRY to the first commands, and does not carry them out."""

    def __init__(self, tpm: Executes, count: int) -> None:
        self._tpm, self._left = tpm, count

    def execute(self, command: bytes, locality: int = 0) -> bytes:
        """Return TPM_RC_RETRY while there are some left, then what the TPM answers."""
        if self._left > 0:
            self._left -= 1
            return encode_response(Rc.RETRY)
        return self._tpm.execute(command, locality)


class WrongHmac:
    """A TPM, or somebody before it, that answers one command with an HMAC that is one bit off."""

    def __init__(self, tpm: Executes, code: int) -> None:
        self._tpm, self._code = tpm, code

    def execute(self, command: bytes, locality: int = 0) -> bytes:
        """Return what the TPM answers, its last bit changed where it is this command and went well."""
        answer = self._tpm.execute(command, locality)
        spoils = int.from_bytes(command[CODE_AT]) == self._code and int.from_bytes(answer[CODE_AT]) == Rc.SUCCESS
        return answer[:-1] + bytes([answer[-1] ^ 1]) if spoils else answer
