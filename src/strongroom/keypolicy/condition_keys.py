# SPDX-License-Identifier: Apache-2.0
"""The condition keys this evaluator knows, in ONE table.

KMS Developer Guide, "AWS KMS condition keys", "Condition keys for AWS Nitro Enclaves", "... for NitroTPM"; IAM User
Guide, "AWS global condition context keys". A key that is not here is an error when a policy is parsed: taken as
absent it would quietly make a negated condition true. Every key here is filled by `context.request_context`, or is
truly absent from the request. To add one, add a row here and its source there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.formats.pcrs import PCR_COUNT
from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.operators import ValueKind

NITROTPM_PCR = "kms:RecipientAttestation:NitroTPMPCR"
ENCLAVE_PCR = "kms:RecipientAttestation:PCR"
ENCLAVE_IMAGE = "kms:RecipientAttestation:ImageSha384"
ENCRYPTION_CONTEXT = "kms:EncryptionContext:"
ENCRYPTION_CONTEXT_KEYS = "kms:EncryptionContextKeys"

_ATTESTED = frozenset(action for action, row in OPERATIONS.items() if row.attested)
_WITH_CONTEXT = frozenset(action for action, row in OPERATIONS.items() if row.takes_context)
_ON_KEY = frozenset(action for action, row in OPERATIONS.items() if row.on_key)
_GRANTS = frozenset({"kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"})
_ALL = frozenset(OPERATIONS)


@dataclass(frozen=True, slots=True)
class ConditionKey:
    """One row. `name` has AWS's spelling; a name that ends in a colon is followed by any context key.

    `operations` are the actions with which the key can be present at all.
    """

    name: str
    kind: ValueKind = ValueKind.STRING
    multivalued: bool = False
    operations: frozenset[str] = _ALL


def _attestation() -> Iterator[ConditionKey]:
    yield ConditionKey(ENCLAVE_IMAGE, operations=_ATTESTED)
    for index in range(PCR_COUNT):
        yield ConditionKey(f"{ENCLAVE_PCR}{index}", operations=_ATTESTED)
        yield ConditionKey(f"{NITROTPM_PCR}{index}", operations=_ATTESTED)


_ENCRYPTION_CONTEXT_ROW = ConditionKey(ENCRYPTION_CONTEXT, operations=_WITH_CONTEXT)
CONDITION_KEYS: dict[str, ConditionKey] = {
    row.name.lower(): row
    for row in (
        *_attestation(),
        _ENCRYPTION_CONTEXT_ROW,
        ConditionKey(ENCRYPTION_CONTEXT_KEYS, multivalued=True, operations=_WITH_CONTEXT),
        ConditionKey("kms:CallerAccount", operations=_ON_KEY),
        ConditionKey("kms:ViaService", operations=_ON_KEY),
        ConditionKey("kms:GrantIsForAWSResource", ValueKind.BOOL, operations=_GRANTS),
        ConditionKey("aws:CurrentTime", ValueKind.DATE),
        ConditionKey("aws:EpochTime", ValueKind.DATE),
        ConditionKey("aws:PrincipalAccount"),
        ConditionKey("aws:PrincipalArn", ValueKind.ARN),
        ConditionKey("aws:PrincipalOrgID"),
        ConditionKey("aws:RequestedRegion"),
        ConditionKey("aws:ResourceAccount"),
        ConditionKey("aws:SecureTransport", ValueKind.BOOL),
        ConditionKey("aws:SourceIp", ValueKind.IP),
        ConditionKey("aws:SourceVpce"),
        ConditionKey("aws:ViaAWSService", ValueKind.BOOL),
    )
}
"""By lower-case name: condition key names are not case-sensitive."""

_PREFIX = ENCRYPTION_CONTEXT.lower()


def find_condition_key(name: str) -> ConditionKey | None:
    """Return the row for a key's name in any case, or None."""
    lower = name.lower()
    if lower.startswith(_PREFIX):
        return _ENCRYPTION_CONTEXT_ROW if len(lower) > len(_PREFIX) else None
    return CONDITION_KEYS.get(lower)


def canonical_name(name: str, row: ConditionKey) -> str:
    """Spell a key as AWS does. A context key keeps its own spelling after the prefix."""
    return row.name + name[len(row.name) :] if row.name.endswith(":") else row.name
