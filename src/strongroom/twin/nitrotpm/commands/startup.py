# SPDX-License-Identifier: Apache-2.0
"""Starting, stopping and testing (Part 3, sections 9 and 10)."""

from __future__ import annotations

import copy
import enum

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import read_hash
from strongroom.formats.tpm.wire import Reader, listed, sized, u32
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.call import Call
from strongroom.twin.nitrotpm.chip import Chip, OrderlyState, ResetState
from strongroom.twin.nitrotpm.entities import NO_POLICY, NvIndex
from strongroom.twin.nitrotpm.nv_attributes import with_attributes
from strongroom.twin.nitrotpm.parameters import YES_NO
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import DONE, Parameter, Reply, Trait, command

_MOST_ALGORITHMS = 64


class StartupType(enum.IntEnum):
    """TPM_SU (Part 2, section 6.10)."""

    CLEAR = 0x0000
    STATE = 0x0001


def _startup_type(reader: Reader) -> StartupType:
    return StartupType(reader.choice(set(StartupType), Rc.VALUE, "kind of start"))


def _algorithms(reader: Reader) -> tuple[Alg, ...]:
    return tuple(read_hash(reader) for _ in range(reader.count(_MOST_ALGORITHMS, "algorithms")))


@command(Cc.STARTUP, Parameter(_startup_type), traits=Trait.NO_SESSIONS)
def startup(chip: Chip, _call: Call, kind: StartupType) -> Reply:
    """Start: anew (TPM Reset), with what was saved but PCRs (TPM Restart), or with all of it (TPM Resume)."""
    if chip.volatile.started:
        raise Refused(Rc.INITIALIZE)
    permanent, volatile, saved = chip.permanent, chip.volatile, chip.permanent.orderly
    if kind is StartupType.STATE and saved is None:
        raise refusal.parameter(Rc.VALUE, 1)
    permanent.orderly = None
    if saved is None:
        volatile.reset = ResetState()
        permanent.reset_count += 1
        permanent.lockout.start(chip.clock_ms())
    else:
        volatile.reset = saved.reset
        volatile.reset.restart_count += 1
    if saved is not None and kind is StartupType.STATE:
        _resume(chip, saved)
    else:
        _restart(chip)
    volatile.started = chip.changed = True
    return DONE


def _resume(chip: Chip, saved: OrderlyState) -> None:
    chip.pcrs.values.update(saved.pcrs)
    chip.pcrs.counter = saved.pcr_counter
    chip.permanent.platform = saved.platform
    chip.permanent.owner.enabled = saved.owner_enabled
    chip.permanent.endorsement.enabled = saved.endorsement_enabled


def _restart(chip: Chip) -> None:
    """Set what a start other than a resume sets: the platform is everybody's, locks until the next start are open."""
    permanent = chip.permanent
    chip.volatile.reset.clear_count += 1
    permanent.platform.auth, permanent.platform.policy = b"", NO_POLICY
    for hierarchy in (permanent.owner, permanent.endorsement, permanent.platform):
        hierarchy.enabled = True
    for nv_index in permanent.nv.values():
        _unlock(nv_index)


def _unlock(nv_index: NvIndex) -> None:
    """Open the locks of an NV index that hold until the next start (Part 1, section 37.2.5)."""
    public = nv_index.public
    remove = NvAttributes.READ_LOCKED
    if not (public.has(NvAttributes.WRITE_DEFINE) and public.has(NvAttributes.WRITTEN)):
        remove |= NvAttributes.WRITE_LOCKED
    if public.has(NvAttributes.CLEAR_ST_CLEAR):
        remove |= NvAttributes.WRITTEN
    nv_index.public = with_attributes(public, remove=remove)


@command(Cc.SHUTDOWN, Parameter(_startup_type))
def shutdown(chip: Chip, _call: Call, kind: StartupType) -> Reply:
    """Get ready for the loss of power: what was saved is only good as long as nothing happens in between."""
    permanent, volatile = chip.permanent, chip.volatile
    permanent.orderly = None
    if kind is StartupType.STATE:
        permanent.orderly = OrderlyState(
            copy.deepcopy(volatile.reset),
            chip.pcrs.saved(),
            chip.pcrs.counter,
            copy.copy(permanent.platform),
            permanent.owner.enabled,
            permanent.endorsement.enabled,
        )
    chip.changed = True
    return DONE


@command(Cc.SELF_TEST, YES_NO)
def self_test(_chip: Chip, _call: Call, _full: bool) -> Reply:
    """Test everything: `cryptography` tests itself when it is loaded."""
    return DONE


@command(Cc.INCREMENTAL_SELF_TEST, Parameter(_algorithms))
def incremental_self_test(_chip: Chip, _call: Call, _algorithms: tuple[Alg, ...]) -> Reply:
    """Return which of the algorithms are still to be tested: none."""
    return Reply(listed(()))


@command(Cc.GET_TEST_RESULT, traits=Trait.ENCRYPTS)
def get_test_result(_chip: Chip, _call: Call) -> Reply:
    """Return what is known about a failed test: there was none."""
    return Reply(sized(b"") + u32(Rc.SUCCESS))
