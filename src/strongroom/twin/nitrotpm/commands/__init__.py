# SPDX-License-Identifier: Apache-2.0
"""The commands, a file for each family as Part 3 has chapters. Importing this registers them all."""

from __future__ import annotations

from strongroom.twin.nitrotpm.commands import (
    nitro,
    policy_authorize,
    policy_hashes,
    policy_signed,
    policy_simple,
    policy_values,
    random_numbers,
    sessions,
    startup,
)
from strongroom.twin.nitrotpm.registry import COMMANDS

__all__ = [
    "COMMANDS",
    "nitro",
    "policy_authorize",
    "policy_hashes",
    "policy_signed",
    "policy_simple",
    "policy_values",
    "random_numbers",
    "sessions",
    "startup",
]
