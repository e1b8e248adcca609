# SPDX-License-Identifier: Apache-2.0
"""Whether the sessions of a command authorize it (Part 1, section 17; Part 3, sections 5.5 and 5.6).

Each session is checked against the entity that it authorizes, in the order of the handles. A wrong guess counts for
the lockout before anybody hears that it was wrong.
"""

from __future__ import annotations

import hmac

from strongroom.crypto.tpm import without_trailing_zeros
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.area import Authorization, Authorizations
from strongroom.twin.nitrotpm.authorization.availability import check_available
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.authorization.policy_check import check_policy
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Entity
from strongroom.twin.nitrotpm.state.sessions import Session


def authorize(chip: Chip, call: Call) -> None:
    """Check every session of a command. Raises Refused for the first that does not hold."""
    for authorization in call.authorizations.each:
        entity, role, session = authorization.entity, authorization.role, authorization.session
        for each in authorization.guessed_at:
            _check_lockout(chip, each)
        if entity is not None and role is not None:
            check_available(entity, call.spec, role, by_policy=session is not None and session.is_policy)
        if session is None:
            _check_password(chip, authorization)
        else:
            _check_session(chip, session, authorization, call)


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


def _check_session(chip: Chip, session: Session, authorization: Authorization, call: Call) -> None:
    entity, wire = authorization.entity, authorization.wire
    if entity is not None and authorization.role is not None and session.is_policy:
        check_policy(chip, session, entity, call, number=authorization.number, role=authorization.role)
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
    nonces = (wire.nonce, session.nonce_tpm, *_other_nonces(call.authorizations, authorization))
    expected = session.mac(key, call.hash(session.hash), nonces, wire.attributes)
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
