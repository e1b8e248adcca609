# SPDX-License-Identifier: Apache-2.0
"""What the TPM says about itself in numbers: TPM_PT (Part 2, section 6.13), in the order that callers page through."""

from __future__ import annotations

from collections.abc import Mapping

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.capabilities import Property
from strongroom.formats.tpm.command_codes import VENDOR_BIT
from strongroom.formats.tpm.frame import MAX_FRAME_BYTES
from strongroom.formats.tpm.handles import PCR_COUNT
from strongroom.formats.tpm.pcr_selection import SELECT_BYTES
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES
from strongroom.twin.nitrotpm.crypto.keys import CURVES
from strongroom.twin.nitrotpm.nv.memory import ORDERLY_COUNT, is_counter
from strongroom.twin.nitrotpm.parameters import MAX_BUFFER_BYTES
from strongroom.twin.nitrotpm.profile import CONTEXT_HASH, CONTEXT_KEY_BITS, MAX_SESSIONS, Profile
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.context_blob import MAX_SESSION_CONTEXT_BYTES
from strongroom.twin.nitrotpm.state.powered_time import UPDATE_MS

_FAMILY = int.from_bytes(b"2.0\0")
_REVISION, _DAY, _YEAR = 159, 312, 2019
"""TCG TPM 2.0 Library 1.59, of 8 November 2019."""
_PC_REVISION, _PC_DAY, _PC_YEAR = 105, 247, 2020
"""TCG PC Client Platform TPM Profile 1.05, of 4 September 2020."""
_CONTEXT_GAP = 0xFFFF
_OBJECT_CONTEXT_BYTES = 0xA84
_SPLIT_MAX = 128
_SHARED_NV, _COPIES_TO_RAM = 1 << 1, 1 << 2
_OWNER_AUTH, _ENDORSEMENT_AUTH, _LOCKOUT_AUTH = 1, 2, 4
_CLEAR_DISABLED, _IN_LOCKOUT, _OWN_EPS = 1 << 8, 1 << 9, 1 << 10
_PLATFORM, _OWNER, _ENDORSEMENT, _PLATFORM_NV, _ORDERLY = 1, 2, 4, 8, 1 << 31


def fixed_properties(profile: Profile, commands: Mapping[int, object]) -> dict[int, int]:
    """Return PT_FIXED: what stays as it is. `commands`: those that TPM_CAP_COMMANDS lists."""
    vendor = [int.from_bytes(profile.vendor.encode().ljust(16, b"\0")[at : at + 4]) for at in range(0, 16, 4)]
    own = sum(code >= VENDOR_BIT for code in commands)
    return {
        Property.FAMILY_INDICATOR: _FAMILY,
        Property.LEVEL: 0,
        Property.REVISION: _REVISION,
        Property.DAY_OF_YEAR: _DAY,
        Property.YEAR: _YEAR,
        Property.MANUFACTURER: int.from_bytes(profile.manufacturer.encode().ljust(4, b"\0")),
        **dict(enumerate(vendor, start=Property.VENDOR_STRING_1)),
        Property.VENDOR_TPM_TYPE: 1,  # kind of TPM, by the vendor's own count
        Property.FIRMWARE_VERSION_1: profile.firmware_version >> 32,
        Property.FIRMWARE_VERSION_2: profile.firmware_version & 0xFFFFFFFF,
        Property.INPUT_BUFFER: MAX_BUFFER_BYTES,
        Property.HR_TRANSIENT_MIN: profile.loaded_objects,
        Property.HR_PERSISTENT_MIN: profile.persistent_objects,
        Property.HR_LOADED_MIN: profile.loaded_sessions,
        Property.ACTIVE_SESSIONS_MAX: MAX_SESSIONS,
        Property.PCR_COUNT: PCR_COUNT,
        Property.PCR_SELECT_MIN: SELECT_BYTES,
        Property.CONTEXT_GAP_MAX: _CONTEXT_GAP,
        Property.NV_COUNTERS_MAX: 0,  # no other limit than the number of indices
        Property.NV_INDEX_MAX: profile.nv_index_bytes,
        Property.MEMORY: _SHARED_NV | _COPIES_TO_RAM,
        Property.CLOCK_UPDATE: UPDATE_MS,
        Property.CONTEXT_HASH: CONTEXT_HASH,
        Property.CONTEXT_SYM: Alg.AES,
        Property.CONTEXT_SYM_SIZE: CONTEXT_KEY_BITS,
        Property.ORDERLY_COUNT: ORDERLY_COUNT,
        Property.MAX_COMMAND_SIZE: MAX_FRAME_BYTES,
        Property.MAX_RESPONSE_SIZE: MAX_FRAME_BYTES,
        Property.MAX_DIGEST: MAX_DIGEST_BYTES,
        Property.MAX_OBJECT_CONTEXT: _OBJECT_CONTEXT_BYTES,
        Property.MAX_SESSION_CONTEXT: MAX_SESSION_CONTEXT_BYTES,
        Property.PS_FAMILY_INDICATOR: _FAMILY,
        Property.PS_LEVEL: 0,
        Property.PS_REVISION: _PC_REVISION,
        Property.PS_DAY_OF_YEAR: _PC_DAY,
        Property.PS_YEAR: _PC_YEAR,
        Property.SPLIT_MAX: _SPLIT_MAX,
        Property.TOTAL_COMMANDS: len(commands),
        Property.LIBRARY_COMMANDS: len(commands) - own,
        Property.VENDOR_COMMANDS: own,
        Property.NV_BUFFER_MAX: profile.nv_buffer_bytes,
        Property.MODES: 0,
        Property.MAX_CAP_BUFFER: MAX_BUFFER_BYTES,
    }


