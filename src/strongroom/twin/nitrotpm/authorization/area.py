# SPDX-License-Identifier: Apache-2.0
"""The authorization area of a command: reading it (Part 1, section 17; Part 3, section 5.4).

Sessions come in the order of the handles that they authorize; those behind them only encrypt.
"""

from __future__ import annotations

from collections.abc import Sequence as Sequence_
from dataclasses import dataclass
from typing import NamedTuple

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import SESSION_RESERVED, SessionAttributes
from strongroom.formats.tpm.frame import WITH_EMPTY_PASSWORD, CommandAuthorization
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, TpmFormatError, u32
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.lookup import Found
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import CommandSpec, Role
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Entity
from strongroom.twin.nitrotpm.state.sessions import Session, is_session_handle

MAX_SESSIONS_OF_COMMAND = 3
_AUDIT = int(SessionAttributes.AUDIT | SessionAttributes.AUDIT_EXCLUSIVE | SessionAttributes.AUDIT_RESET)
_AREA_OF_EMPTY_PASSWORD = u32(len(WITH_EMPTY_PASSWORD.encode())) + WITH_EMPTY_PASSWORD.encode()
_SMALLEST_AREA_BYTES = 9
"""One session: a handle, an empty nonce, attributes, an empty HMAC."""
_NOT_OF_A_PASSWORD = ~int(SessionAttributes.CONTINUE)


@dataclass(slots=True)
class Authorization:
    """One session of a command, and what it authorizes. `session` is None for a password."""

    number: int
    wire: CommandAuthorization
    session: Session | None
    entity: Entity | None = None
    role: Role | None = None
    with_auth: bool = False
    """Whether the entity's authorization value is part of the HMAC key."""
    was_silent: bool = False
    """A session without key and HMAC: the answer has none either (Part 1, section 19.6.2)."""

    @property
    def is_policy(self) -> bool:
        """Whether it is a policy session."""
        return self.session is not None and self.session.is_policy

    @property
    def guessed_at(self) -> tuple[Entity | Session, ...]:
        """What a wrong authorization counts for: the entity, and what the session is bound to (Part 1, 17.8.2)."""
        session, entity = self.session, self.entity
        if session is None:  # a password: most commands
            return (entity,) if entity is not None and entity.counts_failures else ()
        return tuple(each for each in (session, entity) if each is not None and each.counts_failures)

    def has(self, attribute: SessionAttributes) -> bool:
        """Say whether an attribute is set."""
        return bool(self.wire.attributes & int(attribute))

    def encryption_key(self) -> bytes:
        """Return the key of parameter encryption: the session's, and the entity's authorization value if it has one."""
        session = self.session
        if session is None:
            raise RuntimeError("a password encrypts nothing")
        return session.key + (self.entity.auth if self.entity is not None else b"")


class Authorizations(NamedTuple):
    """All sessions of a command, and which of them encrypt."""

    each: tuple[Authorization, ...] = ()
    decrypt: Authorization | None = None
    encrypt: Authorization | None = None


def read_authorizations(chip: Chip, spec: CommandSpec, reader: Reader, found: Sequence_[Found]) -> Authorizations:
    """Take the authorization area off; its first sessions authorize what was found under the command's handles.

    Raises Refused for what is malformed, not there, or of no use to the command.
    """
    if spec.authorized_handles == 1 and reader.skips(_AREA_OF_EMPTY_PASSWORD):  # most commands of a boot
        return Authorizations((Authorization(1, WITH_EMPTY_PASSWORD, None, _entity(found[0]), spec.roles[0]),))
    each = _read_each(chip, _area(spec, reader))
    _check_distinct(each)
    if spec.authorized_handles > len(each):
        raise Refused(Rc.AUTH_MISSING)
    decrypt = _single(each, SessionAttributes.DECRYPT, useful=spec.decrypts)
    encrypt = _single(each, SessionAttributes.ENCRYPT, useful=spec.encrypts)
    for extra in each[spec.authorized_handles :]:
        if extra.session is not None and extra is not decrypt and extra is not encrypt:
            raise refusal.session(Rc.ATTRIBUTES, extra.number)
    for authorization, thing, role in zip(each, found, spec.roles, strict=False):
        authorization.entity, authorization.role = _entity(thing), role
    return Authorizations(tuple(each), decrypt, encrypt)


