# SPDX-License-Identifier: Apache-2.0
"""GetCapability: what the TPM can and has, in lists that a caller pages through (Part 3, section 30.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from strongroom.formats.tpm.capabilities import FIRST_VARIABLE, Capability
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import HandleType, Rh, handle_number, handle_type
from strongroom.formats.tpm.pcr_selection import PcrSelection
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, listed, u8, u16, u32
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.capabilities.algorithms import ALGORITHMS
from strongroom.twin.nitrotpm.capabilities.command_attributes import command_attributes, listed_commands
from strongroom.twin.nitrotpm.capabilities.handles import handles_of
from strongroom.twin.nitrotpm.capabilities.pcr_properties import PCR_PROPERTIES
from strongroom.twin.nitrotpm.capabilities.properties import fixed_properties, variable_properties
from strongroom.twin.nitrotpm.crypto.keys import CURVES
from strongroom.twin.nitrotpm.parameters import MAX_BUFFER_BYTES, U32
from strongroom.twin.nitrotpm.registry import Parameter, Reply, command
from strongroom.twin.nitrotpm.state.chip import Chip

_MOST_BYTES = MAX_BUFFER_BYTES - 8
"""MAX_CAP_DATA: a list, without the capability and the number of entries in front."""
_FIRST_ACT, _LAST_ACT = 0x40000110, 0x4000011F
Entries = list[tuple[int, bytes]]
"""Each with what it is sorted and found by."""


def _capability(reader: Reader) -> Capability:
    found = reader.u32("a capability")
    if found not in set(Capability):
        raise reader.refused(Rc.VALUE, f"expected a capability, found {found:#x}")
    return Capability(found)


@command(Cc.GET_CAPABILITY, Parameter(_capability), U32, U32)
def get_capability(chip: Chip, _call: Call, capability: Capability, first: int, count: int) -> Reply:
    """Return at most `count` entries of a list that are not below `first`, and whether there are more."""
    entries = _LISTS[capability](chip, first)
    if capability is Capability.PCRS and count:
        first, count = 0, len(entries)  # the banks come together, as many as there are
    found = sorted(entry for entry in entries if entry[0] >= first)
    size_bytes = len(found[0][1]) if found else 1
    most = min(count, _MOST_BYTES // size_bytes)
    return _reply(capability, [entry for _, entry in found[:most]], more=len(found) > most)


def _reply(capability: Capability, entries: Iterable[bytes], *, more: bool) -> Reply:
    return Reply(u8(more) + u32(capability) + listed(entries))


def _algorithms(_chip: Chip, _first: int) -> Entries:
    return [(algorithm, u16(algorithm) + u32(attributes)) for algorithm, attributes in ALGORITHMS.items()]


def _handles(chip: Chip, first: int) -> Entries:
    kind = handle_type(first)
    if kind not in set(HandleType):
        raise refusal.parameter(Rc.HANDLE, 2)
    # Counted by their number: what is under a kind of session may have the handle of the other kind.
    of_kind = HandleType(kind).first
    return [(of_kind | handle_number(handle), u32(handle)) for handle in handles_of(chip, HandleType(kind), first)]


def _commands(chip: Chip, _first: int) -> Entries:
    return [(code, u32(command_attributes(spec))) for code, spec in listed_commands(chip.profile).items()]


def _none(_chip: Chip, _first: int) -> Entries:
    return []


def _pcrs(chip: Chip, _first: int) -> Entries:
    return [(bank, PcrSelection(bank, mask).encode()) for bank, mask in chip.pcrs.allocation.items()]


def _properties(chip: Chip, first: int) -> Entries:
    """Return the properties of the group that the first belongs to: who wants both groups asks twice."""
    if first >= FIRST_VARIABLE:
        group = variable_properties(chip)
    else:
        group = fixed_properties(chip.profile, listed_commands(chip.profile))
    return [(number, u32(number) + u32(value)) for number, value in group.items()]


def _pcr_properties(_chip: Chip, _first: int) -> Entries:
    return [(number, u32(number) + select) for number, select in PCR_PROPERTIES.items()]


def _curves(_chip: Chip, _first: int) -> Entries:
    return [(curve, u16(curve)) for curve in CURVES]


def _policies(chip: Chip, first: int) -> Entries:
    if handle_type(first) != HandleType.PERMANENT:
        raise refusal.parameter(Rc.VALUE, 2)
    return [
        (handle, u32(handle) + u16(hierarchy.policy.algorithm) + hierarchy.policy.digest)
        for handle, hierarchy in chip.hierarchies.items()
        if handle != Rh.NULL
    ]


def _timers(_chip: Chip, first: int) -> Entries:
    if not _FIRST_ACT <= first <= _LAST_ACT:
        raise refusal.parameter(Rc.VALUE, 2)
    return []


_LISTS: dict[Capability, Callable[[Chip, int], Entries]] = {
    Capability.ALGS: _algorithms,
    Capability.HANDLES: _handles,
    Capability.COMMANDS: _commands,
    Capability.PP_COMMANDS: _none,
    Capability.AUDIT_COMMANDS: _none,
    Capability.PCRS: _pcrs,
    Capability.TPM_PROPERTIES: _properties,
    Capability.PCR_PROPERTIES: _pcr_properties,
    Capability.ECC_CURVES: _curves,
    Capability.AUTH_POLICIES: _policies,
    Capability.ACT: _timers,
}
