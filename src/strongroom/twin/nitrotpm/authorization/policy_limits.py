# SPDX-License-Identifier: Apache-2.0
"""What PolicySigned, PolicySecret and PolicyTicket have in common: an end, a command, a session (Part 3, 23.2.2).

Whoever vouches may restrict what for: until a time, for one command (cpHash), in one session (its nonce). The time is
TPMS_TIME_INFO.time, which begins at zero with each start; so an authorization with an end never outlives a start.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from strongroom.formats.tpm.algorithms import HASH_BYTES
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import Parameter
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.sessions import Session

_MS = 1000
_INT32_BYTES = 4


def _expiration(reader: Reader) -> int:
    return int.from_bytes(reader.take(_INT32_BYTES, "an expiration"), signed=True)


EXPIRATION = Parameter(_expiration)
"""INT32: seconds, negative where a ticket is wanted too, zero for no end."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Until when something holds (milliseconds of the TPM's time, None for ever), and for which command if not all."""

    end_ms: int | None
    cp_hash: bytes


def end_ms(chip: Chip, session: Session, nonce: bytes, expiration: int) -> int | None:
    """Return when an authorization ends: seconds after the session's start or, without its nonce, seconds of time."""
    if expiration == 0:
        return None
    seconds = abs(expiration) * _MS
    if nonce:
        return session.start_ms + seconds
    # Time in whole seconds: what is left of the current one is given, so that it ends no earlier than it says.
    return seconds + chip.time_ms() % _MS


def check_nonce(session: Session, nonce: bytes, *, number: int) -> None:
    """Refuse another session's nonce; an empty one is for any session. `number` is that of the parameter."""
    if nonce and not hmac.compare_digest(nonce, session.nonce_tpm):
        raise refusal.parameter(Rc.NONCE, number)


def check_limits(chip: Chip, session: Session, limits: Limits, *, end_number: int, cp_hash_number: int) -> None:
    """Refuse an end that has come, and a cpHash that no command of this session could have."""
    if limits.end_ms is not None and (session.policy.boot != chip.volatile.boot or limits.end_ms < chip.time_ms()):
        raise refusal.parameter(Rc.EXPIRED, end_number)
    if not limits.cp_hash:
        return
    if len(limits.cp_hash) != HASH_BYTES[session.hash]:
        raise refusal.parameter(Rc.SIZE, cp_hash_number)
    bound_to = session.policy.bound_to
    if bound_to and not hmac.compare_digest(bound_to, limits.cp_hash):
        raise Refused(Rc.CPHASH)


def restrict(session: Session, limits: Limits) -> None:
    """Let the session hold no longer, and for no other command, than these limits say."""
    policy = session.policy
    policy.cp_hash = limits.cp_hash or policy.cp_hash
    ends = [end for end in (policy.expires_ms, limits.end_ms) if end is not None]
    policy.expires_ms = min(ends, default=None)
