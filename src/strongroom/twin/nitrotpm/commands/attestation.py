# SPDX-License-Identifier: Apache-2.0
"""Attestations: what a TPM says of PCRs, objects, its time, and signs (Part 3, section 18)."""

from __future__ import annotations

from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attest import AttestType, Quote
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.pcr_selection import PcrSelection
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import Scheme
from strongroom.formats.tpm.ticket import Ticket
from strongroom.formats.tpm.wire import sized, u64
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.signing import SIGNING_SCHEME, chosen_scheme, signer
from strongroom.twin.nitrotpm.crypto.statements import statement
from strongroom.twin.nitrotpm.crypto.tickets import CREATION_TICKET, creation_ticket, matches
from strongroom.twin.nitrotpm.parameters import DATA, DIGEST, PCR_SELECTIONS
from strongroom.twin.nitrotpm.registry import OBJECT, OBJECT_OR_NULL, Reply, Role, Trait, command, permanent
from strongroom.twin.nitrotpm.state.chip import Chip

_FIRST, _SECOND = 1, 2
_SCHEME = 2
_CREATION_SCHEME, _CREATION_TICKET = 3, 4


@command(
    Cc.QUOTE,
    DATA,
    SIGNING_SCHEME,
    PCR_SELECTIONS,
    handles=(OBJECT_OR_NULL.authorized(),),
    traits=Trait.ENCRYPTS,
)
def quote(chip: Chip, call: Call, extra_data: bytes, asked: Scheme, selections: tuple[PcrSelection, ...]) -> Reply:
    """Say what is in PCRs."""
    key = signer(call, _FIRST)
    scheme = chosen_scheme(key, asked, number=_SCHEME)
    if scheme.hash is Alg.NULL:  # without a key there is no hash to digest PCRs with
        raise refusal.parameter(Rc.SCHEME, _SCHEME)
    quoted = Quote(chip.pcrs.present(selections), chip.pcrs.digest(scheme.hash, selections))
    said = statement(chip, key, scheme, kind=AttestType.QUOTE, extra_data=extra_data, attested=quoted.encode())
    return Reply(said)


@command(
    Cc.CERTIFY,
    DATA,
    SIGNING_SCHEME,
    handles=(OBJECT.authorized(Role.ADMIN), OBJECT_OR_NULL.authorized()),
    traits=Trait.ENCRYPTS,
)
def certify(chip: Chip, call: Call, extra_data: bytes, asked: Scheme) -> Reply:
    """Say that an object is loaded, and where it is."""
    key = signer(call, _SECOND)
    scheme = chosen_scheme(key, asked, number=_SCHEME)
    certified = call.object(_FIRST)
    attested = sized(certified.name) + sized(certified.qualified_name)
    return Reply(statement(chip, key, scheme, kind=AttestType.CERTIFY, extra_data=extra_data, attested=attested))


@command(
    Cc.CERTIFY_CREATION,
    DATA,
    DIGEST,
    SIGNING_SCHEME,
    CREATION_TICKET,
    handles=(OBJECT_OR_NULL.authorized(), OBJECT),
    traits=Trait.ENCRYPTS,
)
def certify_creation(
    chip: Chip, call: Call, extra_data: bytes, creation_digest: bytes, asked: Scheme, ticket: Ticket
) -> Reply:
    """Say that this TPM made an object, and in which circumstances."""
    key = signer(call, _FIRST)
    scheme = chosen_scheme(key, asked, number=_CREATION_SCHEME)
    certified = call.object(_SECOND)
    if not matches(creation_ticket(chip, ticket.hierarchy, certified.name, creation_digest), ticket):
        raise refusal.parameter(Rc.TICKET, _CREATION_TICKET)
    attested = sized(certified.name) + sized(creation_digest)
    return Reply(statement(chip, key, scheme, kind=AttestType.CREATION, extra_data=extra_data, attested=attested))


@command(
    Cc.GET_TIME,
    DATA,
    SIGNING_SCHEME,
    handles=(permanent(Rh.ENDORSEMENT).authorized(), OBJECT_OR_NULL.authorized()),
    traits=Trait.ENCRYPTS,
)
def get_time(chip: Chip, call: Call, extra_data: bytes, asked: Scheme) -> Reply:
    """Say what time it is, as it is: the endorsement hierarchy's authorization admits that."""
    key = signer(call, _SECOND)
    scheme = chosen_scheme(key, asked, number=_SCHEME)
    attested = u64(chip.time_ms()) + chip.clock_info().encode() + u64(chip.profile.firmware_version)
    return Reply(statement(chip, key, scheme, kind=AttestType.TIME, extra_data=extra_data, attested=attested))
