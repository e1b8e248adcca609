# SPDX-License-Identifier: Apache-2.0
"""The authorization area of a command: reading it, and deciding on it (Part 1, section 17; Part 3, section 5.4 to 5.6).

Each session is checked against the entity that it authorizes, in the order of the handles; sessions behind those only
encrypt. A wrong guess counts for the lockout before anybody hears that it was wrong.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence as Sequence_
from dataclasses import dataclass

from strongroom.crypto.tpm import without_trailing_zeros
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import SESSION_RESERVED, SessionAttributes
from strongroom.formats.tpm.frame import CommandAuthorization
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, TpmFormatError
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.availability import check_available
from strongroom.twin.nitrotpm.authorization.policy_check import check_policy
from strongroom.twin.nitrotpm.authorization.signed import Signed
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import CommandSpec, Role
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Entity
from strongroom.twin.nitrotpm.state.sessions import Session, is_session_handle

MAX_SESSIONS_OF_COMMAND = 3
_AUDIT = int(SessionAttributes.AUDIT | SessionAttributes.AUDIT_EXCLUSIVE | SessionAttributes.AUDIT_RESET)
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
        both = (self.session, self.entity)
        return tuple(each for each in both if each is not None and each.counts_failures)

    def has(self, attribute: SessionAttributes) -> bool:
        """Say whether an attribute is set."""
        return bool(self.wire.attributes & int(attribute))

    def encryption_key(self) -> bytes:
        """Return the key of parameter encryption: the session's, and the entity's authorization value if it has one."""
        session = self.session
        if session is None:
            raise RuntimeError("a password encrypts nothing")
        return session.key + (self.entity.auth if self.entity is not None else b"")


@dataclass(frozen=True, slots=True)
class Authorizations:
    """All sessions of a command, and which of them encrypt."""

    each: tuple[Authorization, ...] = ()
    decrypt: Authorization | None = None
    encrypt: Authorization | None = None


def read_authorizations(chip: Chip, spec: CommandSpec, area: bytes) -> Authorizations:
    """Read the authorization area. Raises Refused for what is malformed, not there, or of no use to the command."""
    reader = Reader(area)
    each: list[Authorization] = []
    while reader.left_bytes:
        number = len(each) + 1
        if number > MAX_SESSIONS_OF_COMMAND:
            raise refusal.session(Rc.SIZE, number)
        each.append(_resolved(chip, _read(reader, number), number))
    _check_distinct(each)
    if spec.authorized_handles > len(each):
        raise Refused(Rc.AUTH_MISSING)
    decrypt = _single(each, SessionAttributes.DECRYPT, useful=spec.decrypts)
    encrypt = _single(each, SessionAttributes.ENCRYPT, useful=spec.encrypts)
    for extra in each[spec.authorized_handles :]:
        if extra.session is not None and extra is not decrypt and extra is not encrypt:
            raise refusal.session(Rc.ATTRIBUTES, extra.number)
    return Authorizations(tuple(each), decrypt, encrypt)


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


def authorize(chip: Chip, signed: Signed, found: Authorizations) -> None:
    """Check every session of a command. Raises Refused for the first that does not hold."""
    for authorization in found.each:
        entity, role = authorization.entity, authorization.role
        for each in authorization.guessed_at:
            _check_lockout(chip, each)
        if entity is not None and role is not None:
            check_available(entity, signed.spec, role, by_policy=authorization.is_policy)
        if authorization.session is None:
            _check_password(chip, authorization)
        else:
            _check_session(chip, authorization.session, authorization, signed=signed, found=found)


def _check_lockout(chip: Chip, guessed_at: Entity | Session) -> None:
    authority, permanent = _is_authority(chip, guessed_at), chip.permanent
    permanent.lockout.heal(chip.time_ms())
    permanent.lockout.check(authority=authority)
    if authority:
        return
    chip.void_shutdown()
    if not permanent.guesses_taken:  # it is kept before anybody hears whether the guess was right
        permanent.guesses_taken = chip.changed = True
        if chip.profile.needs_retry_first:
            raise Refused(Rc.RETRY)


def _is_authority(chip: Chip, guessed_at: Entity | Session) -> bool:
    """Say whether it is the lockout authority, or a session that is bound to it."""
    if isinstance(guessed_at, Session):
        return guessed_at.guesses_authority
    return guessed_at is chip.permanent.lockout_authority


def _check_password(chip: Chip, authorization: Authorization) -> None:
    entity = authorization.entity
    if entity is None:
        raise refusal.session(Rc.HANDLE, authorization.number)
    given = without_trailing_zeros(authorization.wire.hmac)
    if not hmac.compare_digest(given, entity.auth):
        raise _wrong(chip, authorization)


def _check_session(
    chip: Chip, session: Session, authorization: Authorization, *, signed: Signed, found: Authorizations
) -> None:
    entity, wire = authorization.entity, authorization.wire
    if entity is not None and authorization.role is not None and session.is_policy:
        check_policy(chip, session, entity, signed, number=authorization.number, role=authorization.role)
        if session.policy.needs_password:
            _check_password(chip, authorization)
            return
        authorization.with_auth = session.policy.needs_auth
    elif entity is not None:
        authorization.with_auth = not session.is_bound_to(entity)
    key = session.key + (entity.auth if entity is not None and authorization.with_auth else b"")
    authorization.was_silent = not key and not wire.hmac
    if authorization.was_silent:
        return
    nonces = (wire.nonce, session.nonce_tpm, *_other_nonces(found, authorization))
    expected = session.mac(key, signed.hash(session.hash), nonces, wire.attributes)
    if not hmac.compare_digest(expected, wire.hmac):
        raise _wrong(chip, authorization)


def _other_nonces(found: Authorizations, authorization: Authorization) -> tuple[bytes, ...]:
    """Return the TPM's nonces of the encrypting sessions: the first session vouches for them (Part 1, 19.6.5)."""
    if authorization.number != 1:
        return ()
    others: list[Authorization] = []
    for other in (found.decrypt, found.encrypt):
        if other is not None and other is not authorization and other not in others:
            others.append(other)
    return tuple(other.session.nonce_tpm for other in others if other.session is not None)


def _wrong(chip: Chip, authorization: Authorization) -> Refused:
    guessed_at = authorization.guessed_at
    if not guessed_at:
        return refusal.session(Rc.BAD_AUTH if authorization.entity is not None else Rc.AUTH_FAIL, authorization.number)
    # Which of several was wrong does not show; a session that is bound to the lockout authority goes first.
    chip.permanent.lockout.fail(chip.time_ms(), authority=_is_authority(chip, guessed_at[0]))
    chip.changed = True
    return refusal.session(Rc.AUTH_FAIL, authorization.number)
