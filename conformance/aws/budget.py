# SPDX-License-Identifier: Apache-2.0
"""What a probe may use up in an account."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """What a probe may create and send at most. The plan adds these up, and the target holds the probe to them."""

    keys: int = 0
    principals: int = 0
    aliases: int = 0
    requests: int = 20
    data_key_pairs: int = 0
    rotations: int = 0
