# SPDX-License-Identifier: Apache-2.0
"""Time and Clock (Part 3, section 29)."""

from __future__ import annotations

from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, u64
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.parameters import U64
from strongroom.twin.nitrotpm.registry import DONE, OWNER_OR_PLATFORM, Parameter, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip

_MOST = 0xFFFF000000000000
"""Clock may not be set further than this: it must not come to its end within the life of a TPM."""
_STEPS = {-3: -300, -2: -30, -1: -1, 0: 0, 1: 1, 2: 30, 3: 300}
"""TPM_CLOCK_ADJUST (Part 2, section 6.13): coarse is a hundredth, medium a thousandth, fine 1/30,000."""


def _adjustment(reader: Reader) -> int:
    found = int.from_bytes(reader.take(1, "a clock adjustment"), signed=True)
    if found not in _STEPS:
        raise reader.refused(Rc.VALUE, f"expected a clock adjustment of -3 to 3, found {found}")
    return _STEPS[found]


@command(Cc.READ_CLOCK)
def read_clock(chip: Chip, _call: Call) -> Reply:
    """Return TPMS_TIME_INFO."""
    return Reply(u64(chip.time_ms()) + chip.clock_info().encode())


@command(Cc.CLOCK_SET, U64, handles=(OWNER_OR_PLATFORM.authorized(),), traits=Trait.NV)
def clock_set(chip: Chip, _call: Call, clock_ms: int) -> Reply:
    """Move Clock forward. Nothing moves it back but Clear."""
    if not chip.clock_ms() <= clock_ms <= _MOST:
        raise refusal.parameter(Rc.VALUE, 1)
    chip.set_clock(clock_ms)
    return DONE


@command(Cc.CLOCK_RATE_ADJUST, Parameter(_adjustment), handles=(OWNER_OR_PLATFORM.authorized(),))
def clock_rate_adjust(chip: Chip, _call: Call, steps: int) -> Reply:
    """Let Time and Clock run faster or slower, until power is lost."""
    chip.time.adjust(steps)
    return DONE
