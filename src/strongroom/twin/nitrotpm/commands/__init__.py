# SPDX-License-Identifier: Apache-2.0
"""The commands, a file for each family as Part 3 has chapters. Importing this registers them all."""

from __future__ import annotations

from strongroom.twin.nitrotpm.commands import (
    attestation,
    context,
    creating,
    eviction,
    loading,
    objects,
    primary,
    random_numbers,
    sessions,
    signing,
    startup,
)
from strongroom.twin.nitrotpm.registry import COMMANDS

__all__ = [
    "COMMANDS",
    "attestation",
    "context",
    "creating",
    "eviction",
    "loading",
    "objects",
    "primary",
    "random_numbers",
    "sessions",
    "signing",
    "startup",
]
