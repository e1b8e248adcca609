# SPDX-License-Identifier: Apache-2.0
"""TPMS_CREATION_DATA: in which circumstances an object was made (Part 2, section 15.1)."""

from __future__ import annotations

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.pcr_selection import PcrSelection, encode_pcr_selections
from strongroom.formats.tpm.ticket import Ticket
from strongroom.formats.tpm.wire import sized, u8, u16
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import TpmObject
from strongroom.twin.nitrotpm.state.sessions import Session


def creation_data(
    chip: Chip, call: Call, name_alg: Alg, *, selections: tuple[PcrSelection, ...], outside: bytes
) -> bytes:
    """Return what there is to say of an object that is made under the command's first handle, in bytes."""
    parent = call.found[0]
    if isinstance(parent, Session):
        raise TypeError("nothing is made under a session")
    if isinstance(parent, TpmObject):
        above = u16(parent.public.name_alg) + sized(parent.name) + sized(parent.qualified_name)
    else:
        above = u16(Alg.NULL) + sized(parent.name) * 2
    chosen = chip.pcrs.present(selections)
    head = encode_pcr_selections(chosen) + sized(chip.pcrs.digest(name_alg, selections))
    return head + u8(1 << call.locality) + above + sized(outside)


def encode_creation(name_alg: Alg, data: bytes, ticket: Ticket) -> bytes:
    """Return it as responses have it: with its size, its digest, and the ticket that says it is true."""
    return sized(data) + sized(digest(name_alg, data)) + ticket.encode()
