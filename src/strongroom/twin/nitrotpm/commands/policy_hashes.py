# SPDX-License-Identifier: Apache-2.0
"""Policy assertions that tie a policy to a command by a digest (Part 3, sections 23.13, 23.14, 23.15 and 23.21).

A session has room for one of them: of cpHash, nameHash and the template's. A second one of another kind is refused.
"""

from __future__ import annotations

import hmac

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.algorithms import HASH_BYTES
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import u8
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.parameters import DIGEST, NAME, YES_NO
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import DONE, POLICY_SESSION, Reply, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.sessions import Session


@command(Cc.POLICY_CP_HASH, DIGEST, handles=(POLICY_SESSION,))
def policy_cp_hash(_chip: Chip, call: Call, cp_hash: bytes) -> Reply:
    """Require one command with its handles' names and its parameters."""
    session = call.policy_session(1)
    _check_size(session, cp_hash)
    before = session.policy.cp_hash
    _check_free(session, before)
    if before and not hmac.compare_digest(before, cp_hash):
        raise Refused(Rc.CPHASH)
    session.extend_policy(Cc.POLICY_CP_HASH, cp_hash)
    session.policy.cp_hash = cp_hash
    return DONE


@command(Cc.POLICY_NAME_HASH, DIGEST, handles=(POLICY_SESSION,))
def policy_name_hash(_chip: Chip, call: Call, name_hash: bytes) -> Reply:
    """Require the names of a command's handles."""
    session = call.policy_session(1)
    _check_size(session, name_hash)
    _check_free(session, b"")
    session.extend_policy(Cc.POLICY_NAME_HASH, name_hash)
    session.policy.name_hash = name_hash
    return DONE


@command(Cc.POLICY_TEMPLATE, DIGEST, handles=(POLICY_SESSION,))
def policy_template(_chip: Chip, call: Call, template_hash: bytes) -> Reply:
    """Require the template of what a command creates."""
    session = call.policy_session(1)
    before = session.policy.template
    _check_free(session, before)
    if before and not hmac.compare_digest(before, template_hash):
        raise refusal.parameter(Rc.VALUE, 1)
    _check_size(session, template_hash)
    session.extend_policy(Cc.POLICY_TEMPLATE, template_hash)
    session.policy.template = template_hash
    return DONE


@command(Cc.POLICY_DUPLICATION_SELECT, NAME, NAME, YES_NO, handles=(POLICY_SESSION,))
def policy_duplication_select(
    _chip: Chip,
    call: Call,
    object_name: bytes,
    parent_name: bytes,
    with_object: bool,
) -> Reply:
    """Require the duplication of an object to a new parent; `with_object` puts the object into the policy too."""
    session = call.policy_session(1)
    _check_free(session, b"")
    if session.policy.command is not None:
        raise Refused(Rc.COMMAND_CODE)
    included = object_name if with_object else b""
    session.extend_policy(Cc.POLICY_DUPLICATION_SELECT, included, parent_name, u8(with_object))
    session.policy.name_hash = digest(session.hash, object_name, parent_name)
    session.policy.command = Cc.DUPLICATE
    return DONE


def _check_size(session: Session, given: bytes) -> None:
    if len(given) != HASH_BYTES[session.hash]:
        raise refusal.parameter(Rc.SIZE, 1)


def _check_free(session: Session, same_kind: bytes) -> None:
    """Refuse where the session has such a digest already, of another kind than the one given."""
    if session.policy.bound_to not in {b"", same_kind}:
        raise Refused(Rc.CPHASH)
