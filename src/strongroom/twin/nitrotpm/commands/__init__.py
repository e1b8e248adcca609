# SPDX-License-Identifier: Apache-2.0
"""The commands, a file for each family as Part 3 has chapters. Importing this registers them all."""

from __future__ import annotations

from strongroom.twin.nitrotpm.commands import (
    algorithm_parameters,
    capability,
    clock,
    hashing,
    hierarchy,
    lockout,
    nv_access,
    nv_define,
    pcr,
    random_numbers,
    sequences,
    sessions,
    startup,
)
from strongroom.twin.nitrotpm.registry import COMMANDS

__all__ = [
    "COMMANDS",
    "algorithm_parameters",
    "capability",
    "clock",
    "hashing",
    "hierarchy",
    "lockout",
    "nv_access",
    "nv_define",
    "pcr",
    "random_numbers",
    "sequences",
    "sessions",
    "startup",
]
