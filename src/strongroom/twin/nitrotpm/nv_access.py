# SPDX-License-Identifier: Apache-2.0
"""Whether who authorized may read or write an NV index, and whether it is open to that now (Part 1, section 37.2).

Authorization itself was checked before: that an index admits its own authorization value or policy for what a command
does is in `availability`. Here is the rest.
"""

from __future__ import annotations

from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.entities import NvIndex
from strongroom.twin.nitrotpm.refusal import Refused

_READERS = {Rh.OWNER: NvAttributes.OWNER_READ, Rh.PLATFORM: NvAttributes.PP_READ}
_WRITERS = {Rh.OWNER: NvAttributes.OWNER_WRITE, Rh.PLATFORM: NvAttributes.PP_WRITE}


def check_readable(nv_index: NvIndex, by: int) -> None:
    """Raise Refused where the entity with the handle `by` may not read, or nobody may, or nothing was written yet."""
    if nv_index.public.has(NvAttributes.READ_LOCKED):
        raise Refused(Rc.NV_LOCKED)
    _check_entity(nv_index, by, _READERS)
    if not nv_index.is_written:
        raise Refused(Rc.NV_UNINITIALIZED)


def check_writable(nv_index: NvIndex, by: int) -> None:
    """Raise Refused where the entity with the handle `by` may not write, or nobody may."""
    _check_entity(nv_index, by, _WRITERS)
    if nv_index.public.has(NvAttributes.WRITE_LOCKED):
        raise Refused(Rc.NV_LOCKED)


def _check_entity(nv_index: NvIndex, by: int, admitted: dict[Rh, NvAttributes]) -> None:
    """Refuse another index; an index authorizes for itself, and a hierarchy where an attribute says so."""
    attribute = {int(hierarchy): needed for hierarchy, needed in admitted.items()}.get(by)
    allowed = by == nv_index.public.index if attribute is None else nv_index.public.has(attribute)
    if not allowed:
        raise Refused(Rc.NV_AUTHORIZATION)
