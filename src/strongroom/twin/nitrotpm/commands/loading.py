# SPDX-License-Identifier: Apache-2.0
"""Loading objects (Part 3, sections 12.2 and 12.3)."""

from __future__ import annotations

from strongroom.crypto.tpm import object_name
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.handles import Rh
from strongroom.formats.tpm.public_area import PublicArea
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.objects import transient
from strongroom.twin.nitrotpm.objects.loading import check_loadable, check_primes
from strongroom.twin.nitrotpm.objects.protection import from_private
from strongroom.twin.nitrotpm.parameters import HIERARCHY, PRIVATE, PUBLIC, PUBLIC_OR_NAMELESS
from strongroom.twin.nitrotpm.registry import OBJECT, Parameter, Reply, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.objects import Sensitive, child, external, read_sensitive

_PARENT = 1
_PRIVATE, _PUBLIC, _HIERARCHY = 1, 2, 3
_OF_THIS_TPM = ObjectAttributes.FIXED_TPM | ObjectAttributes.FIXED_PARENT | ObjectAttributes.RESTRICTED
_SIZE_BYTES = 2


def _sensitive(reader: Reader) -> Sensitive | None:
    """Take TPM2B_SENSITIVE off; an empty one stands for a public part alone."""
    if reader.peek(_SIZE_BYTES) == bytes(_SIZE_BYTES):
        reader.take(_SIZE_BYTES, "the size of a sensitive area")
        return None
    return reader.structure(read_sensitive, "a sensitive area")


@command(
    Cc.LOAD,
    PRIVATE,
    PUBLIC,
    handles=(OBJECT.authorized(),),
    traits=Trait.RETURNS_HANDLE | Trait.ENCRYPTS,
)
def load(chip: Chip, call: Call, private: bytes, public: PublicArea) -> Reply:
    """Load an object that was made under this parent."""
    transient.check_room(chip)
    if not private:
        raise refusal.parameter(Rc.SIZE, _PRIVATE)
    parent = call.object(_PARENT)
    if not parent.is_parent:
        raise refusal.handle(Rc.TYPE, _PARENT)
    sensitive = from_private(private, object_name(public), parent, number=_PRIVATE)
    check_loadable(parent, public, sensitive, public_number=_PUBLIC, sensitive_number=_PRIVATE)
    check_primes(public, sensitive)
    loaded = child(public, sensitive, parent)
    return Reply(sized(loaded.name), transient.add(chip, loaded))


@command(
    Cc.LOAD_EXTERNAL,
    Parameter(_sensitive, is_sized=True),
    PUBLIC_OR_NAMELESS,
    HIERARCHY,
    traits=Trait.RETURNS_HANDLE | Trait.ENCRYPTS,
)
def load_external(chip: Chip, _call: Call, sensitive: Sensitive | None, public: PublicArea, hierarchy: Rh) -> Reply:
    """Load what someone else made: a public part for any hierarchy, a whole key for none."""
    transient.check_room(chip)
    if not chip.hierarchies[hierarchy].enabled:
        raise refusal.parameter(Rc.HIERARCHY, _HIERARCHY)
    if sensitive is not None:
        if hierarchy is not Rh.NULL:
            raise refusal.parameter(Rc.HIERARCHY, _HIERARCHY)
        if public.attributes & _OF_THIS_TPM:
            raise refusal.parameter(Rc.ATTRIBUTES, _PUBLIC)
    check_loadable(None, public, sensitive, public_number=_PUBLIC, sensitive_number=_PRIVATE)
    if sensitive is not None:
        check_primes(public, sensitive)
    loaded = external(public, sensitive, hierarchy)
    return Reply(sized(loaded.name), transient.add(chip, loaded))
