# SPDX-License-Identifier: Apache-2.0
"""Random numbers (Part 3, section 16)."""

from __future__ import annotations

import secrets

from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.wire import sized
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.parameters import U16
from strongroom.twin.nitrotpm.parameters import sized as sized_parameter
from strongroom.twin.nitrotpm.registry import DONE, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip

MOST_BYTES = 64
"""As many as the largest digest has; a caller that wants more asks again."""
_STIR_BYTES = 128


@command(Cc.GET_RANDOM, U16, traits=Trait.ENCRYPTS)
def get_random(_chip: Chip, _call: Call, wanted_bytes: int) -> Reply:
    """Return random bytes, at most MOST_BYTES of them."""
    return Reply(sized(secrets.token_bytes(min(wanted_bytes, MOST_BYTES))))


@command(Cc.STIR_RANDOM, sized_parameter(_STIR_BYTES, "additional data"))
def stir_random(_chip: Chip, _call: Call, _data: bytes) -> Reply:
    """Take entropy from outside: the operating system's generator does not need it."""
    return DONE
