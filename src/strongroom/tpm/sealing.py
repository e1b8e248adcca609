# SPDX-License-Identifier: Apache-2.0
"""Seals a secret for a boot state: only this TPM gives it out, and only while its PCRs hold what was asked for.

The secret crosses to the TPM and back in sessions that are salted and encrypt it. What sealing does not give is origin:
anybody who can use the TPM can seal something else under the same policy (docs/tpm.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from strongroom.crypto.tpm import bank_digest, object_name, pcr_policy
from strongroom.errors import FormatError, TpmFault, UsageError
from strongroom.formats.pcr_meanings import pcr_sentence
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.sealed import MAX_SECRET_BYTES, SealedSecret, sealed_template
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.pcr_selection import PcrSelection
from strongroom.formats.tpm.public_area import PublicArea, parse_public_area
from strongroom.formats.tpm.response_codes import Rc, base
from strongroom.formats.tpm.ticket import read_creation
from strongroom.formats.tpm.wire import Reader
from strongroom.tpm.cleanup import Released
from strongroom.tpm.command import OWNER, Entity, Key
from strongroom.tpm.commands import create_sealed, flush_context, load, policy_pcr, unseal
from strongroom.tpm.connection import Connection, read_answer
from strongroom.tpm.faults import nonsense
from strongroom.tpm.pcrs import read_pcrs
from strongroom.tpm.primary import SRK_TEMPLATE, primary, salt_key
from strongroom.tpm.session import POLICY_SESSION, salted_session

BANK = Alg.SHA384
"""The bank that attestation documents and measurements have."""
_PCR_REFUSALS = (Rc.VALUE, Rc.PCR_CHANGED, Rc.POLICY_FAIL)


def seal_secret(connection: Connection, secret: bytes, pcrs: PcrDigests) -> SealedSecret:
    """Seal 1 to 128 bytes for these values of the SHA-384 bank, which the PCRs need not have yet.

    Whether the values are worth anything is for the caller to judge (`flows.tpm_sealing`). Raises UsageError, TpmFault.
    """
    if not 1 <= len(secret) <= MAX_SECRET_BYTES:
        raise UsageError(
            "sealed.secret-size",
            f"expected a secret of 1 to {MAX_SECRET_BYTES} bytes, found {len(secret)}",
            remedy="Seal a key, and encrypt with that.",
        )
    template = sealed_template(pcr_policy(Alg.SHA256, _selection(pcrs), pcrs))
    with _storage_key(connection) as (key, parent):
        command = create_sealed(parent, template, secret)
        with salted_session(connection, key) as session:
            private, public = read_answer(command, connection.run(command, session).parameters, _read_created)
    if replace(public, unique=b"") != template:
        raise nonsense(command, "an object with other properties than those that were asked for")
    return SealedSecret(pcrs, parent.entity.name, public, private)


def unseal_secret(connection: Connection, sealed: SealedSecret) -> bytes:
    """Return the secret. Raises TpmFault, `tpm.sealed-pcrs` where PCRs differ: it says which, and what they stand for.

    Raises FormatError for a file whose policy is not that of the PCRs it names.
    """
    selection = _selection(sealed.pcrs)
    if sealed.public.policy != pcr_policy(Alg.SHA256, selection, sealed.pcrs):
        raise FormatError(
            "sealed.policy",
            "expected the policy of the PCRs that the file names, found another: somebody changed it",
            spec="docs/formats/sealed.md",
            remedy="Seal the secret again, or take the file from where it was written.",
        )
    digest = bank_digest(Alg.SHA256, selection, sealed.pcrs)
    with (
        _storage_key(connection) as (key, parent),
        _loaded(connection, key, parent, sealed) as item,
        salted_session(connection, key, POLICY_SESSION) as session,
    ):
        command = unseal(item)
        try:
            connection.run(policy_pcr(session.entity, digest=digest, selection=selection))
            answer = connection.run(command, session)
        except TpmFault as fault:
            raise _explained(connection, sealed.pcrs, fault) from fault
    return read_answer(command, answer.parameters, lambda reader: reader.sized("a secret"))


def _selection(pcrs: PcrDigests) -> PcrSelection:
    return PcrSelection.of(BANK, pcrs)


@contextmanager
def _storage_key(connection: Connection) -> Iterator[tuple[Key, Key]]:
    """Make the key that sessions are salted with, and the key that secrets are sealed under."""
    with salt_key(connection) as key, primary(connection, OWNER, SRK_TEMPLATE) as parent:
        yield key, parent


@contextmanager
def _loaded(connection: Connection, key: Key, parent: Key, sealed: SealedSecret) -> Iterator[Entity]:
    """Load the sealed object, and flush it at the end of the block."""
    if sealed.parent != parent.entity.name:
        raise TpmFault(
            "tpm.sealed-elsewhere",
            "the secret was sealed in another TPM, or in this one before it was cleared",
            remedy="A sealed secret lasts as long as its TPM: keep another copy of what you cannot lose.",
        )
    command = load(parent, private=sealed.private, public=sealed.public)
    with salted_session(connection, key) as session:
        answer = connection.run(command, session)
    with Released(lambda: connection.run(flush_context(answer.handle))):
        name = read_answer(command, answer.parameters, lambda reader: reader.sized("a name"))
        if name != object_name(sealed.public):
            raise nonsense(command, "an object under the name of another")
        yield Entity(answer.handle, name)


def _explained(connection: Connection, expected: PcrDigests, fault: TpmFault) -> TpmFault:
    """Return the fault with the PCRs that differ, where they are why; they are public, so anybody may compare them."""
    if fault.rc is None or base(fault.rc) not in _PCR_REFUSALS:
        return fault
    found = read_pcrs(connection, BANK, expected)
    differing = [index for index in expected if found[index] != expected[index]]
    if not differing:
        return fault
    each = (
        f"PCR{index} ({pcr_sentence(index, found[index])}) is {found[index].hex()}, not {expected[index].hex()}"
        for index in differing
    )
    return TpmFault(
        "tpm.sealed-pcrs",
        f"the secret was sealed for another boot state: {'; '.join(each)}",
        rc=fault.rc,
        remedy="`strongroom explain` finds out what moved, from measurements and an event log.",
    )


def _read_created(reader: Reader) -> tuple[bytes, PublicArea]:
    private = reader.sized("a private area")
    public = parse_public_area(reader.sized("a public area"))
    read_creation(reader)
    return private, public
