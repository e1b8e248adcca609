# SPDX-License-Identifier: Apache-2.0
"""NV indices as a whole: there is room for so many, and counters never begin below one that is gone."""

from __future__ import annotations

from strongroom.formats.tpm.attributes import NvAttributes, NvType
from strongroom.twin.nitrotpm.nv.attributes import with_attributes
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import NvIndex

ORDERLY_COUNT = 255
"""TPM_PT_ORDERLY_COUNT: as many increments of an orderly counter may pass before it is kept."""


def is_counter(nv_index: NvIndex) -> bool:
    """Say whether it counts."""
    return nv_index.public.nv_type == NvType.COUNTER


def remove_index(chip: Chip, handle: int) -> None:
    """Remove an index for good, and remember how far it counted (Part 3, section 31.8)."""
    removed = chip.permanent.nv.pop(handle)
    if is_counter(removed) and removed.is_written:
        chip.permanent.max_count = max(chip.permanent.max_count, int.from_bytes(removed.data))
    chip.changed = True


def remove_owned_indices(chip: Chip) -> None:
    """Remove every index that the platform did not define."""
    for handle, nv_index in list(chip.permanent.nv.items()):
        if not nv_index.public.has(NvAttributes.PLATFORM_CREATE):
            remove_index(chip, handle)


def first_count(chip: Chip) -> int:
    """Return what a new counter begins from: no counter that is gone ever counted further."""
    return chip.permanent.max_count


def store(chip: Chip, nv_index: NvIndex, data: bytes, offset: int = 0) -> None:
    """Write to an index. What is orderly is kept at the next shutdown only, and counters now and then."""
    first = not nv_index.is_written
    nv_index.data[offset : offset + len(data)] = data
    nv_index.public = with_attributes(nv_index.public, add=NvAttributes.WRITTEN)
    if not nv_index.public.has(NvAttributes.ORDERLY):
        chip.changed = True
        return
    chip.void_shutdown()
    if is_counter(nv_index) and (first or not int.from_bytes(nv_index.data) & ORDERLY_COUNT):
        chip.changed = True
