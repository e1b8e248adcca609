# SPDX-License-Identifier: Apache-2.0
"""Hierarchies: their authorization, switching them off, and taking the TPM over (Part 3, section 24)."""

from __future__ import annotations

import secrets

from strongroom.crypto.tpm import without_trailing_zeros
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.nv.memory import remove_owned_indices
from strongroom.twin.nitrotpm.parameters import AUTH, DIGEST, HASH_OR_NULL, YES_NO
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import DONE, HIERARCHY_AUTH, Parameter, Reply, Trait, command, permanent
from strongroom.twin.nitrotpm.state.chip import PROOF_BYTES, SEED_BYTES, Chip
from strongroom.twin.nitrotpm.state.entities import NO_POLICY, AuthPolicy, Hierarchy
from strongroom.twin.nitrotpm.state.lockout import Lockout
from strongroom.twin.nitrotpm.state.objects import TpmObject

_BASE_HIERARCHY = permanent(Rh.OWNER, Rh.ENDORSEMENT, Rh.PLATFORM)
_CLEAR_AUTH = permanent(Rh.LOCKOUT, Rh.PLATFORM)
_PLATFORM = permanent(Rh.PLATFORM)
_SWITCHES = (Rh.OWNER, Rh.ENDORSEMENT, Rh.PLATFORM, Rh.PLATFORM_NV)


def _switch(reader: Reader) -> Rh:
    """Take TPMI_RH_ENABLES off."""
    found = reader.u32("what to enable")
    if found not in _SWITCHES:
        raise reader.refused(Rc.VALUE, f"expected a hierarchy or TPM_RH_PLATFORM_NV, found {found:#010x}")
    return Rh(found)


@command(Cc.HIERARCHY_CHANGE_AUTH, AUTH, handles=(HIERARCHY_AUTH.authorized(),), traits=Trait.NV)
def hierarchy_change_auth(chip: Chip, call: Call, auth: bytes) -> Reply:
    """Give a hierarchy, or the lockout authority, another authorization value."""
    hierarchy = call.hierarchy(1)
    hierarchy.auth = without_trailing_zeros(auth)
    _changed(chip, hierarchy)
    return DONE


@command(Cc.SET_PRIMARY_POLICY, DIGEST, HASH_OR_NULL, handles=(HIERARCHY_AUTH.authorized(),), traits=Trait.NV)
def set_primary_policy(chip: Chip, call: Call, policy: bytes, algorithm: Alg) -> Reply:
    """Give a hierarchy, or the lockout authority, a policy, or none (NULL)."""
    if len(policy) != HASH_BYTES.get(algorithm, 0):
        raise refusal.parameter(Rc.SIZE, 1)
    hierarchy = call.hierarchy(1)
    hierarchy.policy = AuthPolicy(algorithm, policy)
    _changed(chip, hierarchy)
    return DONE


def _changed(chip: Chip, hierarchy: Hierarchy) -> None:
    chip.changed = True
    if hierarchy.handle is Rh.PLATFORM:  # lasts until the next start, so Shutdown(STATE) had it
        chip.void_shutdown()


@command(
    Cc.HIERARCHY_CONTROL,
    Parameter(_switch),
    YES_NO,
    handles=(_BASE_HIERARCHY.authorized(),),
    traits=Trait.NV | Trait.EXTENSIVE,
)
def hierarchy_control(chip: Chip, call: Call, switch: Rh, on: bool) -> Reply:
    """Switch a hierarchy off until the next start, or on again: the platform may do both."""
    by = call.handles[0]
    if by not in {Rh.PLATFORM, switch}:
        raise Refused(Rc.AUTH_TYPE)
    if switch is Rh.PLATFORM_NV:
        if chip.volatile.platform_nv_enabled != on:
            chip.volatile.platform_nv_enabled = on
            chip.void_shutdown()
        return DONE
    hierarchy = chip.hierarchies[switch]
    if hierarchy.enabled != on:
        hierarchy.enabled = on
        chip.void_shutdown()
        chip.changed = True
        if not on:
            _flush(chip, switch)
    return DONE


@command(Cc.CLEAR, handles=(_CLEAR_AUTH.authorized(),), traits=Trait.NV | Trait.EXTENSIVE)
def clear(chip: Chip, _call: Call) -> Reply:
    """Make the TPM nobody's: the owner's seed is another, and all that hung on owner and endorsement is gone."""
    lasting = chip.permanent
    if lasting.clear_disabled:
        raise Refused(Rc.DISABLED)
    lasting.owner.seed = secrets.token_bytes(SEED_BYTES)
    for hierarchy in (lasting.owner, lasting.endorsement):
        hierarchy.proof = secrets.token_bytes(PROOF_BYTES)
        hierarchy.enabled = True
        _flush(chip, hierarchy.handle)
        _remove_persistent(chip, hierarchy.handle)
    for hierarchy in (lasting.owner, lasting.endorsement, lasting.lockout_authority):
        hierarchy.auth, hierarchy.policy = b"", NO_POLICY
    remove_owned_indices(chip)
    lasting.lockout = Lockout()
    lasting.reset_count = chip.volatile.reset.restart_count = chip.volatile.reset.clear_count = 0
    chip.set_clock(0)
    chip.void_shutdown()
    chip.changed = True
    return DONE


@command(Cc.CLEAR_CONTROL, YES_NO, handles=(_CLEAR_AUTH.authorized(),), traits=Trait.NV)
def clear_control(chip: Chip, call: Call, disable: bool) -> Reply:
    """Forbid Clear, or allow it again, which only the platform may."""
    if call.handles[0] == Rh.LOCKOUT and not disable:
        raise Refused(Rc.AUTH_FAIL)
    chip.permanent.clear_disabled = disable
    chip.changed = True
    return DONE


@command(Cc.CHANGE_EPS, handles=(_PLATFORM.authorized(),), traits=Trait.NV | Trait.EXTENSIVE)
def change_eps(chip: Chip, _call: Call) -> Reply:
    """Give the endorsement hierarchy another seed: certificates of its keys are worth nothing from now on."""
    endorsement = chip.permanent.endorsement
    endorsement.auth = b""
    endorsement.enabled = True
    _renew(chip, endorsement)
    return DONE


@command(Cc.CHANGE_PPS, handles=(_PLATFORM.authorized(),), traits=Trait.NV | Trait.EXTENSIVE)
def change_pps(chip: Chip, _call: Call) -> Reply:
    """Give the platform hierarchy another seed."""
    _renew(chip, chip.permanent.platform)
    return DONE


def _renew(chip: Chip, hierarchy: Hierarchy) -> None:
    hierarchy.seed, hierarchy.proof = secrets.token_bytes(SEED_BYTES), secrets.token_bytes(PROOF_BYTES)
    hierarchy.policy = NO_POLICY
    _flush(chip, hierarchy.handle)
    _remove_persistent(chip, hierarchy.handle)
    chip.void_shutdown()
    chip.changed = True


def _flush(chip: Chip, hierarchy: Rh) -> None:
    """Remove the loaded objects of a hierarchy."""
    loaded = chip.volatile.objects
    for handle, found in list(loaded.items()):
        if isinstance(found, TpmObject) and found.hierarchy is hierarchy:
            del loaded[handle]


def _remove_persistent(chip: Chip, hierarchy: Rh) -> None:
    kept = chip.permanent.objects
    for handle, found in list(kept.items()):
        if found.hierarchy is hierarchy:
            del kept[handle]
