# SPDX-License-Identifier: Apache-2.0
"""Moving objects from one parent to another, of this TPM or not (Part 3, section 13; Part 1, section 23)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from strongroom.crypto.tpm import object_name
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attributes import ObjectAttributes
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.public_area import PublicArea
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.schemes import Symmetric, read_symmetric
from strongroom.formats.tpm.wire import TpmFormatError, sized
from strongroom.twin.nitrotpm import refusal
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.secret_sharing import DUPLICATE, opened_seed, shared_seed
from strongroom.twin.nitrotpm.objects.loading import check_loadable
from strongroom.twin.nitrotpm.objects.protection import (
    Protector,
    decode_sensitive,
    encode_sensitive,
    to_private,
    unwrap,
    unwrap_inner,
    wrap,
    wrap_inner,
)
from strongroom.twin.nitrotpm.objects.rules import takes_seeds
from strongroom.twin.nitrotpm.parameters import DATA, MAX_PRIVATE_BYTES, NAME, PRIVATE, PUBLIC, SECRET
from strongroom.twin.nitrotpm.refusal import Refused
from strongroom.twin.nitrotpm.registry import OBJECT, OBJECT_OR_NULL, Parameter, Reply, Role, Trait, command
from strongroom.twin.nitrotpm.state.chip import Chip
from strongroom.twin.nitrotpm.state.entities import Hierarchy
from strongroom.twin.nitrotpm.state.objects import Sensitive, TpmObject

_SYMMETRIC = Parameter(read_symmetric)
_OBJECT, _NEW_PARENT = 1, 2
_OLD_PARENT = _PARENT = 1
_ENCRYPTION_KEY = 1


@command(Cc.DUPLICATE, DATA, _SYMMETRIC, handles=(OBJECT.authorized(Role.DUP), OBJECT_OR_NULL), traits=Trait.ENCRYPTS)
def duplicate(_chip: Chip, call: Call, key: bytes, symmetric: Symmetric) -> Reply:
    """Return an object's secrets for another parent: under its key, under a key that is told, under both or none."""
    found = call.object(_OBJECT)
    if found.has(ObjectAttributes.FIXED_PARENT):
        raise refusal.handle(Rc.ATTRIBUTES, _OBJECT)
    if found.public.name_alg is Alg.NULL:
        raise refusal.handle(Rc.TYPE, _OBJECT)
    parent = _new_parent_of(call)
    _check_encrypted(found, parent, symmetric)
    _check_key(symmetric, key, may_be_made=True)
    blob, told = encode_sensitive(found.secret, found.public.name_alg), b""
    if symmetric.algorithm is not Alg.NULL:
        told = b"" if key else secrets.token_bytes(symmetric.key_bits // 8)
        blob = wrap_inner(found.public.name_alg, found.name, key or told, blob)
    seed_secret = b""
    if parent is not None:
        seed, seed_secret = shared_seed(parent.public, DUPLICATE)
        blob = wrap(Protector.with_seed(parent.public, seed), found.name, blob)
    return Reply(sized(told) + sized(blob) + sized(seed_secret))


def _new_parent_of(call: Call) -> TpmObject | None:
    """Return the new parent, None for NULL. Raises Refused (TYPE) for what no seed can be encrypted to."""
    if isinstance(call.found[_NEW_PARENT - 1], Hierarchy):
        return None
    parent = call.object(_NEW_PARENT)
    if not takes_seeds(parent.public):
        raise refusal.handle(Rc.TYPE, _NEW_PARENT)
    return parent


def _check_encrypted(found: TpmObject, parent: TpmObject | None, symmetric: Symmetric) -> None:
    """Refuse what would leave an object in clear that wants both wraps."""
    if found.has(ObjectAttributes.ENCRYPTED_DUPLICATION):
        if symmetric.algorithm is Alg.NULL:
            raise refusal.parameter(Rc.SYMMETRIC, 2)
        if parent is None:
            raise refusal.handle(Rc.HIERARCHY, _NEW_PARENT)


def _check_key(symmetric: Symmetric, key: bytes, *, may_be_made: bool) -> None:
    """Refuse a key that is not one of the cipher, or is there without one."""
    expected = symmetric.key_bits // 8
    if len(key) != expected and not (may_be_made and not key):
        raise refusal.parameter(Rc.SIZE, _ENCRYPTION_KEY)


@command(
    Cc.REWRAP,
    PRIVATE,
    NAME,
    SECRET,
    handles=(OBJECT_OR_NULL.authorized(), OBJECT_OR_NULL),
    traits=Trait.ENCRYPTS,
)
def rewrap(chip: Chip, call: Call, blob: bytes, name: bytes, secret: bytes) -> Reply:
    """Take a duplicate from one parent to another without loading what it is of: the inner wrap stays."""
    from_parent = not isinstance(call.found[_OLD_PARENT - 1], Hierarchy)
    if from_parent != bool(secret):
        raise refusal.handle(Rc.HANDLE, _OLD_PARENT)
    if from_parent:
        old = call.object(_OLD_PARENT)
        if not takes_seeds(old.public):
            raise refusal.handle(Rc.TYPE, _OLD_PARENT)
        blob = unwrap(_protector(chip, old, secret), name, blob, number=1)
    parent, new_secret = _new_parent_of(call), b""
    if parent is not None:
        seed, new_secret = shared_seed(parent.public, DUPLICATE)
        blob = wrap(Protector.with_seed(parent.public, seed), name, blob)
        if len(blob) > MAX_PRIVATE_BYTES:
            raise refusal.parameter(Rc.VALUE, 1)
    return Reply(sized(blob) + sized(new_secret))


def _protector(chip: Chip, old: TpmObject, secret: bytes) -> Protector:
    try:
        return Protector.with_seed(old.public, opened_seed(chip, old, secret, DUPLICATE, number=3))
    except Refused as refused:
        raise refusal.parameter(Rc.VALUE, 3) from refused


@dataclass(frozen=True, slots=True)
class _Wrapped:
    """A duplicate that is being imported, and what opens it."""

    blob: bytes
    secret: bytes
    symmetric: Symmetric
    key: bytes


@command(Cc.IMPORT, DATA, PUBLIC, PRIVATE, SECRET, _SYMMETRIC, handles=(OBJECT.authorized(),), traits=Trait.ENCRYPTS)
def import_object(
    chip: Chip, call: Call, key: bytes, public: PublicArea, blob: bytes, secret: bytes, symmetric: Symmetric
) -> Reply:
    """Take a duplicate over: return its private area under this parent."""
    if public.attributes & (ObjectAttributes.FIXED_TPM | ObjectAttributes.FIXED_PARENT):
        raise refusal.parameter(Rc.ATTRIBUTES, 2)
    parent = call.object(_PARENT)
    if not parent.is_parent:
        raise refusal.handle(Rc.TYPE, _PARENT)
    _check_key(symmetric, key, may_be_made=False)
    wrapped = _Wrapped(blob, secret, symmetric, key)
    name = object_name(public)
    sensitive = _opened(chip, parent, public, name, wrapped)
    if parent.has(ObjectAttributes.FIXED_TPM):
        # Under such a parent nothing is checked again when it is loaded.
        check_loadable(None, public, sensitive, public_number=2, sensitive_number=3)
    return Reply(sized(to_private(sensitive, public.name_alg, name, parent)))


def _opened(chip: Chip, parent: TpmObject, public: PublicArea, name: bytes, wrapped: _Wrapped) -> Sensitive:
    must_be_encrypted = public.has(ObjectAttributes.ENCRYPTED_DUPLICATION)
    has_inner = wrapped.symmetric.algorithm is not Alg.NULL
    if must_be_encrypted and not has_inner:
        raise refusal.parameter(Rc.ATTRIBUTES, _ENCRYPTION_KEY)
    data = wrapped.blob
    if wrapped.secret:
        if not takes_seeds(parent.public):
            raise refusal.handle(Rc.TYPE, _PARENT)
        seed = opened_seed(chip, parent, wrapped.secret, DUPLICATE, number=4)
        data = unwrap(Protector.with_seed(parent.public, seed), name, data, number=3)
    elif must_be_encrypted:
        raise refusal.parameter(Rc.ATTRIBUTES, 4)
    if has_inner:
        data = unwrap_inner(public.name_alg, name, wrapped.key, data, number=3)
    try:
        return decode_sensitive(data)
    except TpmFormatError as malformed:
        raise refusal.parameter(malformed.rc, 3) from malformed
