# SPDX-License-Identifier: Apache-2.0
"""The handles of a kind that lead to something (Part 3, section 30.2, TPM_CAP_HANDLES)."""

from __future__ import annotations

from collections.abc import Iterable

from strongroom.formats.tpm.handles import PCR_COUNT, HandleType, Rh, handle_number
from strongroom.twin.nitrotpm.state.chip import Chip


def handles_of(chip: Chip, kind: HandleType, first: int) -> Iterable[int]:
    """Return the handles of a kind.

    Sessions are found by their number, which HMAC and policy sessions share: under one kind all that are loaded, under
    the other all that are saved, with the handle of an HMAC session.
    """
    volatile, permanent = chip.volatile, chip.permanent
    number = handle_number(first)
    if kind is HandleType.HMAC_SESSION:
        return (handle for handle in volatile.sessions if handle_number(handle) >= number)
    if kind is HandleType.POLICY_SESSION:
        saved = (handle_number(handle) for handle in volatile.reset.saved_sessions)
        return (HandleType.HMAC_SESSION.first | each for each in saved if each >= number)
    tables: dict[HandleType, Iterable[int]] = {
        HandleType.PCR: range(PCR_COUNT),
        HandleType.NV_INDEX: permanent.nv,
        HandleType.PERMANENT: Rh,
        HandleType.TRANSIENT: volatile.objects,
        HandleType.PERSISTENT: permanent.objects,
    }
    return tables[kind]
