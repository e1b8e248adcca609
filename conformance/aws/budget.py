# SPDX-License-Identifier: Apache-2.0
"""What a probe may use up in an account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """What a probe may create, to which it is held, and what it sends, more or less. The plan adds these up."""

    keys: int = 0
    principals: int = 0
    aliases: int = 0
    requests: int = 20
    data_key_pairs: int = 0
    rotations: int = 0
