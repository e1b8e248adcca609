# SPDX-License-Identifier: Apache-2.0
"""What is asked for with a new object: template and secrets, and whether one may ask for it (Part 3, section 12.1)."""

from __future__ import annotations

from strongroom.crypto.tpm import without_trailing_zeros
from strongroom.formats.tpm.algorithms import HASH_BYTES
from strongroom.formats.tpm.public_area import MAX_DIGEST_BYTES, MAX_SYM_DATA_BYTES, PublicArea
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.objects.creation import Wish
from strongroom.twin.nitrotpm.objects.rules import creation_fault
from strongroom.twin.nitrotpm.registry import Parameter
from strongroom.twin.nitrotpm.state.objects import TpmObject

SENSITIVE, TEMPLATE = 1, 2
"""The parameters of Create, CreatePrimary and CreateLoaded, by number."""


def _wish(reader: Reader) -> Wish:
    auth = reader.sized("an authorization value", most_bytes=MAX_DIGEST_BYTES)
    data = reader.sized("secret data", most_bytes=MAX_SYM_DATA_BYTES)
    return Wish(without_trailing_zeros(auth), data)


WISH = Parameter(lambda reader: reader.structure(_wish, "secrets to create with"), is_sized=True)


def check_template(parent: TpmObject | None, template: PublicArea, wish: Wish) -> None:
    """Raise Refused for an object that nobody may make, under this parent or (None) under a hierarchy."""
    fault = creation_fault(parent, template, len(wish.data))
    if fault is not None:
        raise refusal.parameter(fault, TEMPLATE)
    check_auth(template, wish.auth, SENSITIVE)


def check_auth(public: PublicArea, auth: bytes, number: int) -> None:
    """Raise Refused where an authorization value is longer than the digests of the object's name, if it has one."""
    if len(auth) > HASH_BYTES.get(public.name_alg, MAX_DIGEST_BYTES):
        raise refusal.parameter(Rc.SIZE, number)
