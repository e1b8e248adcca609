# SPDX-License-Identifier: Apache-2.0
"""What holds of every request to KMS, whoever makes it: which parts of it exclude each other, or come together.

Each clause here is a rule of `keypolicy.context`, with the source that stands there. A rule that is missing lets the
search look at requests that nobody can make: then a witness is not confirmed, but nothing is called impossible wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from strongroom.keypolicy.condition_key import Source
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.global_keys import PRINCIPAL_TAG
from strongroom.keypolicy.kms_keys import ENCLAVE_IMAGE, ENCLAVE_PCR, ENCRYPTION_CONTEXT, NITROTPM_PCR
from strongroom.keypolicy.operations import CREATE_GRANT, OPERATIONS
from strongroom.keypolicy.symbolic.demands import CONTEXT_KEYS, GRANT_OPERATIONS_KEY
from strongroom.keypolicy.symbolic.solver import Clause
from strongroom.keypolicy.symbolic.space import ENCLAVE, NITROTPM, NONE, Space
from strongroom.keypolicy.symbolic.variables import CaseTest, Literal

_CONTEXT = ENCRYPTION_CONTEXT.lower()
_ENCLAVE_KEYS = (ENCLAVE_PCR.lower(), ENCLAVE_IMAGE.lower())
_VIA, _FOR_RESOURCE, _BY_SERVICE = "kms:viaservice", "kms:grantisforawsresource", "aws:viaawsservice"
_CALLED_VIA = "aws:calledvia"
_CHAIN = (_CALLED_VIA, "aws:calledviafirst", "aws:calledvialast")


def domains(space: Space, action: str) -> list[int]:
    """Return for each variable the cases that a request for this action can have: keys that it cannot have are out."""
    found = [variable.every for variable in space.variables]
    for key, at in space.asked_keys():
        row = find_condition_key(key)
        if row is None or action not in row.operations:
            found[at] &= space.absent(key).cases
    if not OPERATIONS[action].attested:
        variable, cases = space.document(NONE)
        found[variable] &= cases
    return found


def relations(space: Space, action: str) -> Iterator[Clause]:
    """Yield the clauses that every request for this action satisfies."""
    for rule in (_of_document, _of_context, _of_services, _of_network, _of_key, _of_grant):
        for literals in rule(space, action):
            yield Clause(tuple((literal,) for literal in literals))


def habits(space: Space) -> Iterator[Clause]:
    """Yield what holds of requests that `keypolicy.context` can make, and that AWS does not say of all there are.

    A service in between need not be one of those that fill kms:ViaService or aws:CalledVia (KMS Developer Guide,
    kms:ViaService; IAM User Guide, aws:CalledVia).
    """
    named = ((_FOR_RESOURCE, (_VIA,)), (_BY_SERVICE, (_VIA, _CALLED_VIA)))
    for key, names in named:
        if all(map(space.has, (key, *names))):
            literals = (_true(space, key, are=False), *map(space.present, names))
            yield Clause(tuple((literal,) for literal in literals))


def _of_document(space: Space, action: str) -> Iterator[list[Literal]]:
    """Require that a document's keys are there only with a document of their kind (KMS Developer Guide)."""
    if not OPERATIONS[action].attested:
        return
    for key, _ in space.asked_keys():
        if key.startswith(NITROTPM_PCR.lower()):
            yield [space.absent(key), space.document(NITROTPM)]
        elif key.startswith(_ENCLAVE_KEYS):
            yield [space.absent(key), space.document(ENCLAVE)]


def _of_context(space: Space, action: str) -> Iterator[list[Literal]]:
    """`kms:EncryptionContextKeys` names exactly what is in the encryption context."""
    for key, _ in space.asked_keys():
        if not key.startswith(_CONTEXT):
            continue
        name = key.removeprefix(_CONTEXT)
        if space.has(CONTEXT_KEYS):
            yield [space.absent(key), space.where(CONTEXT_KEYS, _naming(name))]
            yield [space.present(key), space.where(CONTEXT_KEYS, _not_naming(name))]
        if action == CREATE_GRANT and space.has("kms:grantconstrainttype"):
            yield [space.absent(key), space.present("kms:grantconstrainttype")]


def _naming(name: str) -> CaseTest:
    return lambda facts: name in {each.lower() for each in facts.get(CONTEXT_KEYS, ())}


def _not_naming(name: str) -> CaseTest:
    return lambda facts: name not in {each.lower() for each in facts.get(CONTEXT_KEYS, ())}


def _of_services(space: Space, action: str) -> Iterator[list[Literal]]:
    """Require that a service by itself has no credentials, and that what says a service is in between agrees."""
    for key, _ in space.asked_keys():
        row = find_condition_key(key)
        if row is not None and (row.source is Source.CREDENTIALS or key.startswith(PRINCIPAL_TAG.lower())):
            yield [space.absent(key), space.called_by(lambda caller: not caller.is_service)]
    for key in (_FOR_RESOURCE, _BY_SERVICE):
        row = find_condition_key(key)
        if space.has(key) and row is not None and action in row.operations:
            yield [space.present(key)]
            yield from _implied(space, _VIA, key)
    if space.has(_BY_SERVICE):
        yield from _implied(space, _CALLED_VIA, _BY_SERVICE)
    yield from _together(space, *_CHAIN)


def _implied(space: Space, cause: str, effect: str) -> Iterator[list[Literal]]:
    if space.has(cause):
        yield [space.absent(cause), _true(space, effect)]


def _true(space: Space, key: str, *, are: bool = True) -> Literal:
    return space.where(key, lambda facts: (facts.get(key) == ("true",)) is are)


def _together(space: Space, *keys: str) -> Iterator[list[Literal]]:
    """Require all of these, or none."""
    known = [key for key in keys if space.has(key)]
    for one, other in pairwise([*known, *known[:1]] if len(known) > 1 else []):
        yield [space.absent(one), space.present(other)]


def _of_network(space: Space, _: str) -> Iterator[list[Literal]]:
    """Require no public address of a request through a VPC endpoint (IAM User Guide, aws:SourceIp)."""
    if space.has("aws:sourceip") and space.has("aws:sourcevpce"):
        yield [space.absent("aws:sourceip"), space.absent("aws:sourcevpce")]


def _of_key(space: Space, action: str) -> Iterator[list[Literal]]:
    """Require a primary or replica to be a multi-Region key, and an algorithm of what encrypts a data key."""
    kind, several = "kms:multiregionkeytype", "kms:multiregion"
    if space.has(kind) and space.has(several):
        yield [space.absent(kind), _true(space, several)]
        yield [space.present(kind), _true(space, several, are=False)]
    algorithm = "kms:encryptionalgorithm"
    if space.has(algorithm) and OPERATIONS[action].takes_context and action.startswith("kms:GenerateDataKey"):
        yield [space.present(algorithm)]


def _of_grant(space: Space, action: str) -> Iterator[list[Literal]]:
    """Require one principal or one service of a grant, and some operation (KMS API Reference, CreateGrant)."""
    if action != CREATE_GRANT:
        return
    if space.has(GRANT_OPERATIONS_KEY):
        yield [space.present(GRANT_OPERATIONS_KEY)]
    for role in ("grantee", "retiring"):
        person, service = f"kms:{role}principal", f"kms:{role}serviceprincipal"
        if space.has(person) and space.has(service):
            yield [space.absent(person), space.absent(service)]
            if role == "grantee":
                yield [space.present(person), space.present(service)]
