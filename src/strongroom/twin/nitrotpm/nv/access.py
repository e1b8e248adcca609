# SPDX-License-Identifier: Apache-2.0
"""Whether an NV index may be read or written by whoever authorized that (Part 3, section 31.1)."""

from __future__ import annotations

from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.entities import NvIndex

_READERS = {Rh.OWNER: NvAttributes.OWNER_READ, Rh.PLATFORM: NvAttributes.PP_READ}
_WRITERS = {Rh.OWNER: NvAttributes.OWNER_WRITE, Rh.PLATFORM: NvAttributes.PP_WRITE}


def check_read(index: NvIndex, *, by: int) -> None:
    """Raise Refused where the index is locked, not for whoever authorizes (`by`, a handle), or never written."""
    if index.public.has(NvAttributes.READ_LOCKED):
        raise Refused(Rc.NV_LOCKED)
    _check_authority(index, by, _READERS)
    if not index.is_written:
        raise Refused(Rc.NV_UNINITIALIZED)


def check_write(index: NvIndex, *, by: int) -> None:
    """Raise Refused where the index is locked, or not for whoever authorizes (`by`, a handle)."""
    if index.public.has(NvAttributes.WRITE_LOCKED):
        raise Refused(Rc.NV_LOCKED)
    _check_authority(index, by, _WRITERS)


def _check_authority(index: NvIndex, by: int, allowed: dict[Rh, NvAttributes]) -> None:
    # An index authorizes only itself, and that its attributes admit this was found with the authorization.
    admitted = index.public.has(allowed[Rh(by)]) if by in allowed else by == index.public.index
    if not admitted:
        raise Refused(Rc.NV_AUTHORIZATION)
