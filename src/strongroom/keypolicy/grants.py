# SPDX-License-Identifier: Apache-2.0
"""Grants: permissions on one key for one principal, beside the policies.

KMS Developer Guide, "Grants in AWS KMS" and "Creating grants"; KMS API Reference, CreateGrant and GrantConstraints. A
grant only allows. Its constraints know the encryption context and a source ARN and nothing else: attestation keys mean
nothing in it, so a grant opens a key without a document unless a policy denies (ATTACKS K4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from strongroom.errors import FormatError
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.principal_text import read_aws_principal, read_service_principal
from strongroom.keypolicy.principals import Principal, PrincipalKind

GRANT_OPERATIONS = frozenset(
    {
        "CreateGrant",
        "Decapsulate",
        "Decrypt",
        "DeriveSharedSecret",
        "DescribeKey",
        "Encapsulate",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GetPublicKey",
        "ReEncryptFrom",
        "ReEncryptTo",
        "RetireGrant",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)
"""What a grant can allow: GrantOperation of the KMS API model."""
MAX_CONSTRAINT_PAIRS = 8
MAX_CONSTRAINT_VALUE = 384
"""Characters of a value (KMS API Reference, CreateGrant, Constraints)."""
_API = "KMS API Reference, CreateGrant"
_ACCOUNT_FORMS = frozenset(
    {PrincipalKind.ACCOUNT, PrincipalKind.ENTITY, PrincipalKind.SESSION, PrincipalKind.UNIQUE_ID}
)


@dataclass(frozen=True, slots=True)
class GrantConstraints:
    """What a request must bring. Pairs are sorted; None asks for nothing, and `source_arn` is empty for nothing.

    KMS compares names of the context without case here, and values exactly (API Reference, GrantConstraints).
    Raises FormatError for more than 8 pairs, a value above 384 characters, or names that differ by case only.
    """

    encryption_context_equals: tuple[tuple[str, str], ...] | None = None
    encryption_context_subset: tuple[tuple[str, str], ...] | None = None
    source_arn: str = ""

    def __post_init__(self) -> None:
        for pairs in (self.encryption_context_equals, self.encryption_context_subset):
            _refuse_pairs(pairs or ())

    @classmethod
    def of(
        cls,
        *,
        equals: Mapping[str, str] | None = None,
        subset: Mapping[str, str] | None = None,
        source_arn: str = "",
    ) -> GrantConstraints:
        """Make constraints from mappings, as the API has them. Raises FormatError."""
        return cls(_pairs(equals), _pairs(subset), source_arn)

    @property
    def names(self) -> tuple[str, ...]:
        """Return what `kms:GrantConstraintType` shows: the constraints that are there."""
        named = (
            ("EncryptionContextEquals", self.encryption_context_equals is not None),
            ("EncryptionContextSubset", self.encryption_context_subset is not None),
            ("SourceArn", bool(self.source_arn)),
        )
        return tuple(name for name, present in named if present)


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant. `operations` are API names such as `Decrypt`; `retiring` may retire it, and gains no other right.

    Raises FormatError for an operation that no grant can allow, and for none at all.
    """

    grant_id: str
    key_arn: KeyArn
    issuing_account: AccountId
    grantee: Principal
    operations: frozenset[str]
    retiring: Principal | None = None
    constraints: GrantConstraints = field(default_factory=GrantConstraints)
    name: str = ""

    def __post_init__(self) -> None:
        unknown = sorted(self.operations - GRANT_OPERATIONS)
        if unknown or not self.operations:
            found = ", ".join(unknown) or "none"
            raise FormatError("keypolicy.grant-operation", f"expected operations of a grant, found {found}", spec=_API)

    def covers(self, other: Grant) -> bool:
        """Tell whether this grant's CreateGrant may make `other`: no more operations, constraints no less strict.

        KMS Developer Guide, "Granting CreateGrant permission".
        """
        return other.operations <= self.operations and _as_strict(self.constraints, other.constraints)


def grant_principal(text: str) -> Principal:
    """Read GranteePrincipal or RetiringPrincipal: an account, user, role, session or federated user.

    Raises FormatError; `*` and groups are no principals of a grant (KMS API Reference, CreateGrant).
    """
    found = read_aws_principal(text)
    if found is None or found.kind not in _ACCOUNT_FORMS:
        raise FormatError("keypolicy.grant-principal", f"expected one principal, found {text[:200]!r}", spec=_API)
    return found


def grant_service(text: str) -> Principal:
    """Read GranteeServicePrincipal or RetiringServicePrincipal, such as `ec2.amazonaws.com`. Raises FormatError."""
    found = read_service_principal(text)
    if found is None:
        raise FormatError("keypolicy.grant-principal", f"expected a service, found {text[:200]!r}", spec=_API)
    return found


def _pairs(mapping: Mapping[str, str] | None) -> tuple[tuple[str, str], ...] | None:
    return None if mapping is None else tuple(sorted(mapping.items()))


def _refuse_pairs(pairs: Iterable[tuple[str, str]]) -> None:
    names = [name.lower() for name, _ in pairs]
    if len(names) > MAX_CONSTRAINT_PAIRS or len(set(names)) < len(names):
        found = f"expected at most {MAX_CONSTRAINT_PAIRS} pairs whose names differ by more than case, found {names}"
        raise FormatError("keypolicy.grant-constraint", found, spec=_API)
    long = [name for name, value in pairs if len(value) > MAX_CONSTRAINT_VALUE]
    if long:
        found = f"expected values of at most {MAX_CONSTRAINT_VALUE} characters, found a longer one of {long[0]!r}"
        raise FormatError("keypolicy.grant-constraint", found, spec=_API)


def _as_strict(parent: GrantConstraints, child: GrantConstraints) -> bool:
    """Tell whether whatever satisfies `child` satisfies `parent` too."""
    if parent.source_arn and parent.source_arn != child.source_arn:
        return False
    exact = _lowered(child.encryption_context_equals)
    if parent.encryption_context_equals is not None and exact != _lowered(parent.encryption_context_equals):
        return False
    brought = (exact or frozenset()) | (_lowered(child.encryption_context_subset) or frozenset())
    return (_lowered(parent.encryption_context_subset) or frozenset()) <= brought


def _lowered(pairs: tuple[tuple[str, str], ...] | None) -> frozenset[tuple[str, str]] | None:
    return None if pairs is None else frozenset((name.lower(), value) for name, value in pairs)