def _entity(found: Found) -> Entity:
    if isinstance(found, Session):
        raise TypeError("the command's handle is declared to be authorized, and leads to a session")
    return found


def _area(spec: CommandSpec, reader: Reader) -> bytes:
    try:
        size_bytes = reader.u32("the size of the authorization area")
    except TpmFormatError as malformed:
        raise Refused(malformed.rc) from malformed
    if not _SMALLEST_AREA_BYTES <= size_bytes <= reader.left_bytes:
        raise Refused(Rc.SIZE)
    if not spec.takes_sessions:
        raise Refused(Rc.AUTH_CONTEXT)
    return reader.take(size_bytes, "the authorization area")


def _read_each(chip: Chip, area: bytes) -> list[Authorization]:
    reader = Reader(area)
    each: list[Authorization] = []
    while reader.left_bytes:
        number = len(each) + 1
        if number > MAX_SESSIONS_OF_COMMAND:
            raise refusal.session(Rc.SIZE, number)
        each.append(_resolved(chip, _read(reader, number), number))
    return each


def _read(reader: Reader, number: int) -> CommandAuthorization:
    try:
        handle = reader.u32("a session handle")
        if handle != Rh.PASSWORD and not is_session_handle(handle):
            raise refusal.session(Rc.VALUE, number)
        nonce = reader.sized("a nonce", most_bytes=MAX_DIGEST_BYTES)
        attributes = reader.u8("session attributes")
        if attributes & SESSION_RESERVED:
            raise refusal.session(Rc.RESERVED_BITS, number)
        return CommandAuthorization(handle, nonce, attributes, reader.sized("an HMAC", most_bytes=MAX_DIGEST_BYTES))
    except TpmFormatError as malformed:
        raise refusal.session(malformed.rc, number) from malformed


def _resolved(chip: Chip, wire: CommandAuthorization, number: int) -> Authorization:
    if wire.session == Rh.PASSWORD:
        if wire.attributes & _NOT_OF_A_PASSWORD:
            raise refusal.session(Rc.ATTRIBUTES, number)
        if wire.nonce:
            raise refusal.session(Rc.NONCE, number)
        return Authorization(number, wire, None)
    session = chip.volatile.sessions.get(wire.session)
    if session is None:
        raise Refused(Rc.REFERENCE_S0 + number - 1)
    if wire.attributes & _AUDIT:
        raise refusal.session(Rc.ATTRIBUTES, number)  # no audit sessions here (docs/twin.md)
    return Authorization(number, wire, session)


def _check_distinct(each: Sequence_[Authorization]) -> None:
    seen: set[int] = set()
    for authorization in each:
        if authorization.session is not None and authorization.session.handle in seen:
            raise refusal.session(Rc.HANDLE, authorization.number)
        seen.add(authorization.wire.session)


def _single(each: Sequence_[Authorization], attribute: SessionAttributes, *, useful: bool) -> Authorization | None:
    """Return the one session with an attribute that encrypts, None where there is none."""
    having = [authorization for authorization in each if authorization.has(attribute)]
    if not having:
        return None
    if not useful:
        raise refusal.session(Rc.ATTRIBUTES, having[0].number)
    if len(having) > 1:
        raise refusal.session(Rc.ATTRIBUTES, having[1].number)
    found = having[0]
    if found.session is None or found.session.symmetric.algorithm is Alg.NULL:
        raise refusal.session(Rc.SYMMETRIC, found.number)
    return found
