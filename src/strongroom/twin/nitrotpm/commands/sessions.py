# SPDX-License-Identifier: Apache-2.0
"""Starting sessions (Part 3, section 11)."""

from __future__ import annotations

import secrets

from strongroom.crypto.tpm import kdf_a
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.attributes import ObjectAttributes, SessionKind
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import HandleType, Rh, handle_number
from strongroom.formats.tpm.public_area import ASYMMETRIC
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import Symmetric, read_symmetric
from strongroom.formats.tpm.wire import Reader, TpmFormatError, sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.secret_sharing import SALT, decrypt_secret
from strongroom.twin.nitrotpm.lookup import free_handle
from strongroom.twin.nitrotpm.parameters import HASH, NONCE, SECRET
from strongroom.twin.nitrotpm.profile import MAX_SESSIONS
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import (
    DONE,
    ENTITY,
    OBJECT_OR_NULL,
    POLICY_SESSION,
    Parameter,
    Reply,
    Trait,
    command,
)
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Entity, Hierarchy
from strongroom.twin.nitrotpm.state.objects import Sequence, TpmObject
from strongroom.twin.nitrotpm.state.sessions import Binding, PolicyState, Session

LEAST_NONCE_BYTES = 16
_TPM_KEY, _BIND = 1, 2
_NONCE, _SECRET, _KIND, _SYMMETRIC = 1, 2, 3, 4


def _kind(reader: Reader) -> SessionKind:
    found = reader.u8("a kind of session")
    if found not in set(SessionKind):
        raise reader.refused(Rc.VALUE, f"expected a kind of session, found {found}")
    return SessionKind(found)


def _symmetric(reader: Reader) -> Symmetric:
    return read_symmetric(reader, xor=True)


@command(
    Cc.START_AUTH_SESSION,
    NONCE,
    SECRET,
    Parameter(_kind),
    Parameter(_symmetric),
    HASH,
    handles=(OBJECT_OR_NULL, ENTITY),
    traits=Trait.RETURNS_HANDLE | Trait.ENCRYPTS,
)
def start_auth_session(
    chip: Chip, call: Call, nonce: bytes, secret: bytes, kind: SessionKind, symmetric: Symmetric, hash_: Alg
) -> Reply:
    """Start a session, salted by a key of this TPM or not, bound to an entity or not."""
    if not LEAST_NONCE_BYTES <= len(nonce) <= HASH_BYTES[hash_]:
        raise refusal.parameter(Rc.SIZE, _NONCE)
    salt = _salt(chip, call, secret)
    bound_to = _bound_to(call)
    binding, auth = (Binding.of(bound_to), bound_to.auth) if bound_to is not None else (None, b"")
    if symmetric.algorithm is Alg.AES and symmetric.mode is not Alg.CFB:
        raise refusal.parameter(Rc.MODE, _SYMMETRIC)
    handle = _new_handle(chip, kind)
    nonce_tpm = secrets.token_bytes(len(nonce))
    key = b""
    if call.handles[0] != Rh.NULL or binding is not None:
        key = kdf_a(hash_, auth + salt, "ATH", u=nonce_tpm, v=nonce, bits=HASH_BYTES[hash_] * 8)
    chip.volatile.sessions[handle] = Session(
        handle,
        kind,
        hash_,
        symmetric,
        key,
        nonce_tpm,
        binding if kind is SessionKind.HMAC else None,
        PolicyState(bytes(HASH_BYTES[hash_]), chip.volatile.boot),
        start_ms=chip.time_ms(),
        counts_failures=bound_to is not None and bound_to.counts_failures,
        guesses_authority=bound_to is chip.permanent.lockout_authority,
    )
    return Reply(sized(nonce_tpm), handle)


@command(Cc.POLICY_RESTART, handles=(POLICY_SESSION,))
def policy_restart(_chip: Chip, call: Call) -> Reply:
    """Start the policy of a session over."""
    call.policy_session(1).restart_policy()
    return DONE


def _salt(chip: Chip, call: Call, secret: bytes) -> bytes:
    if call.handles[0] == Rh.NULL:
        if secret:
            raise refusal.parameter(Rc.VALUE, _SECRET)
        return b""
    key = call.object(_TPM_KEY)
    if key.public.type not in ASYMMETRIC:
        raise refusal.handle(Rc.KEY, _TPM_KEY)
    if not secret:
        raise refusal.parameter(Rc.VALUE, _SECRET)
    if key.sensitive is None:
        raise refusal.handle(Rc.HANDLE, _TPM_KEY)
    if not key.has(ObjectAttributes.DECRYPT):
        raise refusal.handle(Rc.ATTRIBUTES, _TPM_KEY)
    try:
        return decrypt_secret(chip, key, secret, SALT)
    except (TpmFormatError, ValueError) as wrong:
        raise refusal.parameter(Rc.VALUE, _SECRET) from wrong


def _bound_to(call: Call) -> Entity | None:
    """Return what the session's key is bound to, None for the NULL handle."""
    entity = call.found[_BIND - 1]
    if isinstance(entity, Session | Sequence):
        raise refusal.handle(Rc.HANDLE, _BIND)
    if isinstance(entity, TpmObject) and entity.sensitive is None:  # its authorization value is not known here
        raise refusal.handle(Rc.HANDLE, _BIND)
    if isinstance(entity, Hierarchy) and entity.handle is Rh.NULL:
        return None
    return entity


def _new_handle(chip: Chip, kind: SessionKind) -> int:
    loaded, saved = chip.volatile.sessions, chip.volatile.reset.saved_sessions
    if len(loaded) >= chip.profile.loaded_sessions:
        raise Refused(Rc.SESSION_MEMORY)
    if len(loaded) + len(saved) >= MAX_SESSIONS:
        raise Refused(Rc.SESSION_HANDLES)
    # The numbers are shared: HMAC and policy sessions never differ in the first byte alone (Part 1, section 15.4).
    taken = {handle_number(handle) for handle in (*loaded, *saved)}
    first = HandleType.HMAC_SESSION if kind is SessionKind.HMAC else HandleType.POLICY_SESSION
    return first.first | free_handle(taken, 0)
