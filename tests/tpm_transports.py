# SPDX-License-Identifier: Apache-2.0
"""Ways to a TPM for tests of the client: a script of answers, and libtpms with somebody in between.

`FakeNitro` answers AWS's vendor command on top of libtpms, which has none. It listens for the secrets of sessions
and indices where the client makes them, and checks and makes HMACs by itself, with nothing but hashlib.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable

from tests.tpm_wire import EMPTY_AREA, PASSWORD_HANDLE, code_of, rc_of, response, u8, u16, u32

from strongroom.tpm import nv_buffer, session

STARTUP = bytes.fromhex("80010000000c000001440000")
NSM = 0x20000001
NV_WRITE, NV_READ = 0x137, 0x14E


class Scripted:
    """Gives prepared answers, one for each command, and keeps the commands."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.commands: list[bytes] = []

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        return self.answers.pop(0)


Change = Callable[[bytes, Callable[[bytes], bytes]], bytes]
"""Takes a command and the way on, and returns a response."""


class Between:
    """libtpms with somebody in between. `change` sees each command; `codes` are the commands that went through."""

    def __init__(self, tpm, change: Change | None = None) -> None:
        self.tpm = tpm
        self.change = change
        self.commands: list[bytes] = []
        self.responses: list[bytes] = []

    def transmit(self, command: bytes) -> bytes:
        self.commands.append(command)
        answer = self.tpm.execute(command) if self.change is None else self.change(command, self.tpm.execute)
        self.responses.append(answer)
        return answer

    @property
    def codes(self) -> list[int]:
        return [code_of(command) for command in self.commands]


def refusing(code: int, *rcs: int) -> Change:
    """Answer commands of one code with these response codes first, then let them through."""
    left = list(rcs)

    def change(command, onward):
        return response(left.pop(0)) if code_of(command) == code and left else onward(command)

    return change


def answering(code: int, spoil: Callable[[bytes], bytes], *, nth: int = 1) -> Change:
    """Change the answer to the nth command of one code."""
    seen: list[bytes] = []

    def change(command, onward):
        answer = onward(command)
        if code_of(command) != code or rc_of(answer):
            return answer
        seen.append(command)
        return spoil(answer) if len(seen) == nth else answer

    return change


class FakeNitro:
    """libtpms that also knows AWS's command: `answer` is the NSM, from a request to an answer."""

    def __init__(self, tpm, answer: Callable[[bytes], bytes], monkeypatch) -> None:
        self.tpm = tpm
        self.answer = answer
        self.requests: list[bytes] = []
        self.spoil: Callable[[bytes], bytes] = lambda made: made
        self.last_nonce = b""
        self.keys: dict[int, bytes] = {}
        self.auths: list[bytes] = []
        genuine = session.Session.__init__

        def noting(this, entity, parameters, *, key, nonce_tpm):
            self.keys[entity.handle] = key
            self.last_nonce = nonce_tpm
            genuine(this, entity, parameters, key=key, nonce_tpm=nonce_tpm)

        def token(size):
            self.auths.append(secrets.token_bytes(size))
            return self.auths[-1]

        monkeypatch.setattr(session.Session, "__init__", noting)
        monkeypatch.setattr(nv_buffer, "secrets", type("Tokens", (), {"token_bytes": staticmethod(token)}))

    def execute(self, command: bytes) -> bytes:
        return self._asked(command) if code_of(command) == NSM else self.tpm.execute(command)

    def _asked(self, command: bytes) -> bytes:
        index, again = command[10:14], command[14:18]
        assert index == again, "the index authorizes itself"
        area = command[22:]
        assert len(area) == int.from_bytes(command[18:22]), "there are no parameters"
        handle, nonce = int.from_bytes(area[:4]), area[6:70]
        attributes, proof = area[70], area[73:]
        key = self.keys[handle] + self._auth
        names = 2 * self._name(index)
        cp_hash = hashlib.sha512(u32(NSM) + names).digest()
        expected = hmac.digest(key, cp_hash + nonce + self.last_nonce + u8(attributes), "sha512")
        assert proof == expected, "the HMAC of the vendor command"
        self._store(index, self.answer(self._load(index)))
        new = secrets.token_bytes(64)
        rp_hash = hashlib.sha512(u32(0) + u32(NSM)).digest()
        made = hmac.digest(key, rp_hash + new + nonce + u8(attributes), "sha512")
        return self.spoil(response(0, u32(0) + u16(64) + new + u8(attributes) + u16(64) + made, tag=0x8002))

    @property
    def _auth(self) -> bytes:
        return self.auths[-1].rstrip(b"\0")

    def _name(self, index: bytes) -> bytes:
        answer = self.tpm.execute(u16(0x8001) + u32(14) + u32(0x169) + index)
        public = answer[12 : 12 + int.from_bytes(answer[10:12])]
        return u16(0x000D) + hashlib.sha512(public).digest()

    def _load(self, index: bytes) -> bytes:
        found = b""
        while len(found) < 2048:
            answer = self._run(NV_READ, index, u16(1024) + u16(len(found)))
            found += answer[16 : 16 + int.from_bytes(answer[14:16])]
        self.requests.append(found)
        return found

    def _store(self, index: bytes, content: bytes) -> None:
        for offset in range(0, len(content), 1024):
            piece = content[offset : offset + 1024]
            self._run(NV_WRITE, index, u16(len(piece)) + piece + u16(offset))

    def _run(self, code: int, index: bytes, parameters: bytes) -> bytes:
        auth = self.auths[-1]
        area = u32(PASSWORD_HANDLE) + EMPTY_AREA + u8(1) + u16(len(auth)) + auth
        body = index + index + u32(len(area)) + area + parameters
        answer: bytes = self.tpm.execute(u16(0x8002) + u32(10 + len(body)) + u32(code) + body)
        while rc_of(answer) == 0x922:
            answer = self.tpm.execute(u16(0x8002) + u32(10 + len(body)) + u32(code) + body)
        assert rc_of(answer) == 0, hex(rc_of(answer))
        return answer
