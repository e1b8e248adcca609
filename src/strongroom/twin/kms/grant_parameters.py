# SPDX-License-Identifier: Apache-2.0
"""Reads the grant that a CreateGrant asks for, and the principals that others name (KMS API Reference, CreateGrant)."""

from __future__ import annotations

from dataclasses import replace

from strongroom.errors import FormatError
from strongroom.keypolicy.grants import GRANT_OPERATIONS, Grant, GrantConstraints, grant_principal, grant_service
from strongroom.keypolicy.principals import Principal, PrincipalKind
from strongroom.twin.accounts import PARTITION
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.key_specs import SYMMETRIC, KeyUsage
from strongroom.twin.kms.keys import Key
from strongroom.twin.kms.parameters import Parameters

MAX_PRINCIPAL, MAX_SERVICE = 256, 128
MAX_SOURCE_ARN = 512
CONSTRAINTS = ("EncryptionContextEquals", "EncryptionContextSubset")
_ALWAYS = frozenset({"CreateGrant", "DescribeKey", "RetireGrant"})
_BY_USAGE = {
    KeyUsage.SIGN_VERIFY: frozenset({"Sign", "Verify", "GetPublicKey"}),
    KeyUsage.GENERATE_VERIFY_MAC: frozenset({"GenerateMac", "VerifyMac"}),
    KeyUsage.KEY_AGREEMENT: frozenset({"DeriveSharedSecret", "GetPublicKey"}),
}
_ENCRYPTING = frozenset({"Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo"})
_DATA_KEYS = frozenset(name for name in GRANT_OPERATIONS if name.startswith("GenerateDataKey"))
"""What can be granted on a key of each kind (KMS Developer Guide, "Grants in AWS KMS", grant operations)."""


def one_party(parameters: Parameters, role: str) -> Principal:
    """Return the principal or service in a role, `Grantee` or `Retiring`. Raises AwsFault when there is none."""
    found = party_of_two(parameters, role)
    if found is None:
        raise AwsFault("ValidationException", f"Specify either {role}Principal or {role}ServicePrincipal.")
    return found


def party_of_two(parameters: Parameters, role: str) -> Principal | None:
    """Return the principal or the service in a role, or None when neither is there. Raises AwsFault for both."""
    both = [party(parameters, f"{role}{kind}") for kind in ("Principal", "ServicePrincipal")]
    if all(both):
        raise AwsFault("ValidationException", f"Specify either {role}Principal or {role}ServicePrincipal.")
    return both[0] or both[1]


def party(parameters: Parameters, name: str) -> Principal | None:
    """Return a principal of a grant, or None when it is absent. Raises AwsFault."""
    is_service = name.endswith("ServicePrincipal")
    text = parameters.optional_text(name, maximum=MAX_SERVICE if is_service else MAX_PRINCIPAL)
    if text is None:
        return None
    try:
        found = grant_service(text) if is_service else grant_principal(text)
    except FormatError as error:
        raise AwsFault("InvalidArnException", str(error)) from error
    if found.kind is PrincipalKind.UNIQUE_ID:
        raise AwsFault("InvalidArnException", f"{name}: expected an ARN, found the unique id {text}")
    return replace(found, value=as_arn(found))


def constraints_of(parameters: Parameters) -> GrantConstraints:
    """Return the Constraints of a call. Raises FormatError for what a grant cannot have."""
    member = parameters.nested("Constraints")
    if member is None:
        return GrantConstraints()
    equals, subset = (member.context(name) if name in member.members else None for name in CONSTRAINTS)
    source = member.optional_text("SourceArn", maximum=MAX_SOURCE_ARN)
    return GrantConstraints.of(equals=equals, subset=subset, source_arn=source or "")


def expect_supported(key: Key, grant: Grant) -> None:
    """Require that the key can do what is granted (KMS API Reference, CreateGrant, Operations). Raises AwsFault."""
    possible = _ALWAYS | _BY_USAGE.get(key.usage, _ENCRYPTING)
    if key.spec.name == SYMMETRIC:
        possible |= _DATA_KEYS
    elif key.usage is KeyUsage.ENCRYPT_DECRYPT:
        possible |= {"GetPublicKey"}
    unsupported = sorted(grant.operations - possible)
    if unsupported:
        raise AwsFault(
            "ValidationException", f"{', '.join(unsupported)} cannot be granted on {key.arn}, a key of {key.spec.name}."
        )
    constraints = grant.constraints
    pairs = (constraints.encryption_context_equals, constraints.encryption_context_subset)
    if key.spec.name != SYMMETRIC and any(each is not None for each in pairs):
        raise AwsFault(
            "ValidationException", f"{key.arn} is a key of {key.spec.name}, which has no encryption context."
        )


def as_arn(principal: Principal) -> str:
    """Return a principal as KMS lists it: an account by the ARN of its root."""
    if principal.kind is PrincipalKind.ACCOUNT and ":" not in principal.value:
        return f"arn:{PARTITION}:iam::{principal.value}:root"
    return principal.value
