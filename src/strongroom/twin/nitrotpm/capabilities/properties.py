# SPDX-License-Identifier: Apache-2.0
"""What the TPM says about itself in numbers: TPM_PT (Part 2, section 6.13), in the order that callers page through."""

from __future__ import annotations

from collections.abc import Mapping

from strongroom.formats.tpm.algorithms import Alg
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
from strongroom.twin.nitrotpm.state.powered_time import UPDATE_MS

_FAMILY = int.from_bytes(b"2.0\0")
_REVISION, _DAY, _YEAR = 159, 312, 2019
"""TCG TPM 2.0 Library 1.59, of 8 November 2019."""
_PC_REVISION, _PC_DAY, _PC_YEAR = 105, 247, 2020
"""TCG PC Client Platform TPM Profile 1.05, of 4 September 2020."""
_CONTEXT_GAP = 0xFFFF
_OBJECT_CONTEXT_BYTES = 0xA84
_SESSION_CONTEXT_BYTES = 0x194
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
        0x100: _FAMILY,
        0x101: 0,  # level
        0x102: _REVISION,
        0x103: _DAY,
        0x104: _YEAR,
        0x105: int.from_bytes(profile.manufacturer.encode().ljust(4, b"\0")),
        **dict(enumerate(vendor, start=0x106)),
        0x10A: 1,  # kind of TPM, by the vendor's own count
        0x10B: profile.firmware_version >> 32,
        0x10C: profile.firmware_version & 0xFFFFFFFF,
        0x10D: MAX_BUFFER_BYTES,
        0x10E: profile.loaded_objects,  # HR_TRANSIENT_MIN
        0x10F: profile.persistent_objects,  # HR_PERSISTENT_MIN
        0x110: profile.loaded_sessions,  # HR_LOADED_MIN
        0x111: MAX_SESSIONS,
        0x112: PCR_COUNT,
        0x113: SELECT_BYTES,
        0x114: _CONTEXT_GAP,
        0x116: 0,  # NV_COUNTERS_MAX: no other limit than the number of indices
        0x117: profile.nv_index_bytes,
        0x118: _SHARED_NV | _COPIES_TO_RAM,  # TPMA_MEMORY
        0x119: UPDATE_MS,
        0x11A: CONTEXT_HASH,
        0x11B: Alg.AES,
        0x11C: CONTEXT_KEY_BITS,
        0x11D: ORDERLY_COUNT,
        0x11E: MAX_FRAME_BYTES,
        0x11F: MAX_FRAME_BYTES,
        0x120: MAX_DIGEST_BYTES,
        0x121: _OBJECT_CONTEXT_BYTES,
        0x122: _SESSION_CONTEXT_BYTES,
        0x123: _FAMILY,
        0x124: 0,  # PS_LEVEL
        0x125: _PC_REVISION,
        0x126: _PC_DAY,
        0x127: _PC_YEAR,
        0x128: _SPLIT_MAX,
        0x129: len(commands),
        0x12A: len(commands) - own,
        0x12B: own,
        0x12C: profile.nv_buffer_bytes,
        0x12D: 0,  # TPMA_MODES
        0x12E: MAX_BUFFER_BYTES,  # MAX_CAP_BUFFER
    }


def variable_properties(chip: Chip) -> dict[int, int]:
    """Return PT_VAR: what changes with use."""
    permanent, volatile, profile = chip.permanent, chip.volatile, chip.profile
    lockout = permanent.lockout
    lockout.heal(chip.time_ms())
    active = len(volatile.sessions) + len(volatile.reset.saved_sessions)
    return {
        0x200: _permanent_attributes(chip),
        0x201: _startup_attributes(chip),
        0x202: len(permanent.nv),
        0x203: len(volatile.sessions),
        0x204: profile.loaded_sessions - len(volatile.sessions),
        0x205: active,
        0x206: MAX_SESSIONS - active,
        0x207: profile.loaded_objects - len(volatile.objects),
        0x208: len(permanent.objects),
        0x209: profile.persistent_objects - len(permanent.objects),
        0x20A: sum(is_counter(each) for each in permanent.nv.values()),
        0x20B: profile.nv_indices - len(permanent.nv),
        0x20C: 0,  # ALGORITHM_SET
        0x20D: len(CURVES),
        0x20E: lockout.failures,
        0x20F: lockout.tries_allowed,
        0x210: lockout.recovery_s,
        0x211: lockout.authority_recovery_s,
        0x212: 0,  # NV_WRITE_RECOVERY: written whenever that is wanted
        0x213: 0,  # AUDIT_COUNTER: no command is audited
        0x214: 0,
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
