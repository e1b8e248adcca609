# SPDX-License-Identifier: Apache-2.0
"""Whether a policy session satisfies the policy of an entity, for this command (Part 3, section 5.6)."""

from __future__ import annotations

import hmac

from strongroom.formats.tpm.attributes import SessionKind
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import Role
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Entity, NvIndex
from strongroom.twin.nitrotpm.state.sessions import NORMAL_LOCALITIES, PolicyState, Session


def check_policy(chip: Chip, session: Session, entity: Entity, call: Call, *, number: int, role: Role) -> None:
    """Raise Refused where the policy is not satisfied. `number` is that of the session."""
    if session.kind is SessionKind.TRIAL:
        raise refusal.session(Rc.ATTRIBUTES, number)
    policy = session.policy
    if call.spec.code is Cc.POLICY_SECRET and not (policy.needs_auth or policy.needs_password):
        raise refusal.session(Rc.MODE, number)  # without the secret, nobody would have proven to know it
    if entity.policy.algorithm is not session.hash:
        raise refusal.session(Rc.POLICY_FAIL, number)
    _check_time(chip, policy, number)
    if policy.pcr_counter is not None and policy.pcr_counter != chip.pcrs.counter:
        raise Refused(Rc.PCR_CHANGED)
    if not hmac.compare_digest(entity.policy.digest, policy.digest):
        raise refusal.session(Rc.POLICY_FAIL, number)
    _check_command(policy, call, number, role)
    if policy.localities and not _admits(policy.localities, call.locality):
        raise Refused(Rc.LOCALITY)
    _check_hashes(session, call, number)
    if policy.written is not None and not (isinstance(entity, NvIndex) and entity.is_written == policy.written):
        raise refusal.session(Rc.POLICY_FAIL, number)


def _check_time(chip: Chip, policy: PolicyState, number: int) -> None:
    if policy.expires_ms is None:
        return
    if policy.boot != chip.volatile.boot or chip.time_ms() > policy.expires_ms:
        raise refusal.session(Rc.EXPIRED, number)


def _check_command(policy: PolicyState, call: Call, number: int, role: Role) -> None:
    if policy.command is not None:
        if policy.command != call.spec.code:
            raise refusal.session(Rc.POLICY_CC, number)
    elif role is not Role.USER:  # ADMIN and DUP want the policy to name the command
        raise refusal.session(Rc.POLICY_FAIL, number)


def _check_hashes(session: Session, call: Call, number: int) -> None:
    policy = session.policy
    expected = ((policy.cp_hash, call.hash), (policy.name_hash, call.names_hash))
    for wanted, hash_of in expected:
        if wanted and not hmac.compare_digest(wanted, hash_of(session.hash)):
            raise refusal.session(Rc.POLICY_FAIL, number)
    if policy.template and not hmac.compare_digest(policy.template, call.template_hash(session.hash)):
        raise refusal.session(Rc.POLICY_FAIL, number)


def _admits(localities: int, locality: int) -> bool:
    """Say whether a TPMA_LOCALITY, bits or one extended locality, names a locality."""
    if localities > NORMAL_LOCALITIES:
        return localities == locality
    return bool(localities & 1 << locality)
