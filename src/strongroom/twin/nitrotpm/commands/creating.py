# SPDX-License-Identifier: Apache-2.0
"""Making objects under others (Part 3, sections 12.1 and 12.9)."""

from __future__ import annotations

from strongroom.crypto.tpm import digest
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.pcr_selection import PcrSelection
from strongroom.formats.tpm.public_area import PublicArea
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import TpmFormatError, sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.commands.primary import make_primary
from strongroom.twin.nitrotpm.crypto.tickets import creation_ticket
from strongroom.twin.nitrotpm.objects import transient
from strongroom.twin.nitrotpm.objects.creation import RANDOM, Wish, create
from strongroom.twin.nitrotpm.objects.creation_data import creation_data, encode_creation
from strongroom.twin.nitrotpm.objects.derivation import (
    Derivation,
    derived_source,
    merged,
    read_derived_template,
    read_template,
)
from strongroom.twin.nitrotpm.objects.protection import to_private
from strongroom.twin.nitrotpm.objects.rules import public_fault
from strongroom.twin.nitrotpm.objects.templates import SENSITIVE, TEMPLATE, WISH, check_auth, check_template
from strongroom.twin.nitrotpm.parameters import DATA, PCR_SELECTIONS, PUBLIC
from strongroom.twin.nitrotpm.parameters import sized as sized_parameter
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import OBJECT, PARENT, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Hierarchy
from strongroom.twin.nitrotpm.state.objects import TpmObject, child

_PARENT = 1
_MOST_TEMPLATE_BYTES = 612
"""As long as the longest public area, as it is kept in memory (sizeof(TPMT_PUBLIC))."""


@command(Cc.CREATE, WISH, PUBLIC, DATA, PCR_SELECTIONS, handles=(OBJECT.authorized(),), traits=Trait.ENCRYPTS)
def create_under(
    chip: Chip, call: Call, wish: Wish, template: PublicArea, outside: bytes, selections: tuple[PcrSelection, ...]
) -> Reply:
    """Make an object under a parent, and return it: it is not loaded."""
    parent = call.object(_PARENT)
    if not parent.is_parent:
        raise refusal.handle(Rc.TYPE, _PARENT)
    transient.check_room(chip)
    check_template(parent, template, wish)
    public, sensitive = create(template, wish, RANDOM)
    made = child(public, sensitive, parent)
    private = to_private(sensitive, public.name_alg, made.name, parent)
    data = creation_data(chip, call, public.name_alg, selections=selections, outside=outside)
    ticket = creation_ticket(chip, parent.hierarchy, made.name, digest(public.name_alg, data))
    return Reply(sized(private) + sized(public.encode()) + encode_creation(public.name_alg, data, ticket))


@command(
    Cc.CREATE_LOADED,
    WISH,
    sized_parameter(_MOST_TEMPLATE_BYTES, "a template"),
    handles=(PARENT.authorized(),),
    traits=Trait.RETURNS_HANDLE | Trait.ENCRYPTS,
)
def create_loaded(chip: Chip, call: Call, wish: Wish, template: bytes) -> Reply:
    """Make an object and load it: primary under a hierarchy, ordinary under a parent, or derived from one."""
    above = call.found[_PARENT - 1]
    if isinstance(above, Hierarchy):
        transient.check_room(chip)
        made, private = _primary(chip, above, wish, template), b""
    else:
        parent = call.object(_PARENT)
        if not (parent.is_parent or parent.derives):
            raise refusal.handle(Rc.TYPE, _PARENT)
        transient.check_room(chip)
        made, private = _derived(parent, wish, template) if parent.derives else _ordinary(parent, wish, template)
    parameters = sized(private) + sized(made.public.encode()) + sized(made.name)
    return Reply(parameters, transient.add(chip, made))


def _read(template: bytes, wish: Wish) -> PublicArea:
    try:
        public = read_template(template)
    except TpmFormatError as malformed:
        raise refusal.parameter(malformed.rc, TEMPLATE) from malformed
    check_auth(public, wish.auth, SENSITIVE)
    return public


def _primary(chip: Chip, hierarchy: Hierarchy, wish: Wish, template: bytes) -> TpmObject:
    public = _read(template, wish)
    check_template(None, public, wish)
    return make_primary(chip, hierarchy, public, wish)


def _ordinary(parent: TpmObject, wish: Wish, template: bytes) -> tuple[TpmObject, bytes]:
    asked = _read(template, wish)
    check_template(parent, asked, wish)
    public, sensitive = create(asked, wish, RANDOM)
    made = child(public, sensitive, parent)
    return made, to_private(sensitive, public.name_alg, made.name, parent)


def _derived(parent: TpmObject, wish: Wish, template: bytes) -> tuple[TpmObject, bytes]:
    """Derive an object. It has no private area: it can be derived again."""
    try:
        asked, derivation = read_derived_template(template)
    except TpmFormatError as malformed:
        raise refusal.parameter(malformed.rc, TEMPLATE) from malformed
    check_auth(asked, wish.auth, SENSITIVE)
    if asked.type is Alg.RSA:
        raise refusal.parameter(Rc.TYPE, TEMPLATE)
    if asked.has(ObjectAttributes.SENSITIVE_DATA_ORIGIN):
        raise Refused(Rc.ATTRIBUTES)
    fault = public_fault(parent, asked)
    if fault is not None:
        raise refusal.parameter(fault, TEMPLATE)
    public, sensitive = create(asked, Wish(wish.auth, b""), derived_source(parent, _merged(derivation, wish)))
    return child(public, sensitive, parent), b""


def _merged(derivation: Derivation, wish: Wish) -> Derivation:
    try:
        return merged(derivation, wish.data)
    except TpmFormatError as malformed:
        raise Refused(malformed.rc) from malformed
