# SPDX-License-Identifier: Apache-2.0
"""Making tickets, and knowing one's own again (Part 1, section 29; Part 2, section 10.7).

A ticket is an HMAC under the proof of a hierarchy, so it dies with the proof: by Clear, or for the NULL hierarchy at
the next reset. To check one, make it again from what it is said to be about, and ask `matches`.
"""

from __future__ import annotations

import hmac

from strongroom.crypto.tpm import mac
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attest import GENERATED
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.ticket import Ticket, TicketKind, read_ticket
from strongroom.formats.tpm.wire import sized, u16, u32, u64
from strongroom.twin.nitrotpm.profile import CONTEXT_HASH
from strongroom.twin.nitrotpm.registry import Parameter
from strongroom.twin.nitrotpm.state.chip import Chip

_BEGIN = u32(GENERATED)

CREATION_TICKET = Parameter(lambda reader: read_ticket(reader, TicketKind.CREATION))
VERIFIED_TICKET = Parameter(lambda reader: read_ticket(reader, TicketKind.VERIFIED))
HASH_TICKET = Parameter(lambda reader: read_ticket(reader, TicketKind.HASHCHECK))
AUTH_TICKET = Parameter(lambda reader: read_ticket(reader, TicketKind.AUTH_SIGNED, TicketKind.AUTH_SECRET))


def null_ticket(kind: TicketKind) -> Ticket:
    """Return the ticket that says nothing."""
    return Ticket(kind, Rh.NULL, b"")


def matches(expected: Ticket, given: Ticket) -> bool:
    """Say whether a ticket is the one that this TPM makes, in constant time. One that says nothing never is."""
    same_kind = expected.kind is given.kind and expected.hierarchy is given.hierarchy
    return hmac.compare_digest(expected.digest, given.digest) and same_kind and bool(given.digest)


def is_safe(data: bytes) -> bool:
    """Say whether a restricted key may sign a digest of this: it is no statement of the TPM's own.

    Those begin with TPM_GENERATED_VALUE (Part 1, section 29.5).
    """
    return not data.startswith(_BEGIN)


def is_safe_beginning(first_piece: bytes) -> bool:
    """Say the same of what is hashed in pieces, by the first: less than four bytes may become a statement."""
    return len(first_piece) >= len(_BEGIN) and is_safe(first_piece)


def hash_ticket(chip: Chip, hierarchy: Rh, algorithm: Alg, digest: bytes) -> Ticket:
    """Say that a digest is of data that this TPM saw and found safe. Nothing in the NULL hierarchy."""
    if hierarchy is Rh.NULL:
        return null_ticket(TicketKind.HASHCHECK)
    return _made(chip, TicketKind.HASHCHECK, hierarchy, u16(algorithm), digest)


def verified_ticket(chip: Chip, hierarchy: Rh, digest: bytes, key_name: bytes) -> Ticket:
    """Say that this key's signature over a digest is good. Nothing in the NULL hierarchy."""
    if hierarchy is Rh.NULL:
        return null_ticket(TicketKind.VERIFIED)
    return _made(chip, TicketKind.VERIFIED, hierarchy, digest, key_name)


def creation_ticket(chip: Chip, hierarchy: Rh, name: bytes, creation_digest: bytes) -> Ticket:
    """Say that this TPM made an object in these circumstances."""
    return _made(chip, TicketKind.CREATION, hierarchy, name, creation_digest)


def auth_ticket(
    chip: Chip,
    kind: TicketKind,
    hierarchy: Rh,
    *,
    timeout_ms: int,
    cp_hash: bytes,
    policy_ref: bytes,
    entity_name: bytes,
) -> Ticket:
    """Say that someone authorized a policy, until a point of TPMS_TIME_INFO.time (zero: for ever).

    Time begins anew with each start, so what has an end ends at the next start too.
    """
    end = u64(timeout_ms) + (u64(chip.volatile.boot) if timeout_ms else b"")
    # With sizes, which the specification leaves out: so no byte can pass from one of the three into the next.
    return _made(chip, kind, hierarchy, sized(cp_hash), sized(policy_ref), sized(entity_name), end)


def _made(chip: Chip, kind: TicketKind, hierarchy: Rh, *about: bytes) -> Ticket:
    return Ticket(kind, hierarchy, mac(CONTEXT_HASH, chip.hierarchies[hierarchy].proof, u16(kind), *about))
