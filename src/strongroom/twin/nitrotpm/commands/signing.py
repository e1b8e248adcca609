# SPDX-License-Identifier: Apache-2.0
"""Signatures over digests (Part 3, section 20)."""

from __future__ import annotations

from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import Scheme
from strongroom.formats.tpm.signature import Signature, read_signature
from strongroom.formats.tpm.ticket import Ticket
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.signature_check import verify_with
from strongroom.twin.nitrotpm.crypto.signing import SIGNING_SCHEME, chosen_scheme, sign, signer
from strongroom.twin.nitrotpm.crypto.tickets import HASH_TICKET, hash_ticket, matches, verified_ticket
from strongroom.twin.nitrotpm.parameters import DIGEST
from strongroom.twin.nitrotpm.registry import OBJECT, Parameter, Reply, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import TpmObject

_KEY = 1
_DIGEST, _SCHEME, _TICKET = 1, 2, 3
_SIGNATURE = 2


@command(Cc.SIGN, DIGEST, SIGNING_SCHEME, HASH_TICKET, handles=(OBJECT.authorized(),))
def sign_digest(chip: Chip, call: Call, digest: bytes, asked: Scheme, ticket: Ticket) -> Reply:
    """Sign a digest. A restricted key signs only what this TPM hashed itself and found to be none of its statements."""
    key = signer(call, _KEY)
    if key is None:
        raise TypeError("the command's handle is not declared as NULL")
    if key.has(ObjectAttributes.X509_SIGN):
        raise refusal.handle(Rc.ATTRIBUTES, _KEY)
    scheme = chosen_scheme(key, asked, number=_SCHEME)
    if ticket.digest or key.has(ObjectAttributes.RESTRICTED):
        if not matches(hash_ticket(chip, ticket.hierarchy, scheme.hash, digest), ticket):
            raise refusal.parameter(Rc.TICKET, _TICKET)
    elif len(digest) != HASH_BYTES[scheme.hash]:
        raise refusal.parameter(Rc.SIZE, _DIGEST)
    return Reply(sign(chip, key, scheme, digest).encode())


@command(Cc.VERIFY_SIGNATURE, DIGEST, Parameter(read_signature), handles=(OBJECT,))
def verify(chip: Chip, call: Call, digest: bytes, signature: Signature) -> Reply:
    """Verify a signature, and return a ticket that says it was good."""
    key = call.found[_KEY - 1]
    if not isinstance(key, TpmObject) or not key.has(ObjectAttributes.SIGN_ENCRYPT):
        raise refusal.handle(Rc.ATTRIBUTES, _KEY)
    verify_with(key, digest, signature, number=_SIGNATURE)
    # A key without a name cannot be told in a ticket.
    hierarchy = key.hierarchy if key.public.name_alg is not Alg.NULL else Rh.NULL
    return Reply(verified_ticket(chip, hierarchy, digest, key.name).encode())
