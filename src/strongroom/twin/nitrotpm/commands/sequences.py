# SPDX-License-Identifier: Apache-2.0
"""Hashes, HMACs and events of what comes in pieces (Part 3, section 17)."""

from __future__ import annotations

from strongroom.crypto.tpm import without_trailing_zeros
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.ticket import TicketKind
from strongroom.formats.tpm.wire import sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.commands.hashing import MAC_SCHEME, hmac_key
from strongroom.twin.nitrotpm.commands.pcr import check_extend, encode_digests, extend
from strongroom.twin.nitrotpm.crypto.tickets import hash_ticket, is_safe_beginning, null_ticket
from strongroom.twin.nitrotpm.objects import transient
from strongroom.twin.nitrotpm.parameters import AUTH, BUFFER, HASH_OR_NULL, HIERARCHY
from strongroom.twin.nitrotpm.registry import DONE, OBJECT, PCR_OR_NULL, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import Sequence


@command(Cc.HASH_SEQUENCE_START, AUTH, HASH_OR_NULL, traits=Trait.RETURNS_HANDLE)
def hash_sequence_start(chip: Chip, _call: Call, auth: bytes, algorithm: Alg) -> Reply:
    """Begin a digest, or with NULL an event: a digest for every PCR bank."""
    is_event = algorithm is Alg.NULL
    algorithms = tuple(chip.pcrs.allocation) if is_event else (algorithm,)
    return _begin(chip, Sequence(algorithms, without_trailing_zeros(auth), is_event=is_event))


@command(
    Cc.HMAC_START,
    AUTH,
    MAC_SCHEME,
    handles=(OBJECT.authorized(),),
    traits=Trait.RETURNS_HANDLE,
)
def hmac_start(chip: Chip, call: Call, auth: bytes, algorithm: Alg) -> Reply:
    """Begin an HMAC under a key."""
    chosen, key = hmac_key(call, algorithm)
    return _begin(chip, Sequence((chosen,), without_trailing_zeros(auth), is_event=False, key=key))


def _begin(chip: Chip, sequence: Sequence) -> Reply:
    return Reply(handle=transient.add(chip, sequence))


@command(Cc.SEQUENCE_UPDATE, BUFFER, handles=(OBJECT.authorized(),))
def sequence_update(_chip: Chip, call: Call, data: bytes) -> Reply:
    """Add a piece."""
    _sequence(call, 1).update(data)
    return DONE


@command(Cc.SEQUENCE_COMPLETE, BUFFER, HIERARCHY, handles=(OBJECT.authorized(),), traits=Trait.ENCRYPTS | Trait.FLUSHES)
def sequence_complete(chip: Chip, call: Call, data: bytes, hierarchy: Rh) -> Reply:
    """Add the last piece; return the digest with a ticket, or the HMAC."""
    sequence = _sequence(call, 1, is_event=False)
    sequence.update(data)
    ((algorithm, result),) = sequence.digests().items()
    ticket = null_ticket(TicketKind.HASHCHECK)
    if not sequence.is_hmac:
        safe = is_safe_beginning(sequence.first_piece or b"")
        ticket = hash_ticket(chip, hierarchy if safe else Rh.NULL, algorithm, result)
    transient.remove(chip, call.handles[0])
    return Reply(sized(result) + ticket.encode())


@command(
    Cc.EVENT_SEQUENCE_COMPLETE,
    BUFFER,
    handles=(PCR_OR_NULL.authorized(), OBJECT.authorized()),
    traits=Trait.NV | Trait.FLUSHES,
)
def event_sequence_complete(chip: Chip, call: Call, data: bytes) -> Reply:
    """Add the last piece; extend a PCR by the digests and return them."""
    sequence = _sequence(call, 2, is_event=True)
    check_extend(chip, call)
    sequence.update(data)
    digests = tuple(sequence.digests().items())
    extend(chip, call, digests)
    transient.remove(chip, call.handles[1])
    return Reply(encode_digests(digests))


def _sequence(call: Call, number: int, *, is_event: bool | None = None) -> Sequence:
    found = call.found[number - 1]
    if not isinstance(found, Sequence) or (is_event is not None and found.is_event != is_event):
        raise refusal.handle(Rc.MODE, number)
    return found
