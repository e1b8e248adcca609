# SPDX-License-Identifier: Apache-2.0
"""Policy assertions about the state of the TPM and about the command (Part 3, section 23).

Each changes the policy digest of a session; what it asserts is looked at now (PCRs, OR), or remembered in the session
and looked at when that authorizes something (`policy_check`). A trial session only computes.
"""

from __future__ import annotations

import hmac

from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.pcr_selection import PcrSelection, encode_pcr_selections
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, sized, u8, u32
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.parameters import DIGEST, PCR_SELECTIONS, U8, U32, YES_NO
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import COMMANDS, DONE, POLICY_SESSION, Parameter, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.sessions import NORMAL_LOCALITIES

_LEAST_BRANCHES, _MOST_BRANCHES = 2, 8
"""Of PolicyOR: TPML_DIGEST with a minimum of two (Part 2, section 10.9.4)."""


@command(Cc.POLICY_PCR, DIGEST, PCR_SELECTIONS, handles=(POLICY_SESSION,))
def policy_pcr(chip: Chip, call: Call, wanted: bytes, selections: tuple[PcrSelection, ...]) -> Reply:
    """Require PCRs as they are now, which must be `wanted` if that is not empty. They may not change afterwards."""
    session = call.policy_session(1)
    policy = session.policy
    present = chip.pcrs.present(selections)
    current = chip.pcrs.digest(session.hash, present)
    if session.is_trial:
        current = wanted or current
    else:
        if policy.pcr_counter is not None and policy.pcr_counter != chip.pcrs.counter:
            raise Refused(Rc.PCR_CHANGED)
        if wanted and not hmac.compare_digest(wanted, current):
            raise refusal.parameter(Rc.VALUE, 1)
        policy.pcr_counter = chip.pcrs.counter
    session.extend_policy(Cc.POLICY_PCR, encode_pcr_selections(present), current)
    return DONE


@command(Cc.POLICY_AUTH_VALUE, handles=(POLICY_SESSION,))
def policy_auth_value(_chip: Chip, call: Call) -> Reply:
    """Require the entity's authorization value in the key of the session's HMAC."""
    session = call.policy_session(1)
    session.extend_policy(Cc.POLICY_AUTH_VALUE)
    session.policy.needs_auth, session.policy.needs_password = True, False
    return DONE


@command(Cc.POLICY_PASSWORD, handles=(POLICY_SESSION,))
def policy_password(_chip: Chip, call: Call) -> Reply:
    """Require the entity's authorization value in clear. It is the same policy as PolicyAuthValue, by its digest."""
    session = call.policy_session(1)
    session.extend_policy(Cc.POLICY_AUTH_VALUE)
    session.policy.needs_auth, session.policy.needs_password = False, True
    return DONE


@command(Cc.POLICY_COMMAND_CODE, U32, handles=(POLICY_SESSION,))
def policy_command_code(_chip: Chip, call: Call, code: int) -> Reply:
    """Require a command."""
    session = call.policy_session(1)
    if session.policy.command not in {None, code}:
        raise refusal.parameter(Rc.VALUE, 1)
    if code not in COMMANDS:
        raise refusal.parameter(Rc.POLICY_CC, 1)
    session.extend_policy(Cc.POLICY_COMMAND_CODE, u32(code))
    session.policy.command = code
    return DONE


@command(Cc.POLICY_LOCALITY, U8, handles=(POLICY_SESSION,))
def policy_locality(_chip: Chip, call: Call, localities: int) -> Reply:
    """Require one of some localities, or one extended locality; of several assertions, what they have in common."""
    session = call.policy_session(1)
    left = _common_localities(session.policy.localities, localities)
    if not left:
        raise refusal.parameter(Rc.RANGE, 1)
    session.extend_policy(Cc.POLICY_LOCALITY, u8(localities))
    session.policy.localities = left
    return DONE


def _common_localities(before: int, now: int) -> int:
    """Return what two values have in common, zero for nothing. A `before` of zero restricts nothing."""
    if before in {0, now}:
        return now
    if max(before, now) > NORMAL_LOCALITIES:
        return 0
    return before & now


@command(Cc.POLICY_NV_WRITTEN, YES_NO, handles=(POLICY_SESSION,))
def policy_nv_written(_chip: Chip, call: Call, written: bool) -> Reply:
    """Require that the NV index was written, or that it never was."""
    session = call.policy_session(1)
    if session.policy.written not in {None, written}:
        raise refusal.parameter(Rc.VALUE, 1)
    session.extend_policy(Cc.POLICY_NV_WRITTEN, u8(written))
    session.policy.written = written
    return DONE


def _branches(reader: Reader) -> tuple[bytes, ...]:
    count = reader.count(_MOST_BRANCHES, "policies")
    if count < _LEAST_BRANCHES:
        raise reader.refused(Rc.SIZE, f"expected at least {_LEAST_BRANCHES} policies, found {count}")
    return tuple(reader.sized("a policy", most_bytes=MAX_DIGEST_BYTES) for _ in range(count))


@command(Cc.POLICY_OR, Parameter(_branches), handles=(POLICY_SESSION,))
def policy_or(_chip: Chip, call: Call, branches: tuple[bytes, ...]) -> Reply:
    """Go on from any of several policies; the one that the session satisfies must be among them."""
    session = call.policy_session(1)
    if not session.is_trial and session.policy.digest not in branches:
        raise refusal.parameter(Rc.VALUE, 1)
    session.clear_policy()
    session.extend_policy(Cc.POLICY_OR, *branches)
    return DONE


@command(Cc.POLICY_GET_DIGEST, handles=(POLICY_SESSION,), traits=Trait.ENCRYPTS)
def policy_get_digest(_chip: Chip, call: Call) -> Reply:
    """Return the policy digest."""
    return Reply(sized(call.policy_session(1).policy.digest))