def variable_properties(chip: Chip) -> dict[int, int]:
    """Return PT_VAR: what changes with use."""
    permanent, volatile, profile = chip.permanent, chip.volatile, chip.profile
    lockout = permanent.lockout
    lockout.heal(chip.time_ms())
    active = len(volatile.sessions) + len(volatile.reset.saved_sessions)
    return {
        Property.PERMANENT: _permanent_attributes(chip),
        Property.STARTUP_CLEAR: _startup_attributes(chip),
        Property.HR_NV_INDEX: len(permanent.nv),
        Property.HR_LOADED: len(volatile.sessions),
        Property.HR_LOADED_AVAIL: profile.loaded_sessions - len(volatile.sessions),
        Property.HR_ACTIVE: active,
        Property.HR_ACTIVE_AVAIL: MAX_SESSIONS - active,
        Property.HR_TRANSIENT_AVAIL: profile.loaded_objects - len(volatile.objects),
        Property.HR_PERSISTENT: len(permanent.objects),
        Property.HR_PERSISTENT_AVAIL: profile.persistent_objects - len(permanent.objects),
        Property.NV_COUNTERS: sum(is_counter(each) for each in permanent.nv.values()),
        Property.NV_COUNTERS_AVAIL: profile.nv_indices - len(permanent.nv),
        Property.ALGORITHM_SET: 0,
        Property.LOADED_CURVES: len(CURVES),
        Property.LOCKOUT_COUNTER: lockout.failures,
        Property.MAX_AUTH_FAIL: lockout.tries_allowed,
        Property.LOCKOUT_INTERVAL: lockout.recovery_s,
        Property.LOCKOUT_RECOVERY: lockout.authority_recovery_s,
        Property.NV_WRITE_RECOVERY: 0,  # written whenever that is wanted
        Property.AUDIT_COUNTER_0: 0,  # no command is audited
        Property.AUDIT_COUNTER_1: 0,
    }


def _permanent_attributes(chip: Chip) -> int:
    """Return TPMA_PERMANENT (Part 2, section 8.6)."""
    permanent = chip.permanent
    return (
        _OWNER_AUTH * bool(permanent.owner.auth)
        | _ENDORSEMENT_AUTH * bool(permanent.endorsement.auth)
        | _LOCKOUT_AUTH * bool(permanent.lockout_authority.auth)
        | _CLEAR_DISABLED * permanent.clear_disabled
        | _IN_LOCKOUT * permanent.lockout.is_locked
        | _OWN_EPS
    )


def _startup_attributes(chip: Chip) -> int:
    """Return TPMA_STARTUP_CLEAR (Part 2, section 8.7)."""
    permanent, volatile = chip.permanent, chip.volatile
    return (
        _PLATFORM * permanent.platform.enabled
        | _OWNER * permanent.owner.enabled
        | _ENDORSEMENT * permanent.endorsement.enabled
        | _PLATFORM_NV * volatile.platform_nv_enabled
        | _ORDERLY * volatile.was_orderly
    )
