# SPDX-License-Identifier: Apache-2.0
"""TPMT_TK_*: what a TPM has checked already, under an HMAC that only it can make (Part 2, section 10.7)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from strongroom.formats.tpm.handles import Rh, read_hierarchy
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, sized, u16, u32


class TicketKind(enum.IntEnum):
    """TPM_ST of tickets (Part 2, section 6.9)."""

    CREATION = 0x8021
    VERIFIED = 0x8022
    AUTH_SECRET = 0x8023
    HASHCHECK = 0x8024
    AUTH_SIGNED = 0x8025


_STRUCTURES = frozenset(
    {0x00C4, *range(0x8000, 0x8003), *range(0x8014, 0x801B), 0x801C, *range(0x8021, 0x8026), 0x8029}
)
"""Every TPM_ST: what is none of them is another fault than one that is out of place."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A ticket. `digest` is the HMAC; a ticket in the NULL hierarchy with none says nothing."""

    kind: TicketKind
    hierarchy: Rh
    digest: bytes

    def encode(self) -> bytes:
        """Return the bytes."""
        return u16(self.kind) + u32(self.hierarchy) + sized(self.digest)


def read_ticket(reader: Reader, *kinds: TicketKind) -> Ticket:
    """Take a ticket of one of these kinds off. Raises TpmFormatError for other kinds and unknown hierarchies."""
    found = reader.choice(_STRUCTURES, Rc.VALUE, "structure tag")
    if found not in kinds:
        raise reader.refused(Rc.TAG, f"expected a ticket of another kind, found {found:#06x}")
    kind = TicketKind(found)
    hierarchy = read_hierarchy(reader, "the hierarchy of a ticket")
    return Ticket(kind, hierarchy, reader.sized("the digest of a ticket", most_bytes=MAX_DIGEST_BYTES))


def read_creation(reader: Reader) -> Ticket:
    """Take creationData, creationHash and creationTicket off a response; return the ticket. Raises TpmFormatError."""
    reader.sized("creation data")
    reader.sized("a creation hash")
    return read_ticket(reader, TicketKind.CREATION)
