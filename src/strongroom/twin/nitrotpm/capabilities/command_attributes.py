# SPDX-License-Identifier: Apache-2.0
"""TPMA_CC: what a caller has to know of a command before sending it (Part 2, section 8.9)."""

from __future__ import annotations

from strongroom.formats.tpm.command_codes import VENDOR_BIT
from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.registry import COMMANDS, CommandSpec, Trait

_INDEX = 0xFFFF
_HANDLES_SHIFT = 25
_BITS = {Trait.NV: 1 << 22, Trait.EXTENSIVE: 1 << 23, Trait.FLUSHES: 1 << 24, Trait.RETURNS_HANDLE: 1 << 28}


def listed_commands(profile: Profile) -> dict[int, CommandSpec]:
    """Return the commands that TPM_CAP_COMMANDS lists, by code.

    Linux counts them against TPM_PT_TOTAL_COMMANDS and gives the TPM up where the two differ (tpm2_get_cc_attrs_tbl).
    """
    return {code: spec for code, spec in sorted(COMMANDS.items()) if code < VENDOR_BIT or profile.lists_vendor_command}


def command_attributes(spec: CommandSpec) -> int:
    """Return TPMA_CC of a command."""
    handles = len(spec.handles) << _HANDLES_SHIFT
    traits = sum(bit for trait, bit in _BITS.items() if trait in spec.traits)
    return spec.code & (_INDEX | VENDOR_BIT) | handles | traits
