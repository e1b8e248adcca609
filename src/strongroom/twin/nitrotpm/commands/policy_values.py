# SPDX-License-Identifier: Apache-2.0
"""Policy assertions that look at a value inside the TPM (Part 3, sections 23.9, 23.10 and 23.22)."""

from __future__ import annotations

import hmac

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.algorithms import HASH_BYTES
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import read_hash
from strongroom.formats.tpm.wire import Reader, TpmFormatError, u16, u64
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.authorization.comparisons import COMPARISON, Comparison
from strongroom.twin.nitrotpm.nv.access import check_read
from strongroom.twin.nitrotpm.parameters import DIGEST, U16
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import DONE, NV_AUTH, NV_INDEX, POLICY_SESSION, Reply, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Access

_OPERAND, _OFFSET = 1, 2
_BY_NV = (NV_AUTH.authorized(), NV_INDEX, POLICY_SESSION)


@command(Cc.POLICY_NV, DIGEST, U16, COMPARISON, handles=_BY_NV, access=Access.READ)
def policy_nv(_chip: Chip, call: Call, operand: bytes, offset: int, comparison: Comparison) -> Reply:
    """Require what is in an NV index to compare with `operand` like this, now."""
    session, nv_index = call.policy_session(3), call.nv_index(2)
    if not session.is_trial:
        check_read(nv_index, by=call.handles[0])
        data = bytes(nv_index.data)
        if offset > len(data):
            raise refusal.parameter(Rc.VALUE, _OFFSET)
        if len(operand) > len(data) - offset:
            raise refusal.parameter(Rc.SIZE, _OPERAND)
        _check_holds(data[offset:], operand, comparison)
    session.extend_policy(Cc.POLICY_NV, digest(session.hash, operand, u16(offset), u16(comparison)), nv_index.name)
    return DONE


@command(Cc.POLICY_COUNTER_TIMER, DIGEST, U16, COMPARISON, handles=(POLICY_SESSION,))
def policy_counter_timer(chip: Chip, call: Call, operand: bytes, offset: int, comparison: Comparison) -> Reply:
    """Require the time, the clock or a count of starts (TPMS_TIME_INFO) to compare with `operand` like this, now."""
    session = call.policy_session(1)
    data = u64(chip.time_ms()) + chip.clock_info().encode()
    if offset > len(data):
        raise refusal.parameter(Rc.VALUE, _OFFSET)
    if len(operand) > len(data) - offset:
        raise Refused(Rc.RANGE)
    if not session.is_trial:
        _check_holds(data[offset:], operand, comparison)
    session.extend_policy(Cc.POLICY_COUNTER_TIMER, digest(session.hash, operand, u16(offset), u16(comparison)))
    return DONE


def _check_holds(data: bytes, operand: bytes, comparison: Comparison) -> None:
    if not comparison.holds(data[: len(operand)], operand):
        raise Refused(Rc.POLICY)


@command(Cc.POLICY_AUTHORIZE_NV, handles=_BY_NV, access=Access.READ)
def policy_authorize_nv(_chip: Chip, call: Call) -> Reply:
    """Accept the policy whose digest stands in an NV index, so that it can be replaced by writing another."""
    session, nv_index = call.policy_session(3), call.nv_index(2)
    if not session.is_trial:
        check_read(nv_index, by=call.handles[0])
        _check_approved(bytes(nv_index.data), session.hash, session.policy.digest)
    session.clear_policy()
    session.extend_policy(Cc.POLICY_AUTHORIZE_NV, nv_index.name)
    return DONE


def _check_approved(data: bytes, algorithm: int, policy: bytes) -> None:
    """Refuse a policy that is not the one in `data`: TPMT_HA, a hash algorithm and a digest."""
    reader = Reader(data)
    try:
        found = read_hash(reader)
        approved = reader.take(HASH_BYTES[found], "a policy")
    except TpmFormatError as malformed:
        raise Refused(malformed.rc) from malformed
    if found != algorithm:
        raise Refused(Rc.HASH)
    if not hmac.compare_digest(approved, policy):
        raise Refused(Rc.VALUE)
