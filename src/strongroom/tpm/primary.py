# SPDX-License-Identifier: Apache-2.0
"""Primary keys: made from a seed of the TPM and a template, the same each time, and flushed after use.

Nothing that lies in the TPM already is used in their place: a persistent key may have been put there by an earlier
system (ATTACKS B16). What the TPM made is compared with what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from strongroom.crypto.tpm import object_name
from strongroom.errors import TpmFault
from strongroom.formats.tpm.algorithms import COORDINATE_BYTES, Alg, Curve
from strongroom.formats.tpm.attributes import ObjectAttributes as A
from strongroom.formats.tpm.handles import HandleType
from strongroom.formats.tpm.public_area import (
    EccParameters,
    EccPoint,
    PublicArea,
    RsaParameters,
    parse_public_area,
)
from strongroom.formats.tpm.schemes import AES_128_CFB, NO_SCHEME
from strongroom.formats.tpm.ticket import read_creation
from strongroom.formats.tpm.wire import Reader
from strongroom.tpm.capabilities import loaded_handles
from strongroom.tpm.cleanup import Released
from strongroom.tpm.command import ENDORSEMENT, Command, Entity, Key
from strongroom.tpm.commands import create_primary, flush_context
from strongroom.tpm.connection import EMPTY_PASSWORD, Answer, Connection, read_answer
from strongroom.tpm.faults import nonsense

_RSA_BITS = 2048
_ENDORSEMENT_POLICY = bytes.fromhex("837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa")
"""PolicyA of the profile: PolicySecret of the endorsement hierarchy. Encrypting a salt to the key does not need it."""

EK_TEMPLATE = PublicArea(
    Alg.RSA,
    Alg.SHA256,
    A.FIXED_TPM | A.FIXED_PARENT | A.SENSITIVE_DATA_ORIGIN | A.ADMIN_WITH_POLICY | A.RESTRICTED | A.DECRYPT,
    _ENDORSEMENT_POLICY,
    RsaParameters(AES_128_CFB, NO_SCHEME, _RSA_BITS, 0),
    bytes(_RSA_BITS // 8),
)
"""Template L-1, RSA 2048 (TCG EK Credential Profile 2.5, annex B.3.3)."""

SRK_TEMPLATE = PublicArea(
    Alg.ECC,
    Alg.SHA256,
    A.FIXED_TPM | A.FIXED_PARENT | A.SENSITIVE_DATA_ORIGIN | A.USER_WITH_AUTH | A.NO_DA | A.RESTRICTED | A.DECRYPT,
    b"",
    EccParameters(AES_128_CFB, NO_SCHEME, Curve.NIST_P256, NO_SCHEME),
    EccPoint(bytes(COORDINATE_BYTES[Curve.NIST_P256]), bytes(COORDINATE_BYTES[Curve.NIST_P256])),
)
"""Storage root key, ECC P-256 (TCG TPM v2.0 Provisioning Guidance, section 7.5.1). Linux and systemd use the same. It
is made in a millisecond, where an RSA key of the same template takes up to seconds."""


@contextmanager
def primary(connection: Connection, hierarchy: Entity, template: PublicArea) -> Iterator[Key]:
    """Make a primary key under the empty authorization of a hierarchy, and flush it at the end of the block.

    Raises TpmFault: `tpm.hierarchy-auth` where somebody set a password on it, `tpm.answer` for another key than the
    one that was asked for.
    """
    command = create_primary(hierarchy, template)
    answer = connection.run(command, EMPTY_PASSWORD)
    with Released(lambda: connection.run(flush_context(answer.handle))):
        yield _made(command, answer, template)


@contextmanager
def salt_key(connection: Connection) -> Iterator[Key]:
    """Make the key that sessions are salted with: the endorsement key. It has to be the first of a program's keys.

    Programs that were killed leave objects behind in a TPM behind /dev/tpm0, which has one user at a time. So where
    those leave no room they are flushed: nothing of it is in use.
    """
    with ExitStack() as stack:
        try:
            key = stack.enter_context(primary(connection, ENDORSEMENT, EK_TEMPLATE))
        except TpmFault as fault:
            if fault.code != "tpm.no-room":
                raise
            _flush_leftovers(connection)
            key = stack.enter_context(primary(connection, ENDORSEMENT, EK_TEMPLATE))
        yield key


def _flush_leftovers(connection: Connection) -> None:
    """Flush every object that is loaded. Linux's resource manager shows each user its own only."""
    for handle in loaded_handles(connection, HandleType.TRANSIENT):
        connection.run(flush_context(handle))


def _made(command: Command, answer: Answer, template: PublicArea) -> Key:
    """Return the key, once it is what the template asked for in everything but what makes it unique."""
    public, name = read_answer(command, answer.parameters, _read)
    if replace(public, unique=template.unique) != template or not _is_full(public):
        raise nonsense(command, "a key with other properties than those that were asked for")
    if name != object_name(public):
        raise nonsense(command, "a key under the name of another")
    return Key(Entity(answer.handle, name), public)


def _is_full(public: PublicArea) -> bool:
    """Return whether the key is as long as its parameters say, and odd: other moduli are weak, or no keys at all."""
    if isinstance(public.unique, EccPoint):
        return bool(public.unique.x and public.unique.y)
    modulus = int.from_bytes(public.unique)
    return (
        isinstance(public.parameters, RsaParameters)
        and modulus.bit_length() == public.parameters.key_bits
        and modulus % 2 == 1
    )


def _read(reader: Reader) -> tuple[PublicArea, bytes]:
    public = parse_public_area(reader.sized("a public area"))
    read_creation(reader)
    return public, reader.sized("a name")
