# SPDX-License-Identifier: Apache-2.0
"""Policies that can be replaced: whoever holds a key signs the next one (Part 3, section 23.16)."""

from __future__ import annotations

import hmac

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.ticket import Ticket
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.tickets import VERIFIED_TICKET, matches, verified_ticket
from strongroom.twin.nitrotpm.parameters import DIGEST, NAME, NONCE
from strongroom.twin.nitrotpm.registry import DONE, POLICY_SESSION, Reply, command
from strongroom.twin.nitrotpm.state.chip import Chip

_POLICY, _KEY, _TICKET = 1, 3, 4
_ALGORITHM_BYTES = 2


@command(Cc.POLICY_AUTHORIZE, DIGEST, NONCE, NAME, VERIFIED_TICKET, handles=(POLICY_SESSION,))
def policy_authorize(
    chip: Chip, call: Call, approved: bytes, policy_ref: bytes, key_name: bytes, ticket: Ticket
) -> Reply:
    """Accept a policy that a key's owner signed. `ticket` says that this TPM found the signature good."""
    session = call.policy_session(1)
    algorithm = _algorithm(key_name)
    if not session.is_trial:
        if not hmac.compare_digest(approved, session.policy.digest):
            raise refusal.parameter(Rc.VALUE, _POLICY)
        signed = digest(algorithm, approved, policy_ref)
        if not matches(verified_ticket(chip, ticket.hierarchy, signed, key_name), ticket):
            raise refusal.parameter(Rc.VALUE, _TICKET)
    session.clear_policy()
    session.extend_policy_ref(Cc.POLICY_AUTHORIZE, key_name, policy_ref)
    return DONE


def _algorithm(key_name: bytes) -> Alg:
    """Return the hash algorithm of a key's name, which is that of the signed digest too."""
    found = int.from_bytes(key_name[:_ALGORITHM_BYTES])
    if found not in HASH_BYTES:
        raise refusal.parameter(Rc.HASH, _KEY)
    if len(key_name) != _ALGORITHM_BYTES + HASH_BYTES[Alg(found)]:
        raise refusal.parameter(Rc.SIZE, _KEY)
    return Alg(found)
