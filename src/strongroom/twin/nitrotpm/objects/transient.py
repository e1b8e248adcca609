# SPDX-License-Identifier: Apache-2.0
"""The transient objects: there is room for so many, and each has a handle until it is flushed."""

from __future__ import annotations

from strongroom.formats.tpm.handles import HandleType
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.crypto.keys import forget_private_key
from strongroom.twin.nitrotpm.lookup import free_handle
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import Loaded, TpmObject


def check_room(chip: Chip) -> None:
    """Raise Refused (OBJECT_MEMORY) where no object fits in any more."""
    if len(chip.volatile.objects) >= chip.profile.loaded_objects:
        raise Refused(Rc.OBJECT_MEMORY)


def add(chip: Chip, loaded: Loaded) -> int:
    """Put an object in, and return its handle. Raises Refused (OBJECT_MEMORY)."""
    check_room(chip)
    handle = free_handle(chip.volatile.objects, HandleType.TRANSIENT.first)
    chip.volatile.objects[handle] = loaded
    return handle


def remove(chip: Chip, handle: int) -> None:
    """Flush an object, and what was kept to use it faster. Raises KeyError where there is none."""
    flushed = chip.volatile.objects.pop(handle)
    if isinstance(flushed, TpmObject):
        forget_private_key(chip, flushed)
