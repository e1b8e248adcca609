# SPDX-License-Identifier: Apache-2.0
"""Salted, unbound sessions: they prove an authorization, hide the first parameters, and vouch for what comes back.

TPM 2.0 Library, Part 1, sections 19.6 (sessions) and 21 (parameter encryption). The session key comes from a salt that
only the TPM can read, so whoever sits on the way to it can neither read nor change what goes through, nor say a command
again: every command has new nonces. It does not tell *which* TPM it is; docs/tpm.md says what follows from that.

One session authorizes one command at a time here, and encrypts for the same command.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from strongroom.crypto.tpm import cfb_decrypt, cfb_encrypt, digest, kdf_a, mac, without_trailing_zeros
from strongroom.crypto.tpm_salt import encrypt_salt
from strongroom.errors import TpmFault
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.attributes import SessionAttributes, SessionKind
from strongroom.formats.tpm.frame import CommandAuthorization, ResponseAuthorization
from strongroom.formats.tpm.handles import HandleType
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import AES_128_CFB, AES_BLOCK_BYTES, NO_SYMMETRIC, Symmetric
from strongroom.formats.tpm.wire import Reader, sized, u8, u32
from strongroom.tpm.capabilities import loaded_handles
from strongroom.tpm.cleanup import Released
from strongroom.tpm.command import Command, Entity, Key
from strongroom.tpm.commands import flush_context, start_auth_session
from strongroom.tpm.connection import Answer, Connection, read_answer
from strongroom.tpm.faults import nonsense

_AES_KEY_BYTES = 16
_SIZE_BYTES = 2


@dataclass(frozen=True, slots=True)
class SessionParameters:
    """What a session is made with. The default is what AWS's tool asks its library for."""

    kind: SessionKind = SessionKind.HMAC
    hash: Alg = Alg.SHA512
    symmetric: Symmetric = AES_128_CFB
    """How first parameters are encrypted; NO_SYMMETRIC: not at all."""


HMAC_SESSION = SessionParameters()
VENDOR_SESSION = SessionParameters(symmetric=NO_SYMMETRIC)
"""AWS's command has no parameters to encrypt."""
POLICY_SESSION = SessionParameters(kind=SessionKind.POLICY, hash=Alg.SHA256)
"""Its hash is the name algorithm of what it authorizes (Part 1, section 19.7)."""


