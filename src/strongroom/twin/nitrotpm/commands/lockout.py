# SPDX-License-Identifier: Apache-2.0
"""Dictionary attack protection: its parameters, and forgiving failures (Part 3, section 25)."""

from __future__ import annotations

from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.parameters import U32
from strongroom.twin.nitrotpm.registry import DONE, Reply, Trait, command, permanent
from strongroom.twin.nitrotpm.state.chip import Chip

_LOCKOUT = permanent(Rh.LOCKOUT)


@command(Cc.DICTIONARY_ATTACK_LOCK_RESET, handles=(_LOCKOUT.authorized(),), traits=Trait.NV)
def dictionary_attack_lock_reset(chip: Chip, _call: Call) -> Reply:
    """Forget all failures."""
    chip.permanent.lockout.reset()
    chip.changed = True
    return DONE


@command(Cc.DICTIONARY_ATTACK_PARAMETERS, U32, U32, U32, handles=(_LOCKOUT.authorized(),), traits=Trait.NV)
def dictionary_attack_parameters(
    chip: Chip, _call: Call, tries_allowed: int, recovery_s: int, authority_recovery_s: int
) -> Reply:
    """Set how many failures there may be, and after how many seconds one is forgiven."""
    lockout = chip.permanent.lockout
    lockout.tries_allowed, lockout.recovery_s = tries_allowed, recovery_s
    lockout.authority_recovery_s = authority_recovery_s
    chip.changed = True
    return DONE
