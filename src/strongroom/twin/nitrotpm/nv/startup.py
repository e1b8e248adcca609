# SPDX-License-Identifier: Apache-2.0
"""What a start does to NV indices: some locks open, and what only lived with power is gone (Part 1, section 37.2)."""

from __future__ import annotations

from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.twin.nitrotpm.nv.attributes import with_attributes
from strongroom.twin.nitrotpm.nv.memory import ORDERLY_COUNT, is_counter
from strongroom.twin.nitrotpm.state.chip import Chip


def unlock_all(chip: Chip) -> None:
    """Open the locks that hold until the next start, unless that is a resume."""
    for nv_index in chip.permanent.nv.values():
        public = nv_index.public
        remove = NvAttributes.READ_LOCKED
        if not (public.has(NvAttributes.WRITE_DEFINE) and public.has(NvAttributes.WRITTEN)):
            remove |= NvAttributes.WRITE_LOCKED
        if public.has(NvAttributes.CLEAR_ST_CLEAR):
            remove |= NvAttributes.WRITTEN
        nv_index.public = with_attributes(public, remove=remove)


def lose_orderly_data(chip: Chip) -> None:
    """Forget what orderly indices hold, but for counters: they last from one TPM Reset to the next."""
    for nv_index in chip.permanent.nv.values():
        if nv_index.public.has(NvAttributes.ORDERLY) and not is_counter(nv_index):
            nv_index.public = with_attributes(nv_index.public, remove=NvAttributes.WRITTEN)


def skip_lost_counts(chip: Chip) -> None:
    """Let orderly counters jump over whatever they may have reached before power was lost without a shutdown."""
    for nv_index in chip.permanent.nv.values():
        if nv_index.public.has(NvAttributes.ORDERLY) and is_counter(nv_index):
            count = int.from_bytes(nv_index.data) | ORDERLY_COUNT
            nv_index.data[:] = count.to_bytes(len(nv_index.data))
