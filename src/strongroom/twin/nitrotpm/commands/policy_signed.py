# SPDX-License-Identifier: Apache-2.0
"""Policy assertions that somebody vouches for, by a signature, a secret or a ticket (Part 3, sections 23.3 to 23.5)."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.attributes import NvAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import HIERARCHIES, Rh
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.signature import Signature, read_signature
from strongroom.formats.tpm.ticket import Ticket, TicketKind
from strongroom.formats.tpm.wire import sized, u64
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.authorization.policy_limits import (
    EXPIRATION,
    Limits,
    check_limits,
    check_nonce,
    end_ms,
    restrict,
)
from strongroom.twin.nitrotpm.crypto.signature_check import verify_with
from strongroom.twin.nitrotpm.crypto.tickets import AUTH_TICKET, auth_ticket, matches, null_ticket
from strongroom.twin.nitrotpm.lookup import Found
from strongroom.twin.nitrotpm.parameters import DIGEST, NAME, NONCE
from strongroom.twin.nitrotpm.parameters import sized as sized_parameter
from strongroom.twin.nitrotpm.registry import (
    DONE,
    NV_INDEX,
    OBJECT,
    PCR,
    POLICY_SESSION,
    Parameter,
    Reply,
    Trait,
    command,
    either,
    permanent,
)
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Access, Hierarchy, NvIndex
from strongroom.twin.nitrotpm.state.objects import TpmObject
from strongroom.twin.nitrotpm.state.sessions import Session

_TIMEOUT_BYTES = 8
_TIMEOUT = sized_parameter(_TIMEOUT_BYTES, "a timeout")
_ENTITY = either(PCR, OBJECT, NV_INDEX, permanent(Rh.OWNER, Rh.ENDORSEMENT, Rh.PLATFORM, Rh.LOCKOUT))
_CODES = {TicketKind.AUTH_SIGNED: Cc.POLICY_SIGNED, TicketKind.AUTH_SECRET: Cc.POLICY_SECRET}
_NONCE, _CP_HASH, _EXPIRATION, _SIGNATURE = 1, 2, 4, 5
_TICKET_TIMEOUT, _TICKET_CP_HASH, _TICKET = 1, 2, 5


@dataclass(frozen=True, slots=True)
class _Vouched:
    """What somebody says: how they prove it, their name and hierarchy, what it is for, and within which limits."""

    kind: TicketKind
    name: bytes
    hierarchy: Rh
    policy_ref: bytes
    limits: Limits

    def assert_in(self, session: Session) -> None:
        """Put it into a policy."""
        session.extend_policy_ref(_CODES[self.kind], self.name, self.policy_ref)
        restrict(session, self.limits)

    def ticket(self, chip: Chip) -> Ticket:
        """Return the ticket for it."""
        return auth_ticket(
            chip,
            self.kind,
            self.hierarchy,
            timeout_ms=self.limits.end_ms or 0,
            cp_hash=self.limits.cp_hash,
            policy_ref=self.policy_ref,
            entity_name=self.name,
        )


@command(
    Cc.POLICY_SIGNED,
    *(NONCE, DIGEST, NONCE, EXPIRATION, Parameter(read_signature)),
    handles=(OBJECT, POLICY_SESSION),
    traits=Trait.ENCRYPTS,
)
def policy_signed(
    chip: Chip, call: Call, nonce: bytes, cp_hash: bytes, policy_ref: bytes, expiration: int, signature: Signature
) -> Reply:
    """Require that the owner of a key signed for this: for a session, a command, a purpose, an end."""
    session, key = call.policy_session(2), call.object(1)
    limits = Limits(end_ms(chip, session, nonce, expiration), cp_hash)
    if not session.is_trial:
        _check(chip, session, nonce, limits)
        about = nonce + expiration.to_bytes(4, signed=True) + cp_hash + policy_ref
        verify_with(key, digest(signature.hash, about), signature, number=_SIGNATURE)
    vouched = _Vouched(TicketKind.AUTH_SIGNED, key.name, key.hierarchy, policy_ref, limits)
    vouched.assert_in(session)
    return _reply(chip, vouched, wanted=expiration < 0 and not session.is_trial)


@command(
    Cc.POLICY_SECRET,
    *(NONCE, DIGEST, NONCE, EXPIRATION),
    handles=(_ENTITY.authorized(), POLICY_SESSION),
    traits=Trait.ENCRYPTS,
    access=Access.READ,
)
def policy_secret(chip: Chip, call: Call, nonce: bytes, cp_hash: bytes, policy_ref: bytes, expiration: int) -> Reply:
    """Require that somebody knows an entity's secret: this command is authorized with it."""
    session, entity = call.policy_session(2), call.found[0]
    limits = Limits(end_ms(chip, session, nonce, expiration), cp_hash)
    if not session.is_trial:
        _check(chip, session, nonce, limits)
    vouched = _Vouched(TicketKind.AUTH_SECRET, *_identity(entity), policy_ref, limits)
    vouched.assert_in(session)
    return _reply(chip, vouched, wanted=expiration < 0 and not session.is_trial)


@command(Cc.POLICY_TICKET, _TIMEOUT, DIGEST, NONCE, NAME, AUTH_TICKET, handles=(POLICY_SESSION,))
def policy_ticket(
    chip: Chip, call: Call, timeout: bytes, cp_hash: bytes, policy_ref: bytes, name: bytes, ticket: Ticket
) -> Reply:
    """Use once more what somebody vouched for: with the ticket that this TPM gave for it."""
    session = call.policy_session(1)
    if session.is_trial:
        raise refusal.handle(Rc.ATTRIBUTES, 1)
    if len(timeout) != _TIMEOUT_BYTES:
        raise refusal.parameter(Rc.SIZE, _TICKET_TIMEOUT)
    limits = Limits(int.from_bytes(timeout) or None, cp_hash)
    check_limits(chip, session, limits, end_number=_TICKET_TIMEOUT, cp_hash_number=_TICKET_CP_HASH)
    vouched = _Vouched(ticket.kind, name, ticket.hierarchy, policy_ref, limits)
    if not matches(vouched.ticket(chip), ticket):
        raise refusal.parameter(Rc.TICKET, _TICKET)
    vouched.assert_in(session)
    return DONE


def _check(chip: Chip, session: Session, nonce: bytes, limits: Limits) -> None:
    check_nonce(session, nonce, number=_NONCE)
    check_limits(chip, session, limits, end_number=_EXPIRATION, cp_hash_number=_CP_HASH)


def _identity(entity: Found) -> tuple[bytes, Rh]:
    """Return the name of who vouches with a secret, and the hierarchy that makes tickets for them."""
    if isinstance(entity, Session):
        raise TypeError("the command's handle is not declared as a session")
    if isinstance(entity, TpmObject):
        return entity.name, entity.hierarchy
    if isinstance(entity, NvIndex) and entity.public.has(NvAttributes.PLATFORM_CREATE):
        return entity.name, Rh.PLATFORM
    if isinstance(entity, Hierarchy) and entity.handle in HIERARCHIES:
        return entity.name, entity.handle
    return entity.name, Rh.OWNER


def _reply(chip: Chip, vouched: _Vouched, *, wanted: bool) -> Reply:
    """Answer with a ticket and its end, or with one that says nothing."""
    if not wanted:
        return Reply(sized(b"") + null_ticket(vouched.kind).encode())
    return Reply(sized(u64(vouched.limits.end_ms or 0)) + vouched.ticket(chip).encode())
