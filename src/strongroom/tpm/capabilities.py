# SPDX-License-Identifier: Apache-2.0
"""What a TPM says about itself: its properties, its PCR banks, the handles in use (Part 2, section 10.14)."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.capabilities import Capability, Property
from strongroom.formats.tpm.handles import HANDLE_NUMBERS, HandleType, handle_number, handle_type
from strongroom.formats.tpm.pcr_selection import PcrSelection, read_pcr_selections
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader
from strongroom.tpm.commands import get_capability
from strongroom.tpm.connection import Connection, read_answer
from strongroom.tpm.faults import nonsense

_PAGE = 254
"""MAX_CAPCapability.HANDLES of a response of 1,024 bytes."""
_MOST_PAGES = 64
_LISTED = {HandleType.HMAC_SESSION: (HandleType.HMAC_SESSION, HandleType.POLICY_SESSION)}
"""Loaded sessions of both kinds are listed together (Part 3, section 30.2, table 215)."""


def fixed_property(connection: Connection, number: Property) -> int:
    """Return one of the TPM's properties. Raises TpmFault where it has none of that number."""
    command = get_capability(Capability.TPM_PROPERTIES, number, 1)

    def read(reader: Reader) -> list[tuple[int, int]]:
        _begin(reader, Capability.TPM_PROPERTIES)
        count = reader.count(1, "properties")
        return [(reader.u32("a property"), reader.u32("its value")) for _ in range(count)]

    for found, value in read_answer(command, connection.run(command).parameters, read):
        if found == number:
            return value
    raise nonsense(command, f"no property {number.name}")


def active_banks(connection: Connection) -> tuple[Alg, ...]:
    """Return the PCR banks that are in use, in the TPM's order. Banks of algorithms we do not know are a TpmFault."""
    command = get_capability(Capability.PCRS, 0, 1)

    def read(reader: Reader) -> tuple[PcrSelection, ...]:
        _begin(reader, Capability.PCRS)
        return read_pcr_selections(reader)

    selections = read_answer(command, connection.run(command).parameters, read)
    return tuple(selection.bank for selection in selections if selection.mask)


def loaded_handles(connection: Connection, kind: HandleType) -> tuple[int, ...]:
    """Return the handles of a kind that stand for something, ascending; of sessions, those that are loaded."""
    found: list[int] = []
    command = get_capability(Capability.HANDLES, kind.first, _PAGE)
    for _ in range(_MOST_PAGES):
        more, handles = read_answer(command, connection.run(command).parameters, _read_handles)
        if any(handle_type(handle) not in _LISTED.get(kind, (kind,)) for handle in handles):
            raise nonsense(command, f"handles of another kind than {kind.name}")
        found += handles
        if not (more and handles):
            return tuple(found)
        command = get_capability(Capability.HANDLES, kind.first | (handle_number(handles[-1] + 1)), _PAGE)
    raise nonsense(command, f"more than {_MOST_PAGES * _PAGE} handles")


def free_handles(connection: Connection, kind: HandleType) -> Iterator[int]:
    """Yield the handles of a kind that stand for nothing, ascending: past those that somebody occupied."""
    taken = frozenset(loaded_handles(connection, kind))
    return (handle for handle in range(kind.first, kind.first + HANDLE_NUMBERS + 1) if handle not in taken)


def _read_handles(reader: Reader) -> tuple[bool, list[int]]:
    more = _begin(reader, Capability.HANDLES)
    return more, [reader.u32("a handle") for _ in range(reader.count(_PAGE, "handles"))]


def _begin(reader: Reader, capability: Capability) -> bool:
    """Take off what every response begins with. Raises TpmFormatError for another capability than was asked for."""
    more = reader.u8("whether there is more")
    found = reader.u32("a capability")
    if found != capability:
        raise reader.refused(Rc.VALUE, f"expected capability {capability.name}, found {found}")
    return bool(more)
