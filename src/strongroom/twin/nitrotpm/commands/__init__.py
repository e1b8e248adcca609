# SPDX-License-Identifier: Apache-2.0
"""The commands, a file for each family as Part 3 has chapters. Importing this registers them all."""

from __future__ import annotations

from strongroom.twin.nitrotpm.commands import (
    context,
    creating,
    eviction,
    loading,
    nitro,
    objects,
    policy_authorize,
    policy_hashes,
    policy_signed,
    policy_simple,
    policy_values,
    primary,
    random_numbers,
    sessions,
    startup,
)
from strongroom.twin.nitrotpm.registry import COMMANDS

__all__ = [
    "COMMANDS",
    "context",
    "creating",
    "eviction",
    "loading",
    "nitro",
    "objects",
    "policy_authorize",
    "policy_hashes",
    "policy_signed",
    "policy_simple",
    "policy_values",
    "primary",
    "random_numbers",
    "sessions",
    "startup",
]
