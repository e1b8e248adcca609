# SPDX-License-Identifier: Apache-2.0
"""Starting, stopping and testing (Part 3, sections 9 and 10)."""

from __future__ import annotations

import copy
import enum

from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.frame import encode_command
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, listed, sized, u16, u32
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.capabilities.algorithms import ALGORITHMS
from strongroom.twin.nitrotpm.nv.startup import lose_orderly_data, skip_lost_counts, unlock_all
from strongroom.twin.nitrotpm.parameters import YES_NO
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import DONE, Parameter, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip, OrderlyState, ResetState
from strongroom.twin.nitrotpm.state.entities import NO_POLICY
from strongroom.twin.nitrotpm.state.powered_time import UPDATE_MS

_MOST_ALGORITHMS = 64
_STARTUP_LOCALITIES = frozenset({0, 3})


class StartupType(enum.IntEnum):
    """TPM_SU (Part 2, section 6.10)."""

    CLEAR = 0x0000
    STATE = 0x0001


STARTUP_CLEAR = encode_command(Cc.STARTUP, (), (), u16(StartupType.CLEAR))
"""The command that firmware sends first."""


def _startup_type(reader: Reader) -> StartupType:
    return StartupType(reader.choice(set(StartupType), Rc.VALUE, "kind of start"))


def _algorithms(reader: Reader) -> tuple[int, ...]:
    number = reader.count(_MOST_ALGORITHMS, "algorithms")
    return tuple(reader.choice(set(ALGORITHMS), Rc.VALUE, "algorithm") for _ in range(number))


@command(Cc.STARTUP, Parameter(_startup_type), traits=Trait.NO_SESSIONS | Trait.NV)
def startup(chip: Chip, call: Call, kind: StartupType) -> Reply:
    """Start: anew (TPM Reset), with what was saved but PCRs (TPM Restart), or with all of it (TPM Resume)."""
    saved = chip.permanent.orderly
    if kind is StartupType.STATE and saved is None:
        raise refusal.parameter(Rc.VALUE, 1)
    if call.locality not in _STARTUP_LOCALITIES or (
        kind is StartupType.STATE and saved is not None and call.locality != saved.startup_locality
    ):
        raise Refused(Rc.LOCALITY)
    _account_for_power(chip)
    if saved is None:
        chip.volatile.reset = ResetState()
        chip.permanent.reset_count += 1
        lose_orderly_data(chip)
    else:
        chip.volatile.reset = saved.reset
        chip.volatile.reset.restart_count += 1
    chip.pcrs.count_start(saved.pcr_counter if saved else 0, resumed=kind is StartupType.STATE)
    if saved is not None and kind is StartupType.STATE:
        _resume(chip, saved)
    else:
        _restart(chip, call.locality)
    chip.volatile.started = chip.changed = True
    return DONE


def _account_for_power(chip: Chip) -> None:
    """Take into account how power was lost, and expect from now on that it is lost by surprise."""
    permanent = chip.permanent
    chip.volatile.was_orderly = permanent.shutdown_ms is not None
    permanent.lockout.start(permanent.shutdown_ms, guesses_taken=permanent.guesses_taken)
    if not chip.volatile.was_orderly:
        permanent.clock_unsafe_until_ms = chip.clock_ms() + UPDATE_MS
        skip_lost_counts(chip)
    permanent.shutdown_ms = permanent.orderly = None
    permanent.guesses_taken = False


def _resume(chip: Chip, saved: OrderlyState) -> None:
    chip.pcrs.values.update({at: value for at, value in saved.pcrs.items() if at in chip.pcrs.values})
    chip.permanent.platform = saved.platform
    chip.permanent.platform.enabled = True  # at every start, even at this one (Part 3, section 9.3)
    chip.permanent.owner.enabled = saved.owner_enabled
    chip.permanent.endorsement.enabled = saved.endorsement_enabled
    chip.volatile.platform_nv_enabled = saved.platform_nv_enabled
    chip.volatile.startup_locality = saved.startup_locality


def _restart(chip: Chip, locality: int) -> None:
    """Set what a start other than a resume sets: the platform is everybody's, locks until the next start are open."""
    permanent = chip.permanent
    chip.volatile.reset.clear_count += 1
    permanent.platform.auth, permanent.platform.policy = b"", NO_POLICY
    for hierarchy in (permanent.owner, permanent.endorsement, permanent.platform):
        hierarchy.enabled = True
    unlock_all(chip)
    chip.volatile.startup_locality = locality
    chip.pcrs.started_from(locality)


@command(Cc.SHUTDOWN, Parameter(_startup_type), traits=Trait.NV)
def shutdown(chip: Chip, _call: Call, kind: StartupType) -> Reply:
    """Get ready for the loss of power: what was saved is only good as long as nothing happens in between."""
    permanent, volatile = chip.permanent, chip.volatile
    if kind is StartupType.STATE and volatile.reallocated:
        raise refusal.parameter(Rc.TYPE, 1)
    permanent.shutdown_ms, permanent.orderly = chip.time_ms(), None
    if kind is StartupType.STATE:
        permanent.orderly = OrderlyState(
            copy.deepcopy(volatile.reset),
            chip.pcrs.saved(),
            chip.pcrs.counter,
            copy.copy(permanent.platform),
            permanent.owner.enabled,
            permanent.endorsement.enabled,
            volatile.platform_nv_enabled,
            volatile.startup_locality,
        )
    chip.changed = True
    return DONE


@command(Cc.SELF_TEST, YES_NO)
def self_test(_chip: Chip, _call: Call, _full: bool) -> Reply:
    """Test everything: `cryptography` tests itself when it is loaded."""
    return DONE


@command(Cc.INCREMENTAL_SELF_TEST, Parameter(_algorithms))
def incremental_self_test(_chip: Chip, _call: Call, _algorithms: tuple[int, ...]) -> Reply:
    """Return which of the algorithms are still to be tested: none."""
    return Reply(listed(()))


@command(Cc.GET_TEST_RESULT, traits=Trait.ENCRYPTS)
def get_test_result(_chip: Chip, _call: Call) -> Reply:
    """Return what is known about a failed test: there was none."""
    return Reply(sized(b"") + u32(Rc.SUCCESS))
