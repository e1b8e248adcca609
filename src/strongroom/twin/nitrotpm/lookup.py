# SPDX-License-Identifier: Apache-2.0
"""From a handle to what is there (Part 3, section 5.3: the checks of the handle area)."""

from __future__ import annotations

from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.formats.tpm.handles import PCR_COUNT, HandleType, handle_number, handle_type
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.profile import MAX_SESSIONS
from strongroom.twin.nitrotpm.refusal import Refused, handle
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import PCRS, Hierarchy, NvIndex, Pcr
from strongroom.twin.nitrotpm.state.objects import Loaded, TpmObject
from strongroom.twin.nitrotpm.state.sessions import Session

Found = Hierarchy | Pcr | NvIndex | Loaded | Session
"""What a handle can lead to."""


def find(chip: Chip, wanted: int, number: int) -> Found:
    """Return what is under a handle, the `number`th of its command. Raises Refused where there is nothing."""
    if wanted < PCR_COUNT:
        return PCRS[wanted]
    kind = handle_type(wanted)
    if kind == HandleType.PERMANENT:
        return _hierarchy(chip, wanted, number)
    if kind == HandleType.NV_INDEX:
        return _nv_index(chip, wanted, number)
    if kind == HandleType.PERSISTENT:
        return _persistent(chip, wanted, number)
    table: dict[int, Loaded] | dict[int, Session] = chip.volatile.sessions
    most = MAX_SESSIONS
    if kind == HandleType.TRANSIENT:
        table, most = chip.volatile.objects, chip.profile.loaded_objects
    if handle_number(wanted) >= most:  # no handle that this TPM ever gives out
        raise handle(Rc.VALUE, number)
    found = table.get(wanted)
    if found is None:
        raise Refused(Rc.REFERENCE_H0 + number - 1)
    return found


def _hierarchy(chip: Chip, wanted: int, number: int) -> Hierarchy:
    found = chip.hierarchies.get(wanted)
    if found is None:
        raise handle(Rc.VALUE, number)
    if not found.enabled:
        raise handle(Rc.HIERARCHY, number)
    return found


def _nv_index(chip: Chip, wanted: int, number: int) -> NvIndex:
    found = chip.permanent.nv.get(wanted)
    if found is None:
        raise handle(Rc.HANDLE, number)
    by_platform = found.public.has(NvAttributes.PLATFORM_CREATE)
    if not (chip.volatile.platform_nv_enabled if by_platform else chip.permanent.owner.enabled):
        raise handle(Rc.HANDLE, number)
    return found


def _persistent(chip: Chip, wanted: int, number: int) -> TpmObject:
    found = chip.permanent.objects.get(wanted)
    if found is None or not chip.hierarchies[found.hierarchy].enabled:
        raise handle(Rc.HANDLE, number)
    return found


def free_handle(taken: dict[int, Loaded] | dict[int, Session] | set[int], first: int) -> int:
    """Return the lowest handle of a kind that is not taken."""
    handle_ = first
    while handle_ in taken:
        handle_ += 1
    return handle_
