# SPDX-License-Identifier: Apache-2.0
"""PCRs as an option lists them."""

from __future__ import annotations

from strongroom.errors import UsageError
from strongroom.formats.pcrs import PcrIndex
from strongroom.formats.tpm.handles import PCR_COUNT


def read_pcr_list(listed: str) -> tuple[PcrIndex, ...]:
    """Return PCRs that are written as `2,4,7`, ascending and each once. Raises UsageError."""
    parts = listed.split(",")
    if not all(part.isascii() and part.isdigit() and int(part) < PCR_COUNT for part in parts):
        raise UsageError("tpm.pcr-list", f"expected PCRs such as 2,4,7,12,13, found {listed!r}")
    return tuple(sorted({PcrIndex(int(part)) for part in parts}))