class Session:
    """A session. Commands go through `Connection.run(command, session)`."""

    def __init__(self, entity: Entity, parameters: SessionParameters, *, key: bytes, nonce_tpm: bytes) -> None:
        self.entity = entity
        self.hash = parameters.hash
        self._kind = parameters.kind
        self._encrypts = parameters.symmetric == AES_128_CFB
        self._key = key
        self._nonce_tpm = nonce_tpm
        self._nonce_caller = b""

    def authorize(self, command: Command) -> tuple[CommandAuthorization, bytes]:
        """Return the authorization of a command under a new nonce, and the parameters, the first of them encrypted."""
        self._nonce_caller = secrets.token_bytes(HASH_BYTES[self.hash])
        attributes = self._attributes(command)
        parameters = b"".join(command.parameters.values())
        if attributes & SessionAttributes.DECRYPT:
            cipher = self._cipher(command, cfb_encrypt, newer=self._nonce_caller, older=self._nonce_tpm)
            parameters = _first_changed(parameters, cipher)
        names = (entity.name for entity in command.handles.values())
        cp_hash = digest(self.hash, u32(command.code), *names, parameters)
        proof = self._mac(command, cp_hash + self._nonce_caller + self._nonce_tpm + u8(attributes))
        return CommandAuthorization(self.entity.handle, self._nonce_caller, attributes, proof), parameters

    def accept(self, command: Command, parameters: bytes, authorization: ResponseAuthorization) -> bytes:
        """Return the parameters of a response in clear, once its HMAC holds. Raises TpmFault where it does not."""
        nonce = authorization.nonce
        rp_hash = digest(self.hash, u32(Rc.SUCCESS), u32(command.code), parameters)
        said = rp_hash + nonce + self._nonce_caller + u8(authorization.attributes)
        expected = self._mac(command, said)
        if not hmac.compare_digest(expected, authorization.hmac):
            raise nonsense(command, "an HMAC that does not hold, so somebody changed the answer or made it")
        if len(nonce) != HASH_BYTES[self.hash]:
            raise nonsense(command, f"a nonce of {len(nonce)} bytes instead of {HASH_BYTES[self.hash]}")
        self._nonce_tpm = nonce
        if not (self._encrypts and command.sized_out):
            return parameters
        if not authorization.attributes & SessionAttributes.ENCRYPT:
            raise nonsense(command, "a parameter in clear that was to be encrypted")
        cipher = self._cipher(command, cfb_decrypt, newer=nonce, older=self._nonce_caller)
        return read_answer(command, parameters, lambda reader: _first_read_and_changed(reader, cipher))

    def _attributes(self, command: Command) -> int:
        attributes = SessionAttributes.CONTINUE
        if self._encrypts and command.sized_in:
            attributes |= SessionAttributes.DECRYPT
        if self._encrypts and command.sized_out:
            attributes |= SessionAttributes.ENCRYPT
        return int(attributes)

    def _mac(self, command: Command, message: bytes) -> bytes:
        # A policy session proves the policy, not that somebody knows the authorization (Part 1, section 19.6.5).
        auth = b"" if self._kind is SessionKind.POLICY else without_trailing_zeros(command.authorized.auth)
        return mac(self.hash, self._key + auth, message)

    def _cipher(
        self, command: Command, apply: Callable[[bytes, bytes, bytes], bytes], *, newer: bytes, older: bytes
    ) -> Callable[[bytes], bytes]:
        """Return AES-128-CFB under the key for one parameter (Part 1, section 21.3)."""
        value = self._key + without_trailing_zeros(command.authorized.auth)
        made = kdf_a(self.hash, value, "CFB", u=newer, v=older, bits=8 * (_AES_KEY_BYTES + AES_BLOCK_BYTES))
        return lambda data: apply(made[:_AES_KEY_BYTES], made[_AES_KEY_BYTES:], data)


@contextmanager
def salted_session(
    connection: Connection, salt_key: Key, parameters: SessionParameters = HMAC_SESSION
) -> Iterator[Session]:
    """Start a session, and flush it at the end of the block, after errors too. Raises TpmFault."""
    nonce_caller = secrets.token_bytes(HASH_BYTES[parameters.hash])
    salt, encrypted = encrypt_salt(salt_key.public)
    command = start_auth_session(
        salt_key.entity,
        nonce=nonce_caller,
        encrypted_salt=encrypted,
        kind=parameters.kind,
        symmetric=parameters.symmetric,
        hash_alg=parameters.hash,
    )
    answer = _started(connection, command)
    with Released(lambda: connection.run(flush_context(answer.handle))):
        nonce_tpm = read_answer(command, answer.parameters, lambda reader: reader.sized("a nonce"))
        bits = 8 * HASH_BYTES[parameters.hash]
        key = kdf_a(parameters.hash, salt, "ATH", u=nonce_tpm, v=nonce_caller, bits=bits)
        yield Session(Entity.by_handle(answer.handle), parameters, key=key, nonce_tpm=nonce_tpm)


def _started(connection: Connection, command: Command) -> Answer:
    """Start a session; where those of programs that were killed leave no room, flush them and start it again.

    None of ours is among them: there is never more than one at a time.
    """
    try:
        return connection.run(command)
    except TpmFault as fault:
        if fault.code != "tpm.no-room":
            raise
    for handle in loaded_handles(connection, HandleType.HMAC_SESSION):
        connection.run(flush_context(handle))
    return connection.run(command)


def _first_changed(parameters: bytes, cipher: Callable[[bytes], bytes]) -> bytes:
    """Return our own parameters with the content of the first, a TPM2B, changed."""
    end = _SIZE_BYTES + int.from_bytes(parameters[:_SIZE_BYTES])
    return parameters[:_SIZE_BYTES] + cipher(parameters[_SIZE_BYTES:end]) + parameters[end:]


def _first_read_and_changed(reader: Reader, cipher: Callable[[bytes], bytes]) -> bytes:
    first = reader.sized("an encrypted parameter")
    return sized(cipher(first)) + reader.rest()
