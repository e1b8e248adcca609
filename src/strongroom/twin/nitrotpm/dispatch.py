# SPDX-License-Identifier: Apache-2.0
"""The way of a command through the TPM (Part 3, section 5), in the order of the specification.

1. header: tag, size, a command that is known, a TPM that is started
2. handles: of the right kind, and something there
3. authorization area: well formed, its sessions loaded, as many as the command needs
4. authorizations: each entity admits it, and each HMAC, password or policy holds
5. the first parameter is decrypted
6. parameters: well formed, none left over
7. the command is carried out
8. the first parameter of the response is encrypted, sessions take new nonces and sign the response

Whatever is wrong ends it with a response code and leaves everything as it was, but for failures that count.
"""

from __future__ import annotations

from typing import Any

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.attributes import SessionAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.frame import (
    HEADER,
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    ResponseAuthorization,
    Tag,
    encode_response,
)
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, TpmFormatError, sized, u32
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.area import Authorization, Authorizations, read_authorizations
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.authorization.decision import authorize
from strongroom.twin.nitrotpm.commands import COMMANDS
from strongroom.twin.nitrotpm.lookup import Found, find
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import CommandSpec, Reply
from strongroom.twin.nitrotpm.state.chip import Chip

_TAG_AND_SIZE_BYTES = 6
_ANSWER_TO_PASSWORD = ResponseAuthorization(b"", SessionAttributes.CONTINUE, b"").encode()
_TAGS = {int(tag): tag for tag in Tag}
_TPM_12_RESPONSE = 0x00C4
"""TPM_TAG_RSP_COMMAND."""
_NO_AUTHORIZATIONS = Authorizations()


def respond(chip: Chip, command: bytes, locality: int) -> bytes:
    """Return the response to a command. Never raises for what a command says."""
    try:
        return _respond(chip, command, locality)
    except Refused as refused:
        return encode_response(refused.rc)


def _respond(chip: Chip, command: bytes, locality: int) -> bytes:
    tag, spec, reader = _read_header(chip, command)  # 1
    handles, found = _read_handles(chip, spec, reader)  # 2
    if tag is Tag.SESSIONS:
        authorizations = read_authorizations(chip, spec, reader, found)  # 3
    elif spec.authorized_handles:
        raise Refused(Rc.AUTH_MISSING)
    else:
        authorizations = _NO_AUTHORIZATIONS
    call = Call(spec, handles, found, authorizations, command[reader.offset :], locality)
    authorize(chip, call)  # 4
    if authorizations.decrypt is not None:
        reader = Reader(_decrypted(authorizations.decrypt, call.parameters))  # 5
    parameters = _read_parameters(spec, reader)  # 6
    reply = spec.run(chip, call, *parameters)  # 7
    if tag is Tag.NO_SESSIONS:
        handle = u32(reply.handle) if reply.handle is not None else b""
        return encode_response(Rc.SUCCESS, handle + reply.parameters)
    return _signed(chip, spec, reply, authorizations)  # 8


def _read_header(chip: Chip, command: bytes) -> tuple[Tag, CommandSpec, Reader]:
    if len(command) < _TAG_AND_SIZE_BYTES:
        raise Refused(Rc.INSUFFICIENT)
    whole = command if len(command) >= HEADER_BYTES else command.ljust(HEADER_BYTES, b"\0")
    tag, size_bytes, code = HEADER.unpack_from(whole)
    if tag not in _TAGS:
        # Firmware asks a TPM 1.2 command first, and believes the answer that a TPM 1.2 would give. So: not that one.
        raise Refused(Rc.BAD_TAG if tag == _TPM_12_RESPONSE else Rc.VALUE)
    if size_bytes != len(command) or not HEADER_BYTES <= size_bytes <= MAX_FRAME_BYTES:
        raise Refused(Rc.COMMAND_SIZE)
    spec = COMMANDS.get(code)
    if spec is None:
        raise Refused(Rc.COMMAND_CODE)
    if chip.volatile.started == (code == Cc.STARTUP):
        raise Refused(Rc.INITIALIZE)
    return _TAGS[tag], spec, Reader(command, HEADER_BYTES)


def _read_handles(chip: Chip, spec: CommandSpec, reader: Reader) -> tuple[tuple[int, ...], tuple[Found, ...]]:
    handles: list[int] = []
    for number, handle_spec in enumerate(spec.handles, start=1):
        try:
            handle = reader.u32("a handle")
        except TpmFormatError as malformed:
            raise refusal.handle(malformed.rc, number) from malformed
        if not handle_spec.allows(handle):
            raise refusal.handle(Rc.VALUE, number)
        handles.append(handle)
    return tuple(handles), tuple([find(chip, handle, number) for number, handle in enumerate(handles, start=1)])


def _decrypted(authorization: Authorization, parameters: bytes) -> bytes:
    if authorization.session is None:
        return parameters
    reader = Reader(parameters)
    try:
        first = reader.sized("the first parameter")
    except TpmFormatError as malformed:
        raise refusal.parameter(Rc.INSUFFICIENT, 1) from malformed
    session = authorization.session
    clear = session.decrypt(
        authorization.encryption_key(), first, newer=authorization.wire.nonce, older=session.nonce_tpm
    )
    return sized(clear) + reader.rest()


def _read_parameters(spec: CommandSpec, reader: Reader) -> list[Any]:
    values: list[Any] = []
    for number, parameter in enumerate(spec.parameters, start=1):
        try:
            values.append(parameter.read(reader))
        except TpmFormatError as malformed:
            raise refusal.parameter(malformed.rc, number) from malformed
    if reader.left_bytes:
        raise Refused(Rc.SIZE)
    return values


def _signed(chip: Chip, spec: CommandSpec, reply: Reply, authorizations: Authorizations) -> bytes:
    for each in authorizations.each:
        if each.session is not None:
            each.session.roll()
    handle = u32(reply.handle) if reply.handle is not None else b""
    parameters = _encrypted(authorizations.encrypt, reply.parameters)
    area = b"".join([_answer(chip, spec, each, parameters) for each in authorizations.each])
    return encode_response(Rc.SUCCESS, handle + u32(len(parameters)) + parameters + area, tag=Tag.SESSIONS)


def _encrypted(authorization: Authorization | None, parameters: bytes) -> bytes:
    if authorization is None or authorization.session is None:
        return parameters
    reader = Reader(parameters)
    first = reader.sized("the first parameter")
    session = authorization.session
    hidden = session.encrypt(
        authorization.encryption_key(), first, newer=session.nonce_tpm, older=authorization.wire.nonce
    )
    return sized(hidden) + reader.rest()


def _answer(chip: Chip, spec: CommandSpec, authorization: Authorization, parameters: bytes) -> bytes:
    """Return a session's part of the response, and end the session where the command wanted that."""
    session, wire = authorization.session, authorization.wire
    if session is None:
        return _ANSWER_TO_PASSWORD
    made = b""
    if not (authorization.was_silent or (authorization.entity is not None and session.policy.needs_password)):
        with_auth = authorization.entity is not None and authorization.with_auth
        key = session.key + (authorization.entity.auth if authorization.entity is not None and with_auth else b"")
        about = digest(session.hash, u32(Rc.SUCCESS), u32(spec.code), parameters)
        made = session.mac(key, about, (session.nonce_tpm, wire.nonce), wire.attributes)
    if not authorization.has(SessionAttributes.CONTINUE):
        chip.volatile.sessions.pop(session.handle, None)
    elif session.is_policy and authorization.entity is not None:
        session.restart_policy()
    return ResponseAuthorization(session.nonce_tpm, wire.attributes, made).encode()
