# SPDX-License-Identifier: Apache-2.0
"""The attacks, in the order of their ids. A new one is a `Row` in one of these modules, or in a module of its own."""

from __future__ import annotations

from strongroom.twin.attack.arena import Arena
from strongroom.twin.attack.engine import expect_distinct
from strongroom.twin.attack.row import Row
from strongroom.twin.attack.rows import agent_inputs, boot_inputs, hostile_nv, interrupt, kexec, programs

_MODULES = (boot_inputs, programs, kexec, agent_inputs, hostile_nv, interrupt)


def _by_id(row: Row[Arena]) -> tuple[str, int]:
    return row.attack[0], int(row.attack[1:])


ROWS: tuple[Row[Arena], ...] = tuple(sorted((row for module in _MODULES for row in module.ROWS), key=_by_id))
"""Everything that is played against an image."""
expect_distinct(ROWS)
