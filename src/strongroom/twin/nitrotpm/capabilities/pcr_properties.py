# SPDX-License-Identifier: Apache-2.0
"""TPM_PT_PCR: what may be done with which PCR, as bit masks (Part 2, section 6.14)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from strongroom.formats.tpm.handles import PCR_COUNT
from strongroom.formats.tpm.pcr_selection import SELECT_BYTES
from strongroom.formats.tpm.wire import u8
from strongroom.twin.nitrotpm.profile import LOCALITIES
from strongroom.twin.nitrotpm.state.pcrs import DYNAMIC, EXTENDED_FROM, RESET_FROM, SAVED, UNCOUNTED


def _select(indices: Iterable[int]) -> bytes:
    mask = sum(1 << index for index in indices)
    return u8(SELECT_BYTES) + mask.to_bytes(SELECT_BYTES, "little")


def _extended(locality: int) -> Iterable[int]:
    return (index for index in range(PCR_COUNT) if locality in EXTENDED_FROM.get(index, LOCALITIES))


def _reset(locality: int) -> Iterable[int]:
    return (index for index, localities in RESET_FROM.items() if locality in localities)


PCR_PROPERTIES: Mapping[int, bytes] = {
    0x00: _select(SAVED),
    **{0x01 + 2 * locality: _select(_extended(locality)) for locality in LOCALITIES},
    **{0x02 + 2 * locality: _select(_reset(locality)) for locality in LOCALITIES},
    0x11: _select(UNCOUNTED),
    0x12: _select(DYNAMIC),
    0x13: _select(()),  # of an authorization policy
    0x14: _select(()),  # of an authorization value
}
"""By TPM_PT_PCR: TPMS_PCR_SELECT without the property in front."""
