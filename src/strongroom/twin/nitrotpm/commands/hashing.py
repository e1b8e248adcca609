# SPDX-License-Identifier: Apache-2.0
"""Hashes and HMACs of what is sent at once (Part 3, section 15.4 and 15.5)."""

from __future__ import annotations

from strongroom.crypto.tpm import digest, mac
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.public_area import KeyedHashParameters
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.tickets import hash_ticket, is_safe
from strongroom.twin.nitrotpm.parameters import BUFFER, HASH, HIERARCHY
from strongroom.twin.nitrotpm.registry import OBJECT, Parameter, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip

_KEY = 1
_HASH_PARAMETER = 2


@command(Cc.HASH, BUFFER, HASH, HIERARCHY, traits=Trait.ENCRYPTS)
def hash_(chip: Chip, _call: Call, data: bytes, algorithm: Alg, hierarchy: Rh) -> Reply:
    """Return the digest of some data, and a ticket that says so."""
    result = digest(algorithm, data)
    ticket = hash_ticket(chip, hierarchy if is_safe(data) else Rh.NULL, algorithm, result)
    return Reply(sized(result) + ticket.encode())


def _mac_scheme(reader: Reader) -> Alg:
    """Take TPMI_ALG_MAC_SCHEME off: a hash for an HMAC, or NULL for the key's own."""
    found = reader.choice({*HASH_BYTES, Alg.NULL}, Rc.SYMMETRIC, "hash of an HMAC")
    return Alg(found)


MAC_SCHEME = Parameter(_mac_scheme)


@command(Cc.HMAC, BUFFER, MAC_SCHEME, handles=(OBJECT.authorized(),), traits=Trait.ENCRYPTS)
def hmac(_chip: Chip, call: Call, data: bytes, algorithm: Alg) -> Reply:
    """Return the HMAC of some data under a key."""
    chosen, key = hmac_key(call, algorithm)
    return Reply(sized(mac(chosen, key, data)))


def hmac_key(call: Call, wanted: Alg) -> tuple[Alg, bytes]:
    """Return the hash and the secret for an HMAC with the key under the first handle.

    `wanted` counts where the key has no scheme of its own. Raises Refused for what is no such key, and for another
    hash than the key's.
    """
    key = call.object(_KEY)
    parameters, sensitive = key.public.parameters, key.sensitive
    if not isinstance(parameters, KeyedHashParameters):
        raise refusal.handle(Rc.TYPE, _KEY)
    if key.has(ObjectAttributes.RESTRICTED):
        raise refusal.handle(Rc.ATTRIBUTES, _KEY)
    if not key.has(ObjectAttributes.SIGN_ENCRYPT) or sensitive is None:
        raise refusal.handle(Rc.KEY, _KEY)
    own = parameters.scheme.hash
    chosen = own if own is not Alg.NULL and wanted in {Alg.NULL, own} else wanted if own is Alg.NULL else Alg.NULL
    if chosen is Alg.NULL:
        raise refusal.parameter(Rc.VALUE, _HASH_PARAMETER)
    return chosen, sensitive.value
