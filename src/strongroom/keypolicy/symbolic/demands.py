# SPDX-License-Identifier: Apache-2.0
"""What the question and the grants ask of single condition keys, beside the conditions of the policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from strongroom.formats.pcrs import PcrIndex
from strongroom.keypolicy.grants import GrantConstraints
from strongroom.keypolicy.kms_keys import ENCRYPTION_CONTEXT, ENCRYPTION_CONTEXT_KEYS, NITROTPM_PCR
from strongroom.keypolicy.symbolic.patterns import Pattern, any_case, exactly
from strongroom.keypolicy.symbolic.question import Question
from strongroom.keypolicy.symbolic.variables import CaseTest

GRANT_OPERATIONS_KEY = "kms:grantoperations"
CONTEXT_KEYS = ENCRYPTION_CONTEXT_KEYS.lower()
OPENING_OPERATIONS = frozenset(
    {
        "CreateGrant",
        "Decapsulate",
        "Decrypt",
        "DeriveSharedSecret",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "ReEncryptFrom",
    }
)
"""What a grant is dangerous for: it gives out key material, or a way to it."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One test on one condition key, in lower case. It tells `texts`, and `names` in any case, from other values."""

    key: str
    holds: CaseTest
    texts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def patterns(self) -> list[Pattern]:
        """Return what it tells from other values. Raises Unreadable for names with letters of no simple case."""
        return [*map(exactly, self.texts), *map(any_case, self.names)]


def pcr_is(index: PcrIndex, value: bytes) -> Demand:
    """Ask for a PCR of a NitroTPM document."""
    return is_text(f"{NITROTPM_PCR}{index}".lower(), value.hex())


def is_text(key: str, text: str) -> Demand:
    """Ask for exactly one text."""
    return Demand(key, lambda facts: facts.get(key) == (text,), texts=(text,))


def has_context_key(name: str) -> Demand:
    """Ask for a name among those of the encryption context."""
    lower = name.lower()
    return Demand(CONTEXT_KEYS, lambda facts: lower in _lowered(facts), names=(name,))


def no_other_context_keys(names: frozenset[str]) -> Demand:
    """Ask for these names, in lower case, at most."""
    return Demand(CONTEXT_KEYS, lambda facts: _lowered(facts) <= names, names=tuple(sorted(names)))


def makes_only(operations: frozenset[str]) -> Demand:
    """Ask for a grant of these operations at most."""
    return Demand(GRANT_OPERATIONS_KEY, lambda facts: set(facts.get(GRANT_OPERATIONS_KEY, ())) <= operations)


OPENS = Demand(GRANT_OPERATIONS_KEY, lambda facts: bool(OPENING_OPERATIONS & set(facts.get(GRANT_OPERATIONS_KEY, ()))))
"""Ask for a grant that opens."""


def of_constraints(constraints: GrantConstraints, *, takes_context: bool) -> Iterator[Demand]:
    """Yield what a grant's constraints ask of a request (tracing.traced_grant)."""
    if constraints.source_arn:
        yield is_text("aws:sourcearn", constraints.source_arn)
    if not takes_context:
        return
    equals, subset = constraints.encryption_context_equals, constraints.encryption_context_subset
    pairs = (*(equals or ()), *(subset or ()))
    for name, value in pairs:
        yield has_context_key(name)
        yield is_text(f"{ENCRYPTION_CONTEXT}{name}".lower(), value)
    if equals is not None:
        yield no_other_context_keys(frozenset(name.lower() for name, _ in pairs))


def demands(question: Question) -> list[Demand]:
    """Return everything that may be asked of a request of this question."""
    found = [pcr_is(*each) for each in sorted({pair for each in question.allowed or () for pair in each.items()})]
    for grant in question.grants:
        found += of_constraints(grant.constraints, takes_context=True)
        if "CreateGrant" in grant.operations:
            found.append(makes_only(grant.operations))
    return [*found, OPENS]


def _lowered(facts: Mapping[str, tuple[str, ...]]) -> set[str]:
    return {name.lower() for name in facts.get(CONTEXT_KEYS, ())}
