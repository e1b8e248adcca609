# SPDX-License-Identifier: Apache-2.0
"""KMS's own condition keys.

KMS Developer Guide, "AWS KMS condition keys" (each with its type and operations), "AWS KMS permissions" (the keys of
each operation), "Condition keys for AWS Nitro Enclaves", "... for NitroTPM".
"""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.formats.pcrs import PCR_COUNT
from strongroom.keypolicy.condition_key import ConditionKey, Source
from strongroom.keypolicy.operations import CREATE_GRANT, OPERATIONS, PREFIX, RETIRE_GRANT
from strongroom.keypolicy.operators import ValueKind

NITROTPM_PCR = "kms:RecipientAttestation:NitroTPMPCR"
ENCLAVE_PCR = "kms:RecipientAttestation:PCR"
ENCLAVE_IMAGE = "kms:RecipientAttestation:ImageSha384"
ENCRYPTION_CONTEXT = "kms:EncryptionContext:"
ENCRYPTION_CONTEXT_KEYS = "kms:EncryptionContextKeys"

_ON_KEY = frozenset(action for action, row in OPERATIONS.items() if row.on_key)
_STORES = frozenset(action for action in OPERATIONS if "CustomKeyStore" in action)
_ATTESTED = frozenset(action for action, row in OPERATIONS.items() if row.attested)
_TAKES_CONTEXT = frozenset(action for action, row in OPERATIONS.items() if row.takes_context)
# The two about grants show the context of the grant's constraints.
_WITH_CONTEXT = _TAKES_CONTEXT | {CREATE_GRANT, RETIRE_GRANT}
_NAMED_BY_ALIAS = frozenset(action for action, row in OPERATIONS.items() if row.cryptographic and row.on_key)
_MAKES_KEY = frozenset({"kms:CreateKey"})


def _on(*names: str) -> frozenset[str]:
    return frozenset(PREFIX + name for name in names)


def _attestation() -> Iterator[ConditionKey]:
    yield ConditionKey(ENCLAVE_IMAGE, Source.DOCUMENT, operations=_ATTESTED)
    for index in range(PCR_COUNT):
        yield ConditionKey(f"{ENCLAVE_PCR}{index}", Source.DOCUMENT, operations=_ATTESTED)
        yield ConditionKey(f"{NITROTPM_PCR}{index}", Source.DOCUMENT, operations=_ATTESTED)


def _of_key() -> Iterator[ConditionKey]:
    of_key = _ON_KEY | _MAKES_KEY
    for name in ("KeyOrigin", "KeySpec", "KeyUsage", "CustomerMasterKeySpec", "CustomerMasterKeyUsage"):
        yield ConditionKey(f"kms:{name}", Source.KEY, operations=of_key)  # the last two are the old names
    yield ConditionKey("kms:MultiRegion", Source.KEY, ValueKind.BOOL, operations=of_key)
    yield ConditionKey("kms:MultiRegionKeyType", Source.KEY, operations=of_key)
    yield ConditionKey("kms:ResourceAliases", Source.KEY, multivalued=True, operations=_ON_KEY, identity_only=True)
    idle = _on("DisableKey", "ScheduleKeyDeletion")
    yield ConditionKey("kms:TrailingDaysWithoutKeyUsage", Source.KEY, ValueKind.NUMERIC, operations=idle)


def _of_grant() -> Iterator[ConditionKey]:
    made = frozenset({CREATE_GRANT})
    yield ConditionKey("kms:GrantOperations", Source.GRANT, multivalued=True, operations=made)
    yield ConditionKey("kms:GrantConstraintType", Source.GRANT, operations=made | {RETIRE_GRANT})
    for name in ("GranteePrincipal", "RetiringPrincipal", "GrantConstraintSourceArn"):
        yield ConditionKey(f"kms:{name}", Source.GRANT, ValueKind.ARN, operations=made)
    for name in ("GranteeServicePrincipal", "RetiringServicePrincipal"):
        yield ConditionKey(f"kms:{name}", Source.GRANT, operations=made)
    asked = _on("CreateGrant", "ListGrants", "RevokeGrant")
    yield ConditionKey("kms:GrantIsForAWSResource", Source.SERVICE, ValueKind.BOOL, operations=asked)


def _parameter(name: str, *operations: str, kind: ValueKind = ValueKind.STRING) -> ConditionKey:
    return ConditionKey(f"kms:{name}", Source.PARAMETER, kind, operations=_on(*operations))


def _parameters() -> Iterator[ConditionKey]:
    yield _parameter("BypassPolicyLockoutSafetyCheck", "CreateKey", "PutKeyPolicy", kind=ValueKind.BOOL)
    yield _parameter("DataKeyPairSpec", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext")
    # The operations with an encryption context are those with a symmetric algorithm; Encrypt and others take both.
    yield ConditionKey("kms:EncryptionAlgorithm", Source.PARAMETER, operations=_TAKES_CONTEXT)
    yield _parameter("ExpirationModel", "ImportKeyMaterial")
    yield _parameter("ValidTo", "ImportKeyMaterial", kind=ValueKind.TIMESTAMP)
    yield _parameter("KeyAgreementAlgorithm", "DeriveSharedSecret")
    yield _parameter("MacAlgorithm", "GenerateMac", "VerifyMac")
    yield _parameter("MessageType", "Sign", "Verify")
    yield _parameter("SigningAlgorithm", "Sign", "Verify")
    yield _parameter("PrimaryRegion", "UpdatePrimaryRegion")
    yield _parameter("ReplicaRegion", "ReplicateKey")
    yield _parameter("ReEncryptOnSameKey", "ReEncryptFrom", "ReEncryptTo", kind=ValueKind.BOOL)
    seen = _NAMED_BY_ALIAS | _on("DescribeKey", "GetPublicKey")
    yield ConditionKey("kms:RequestAlias", Source.PARAMETER, operations=seen)
    yield _parameter("RotationPeriodInDays", "EnableKeyRotation", kind=ValueKind.NUMERIC)
    yield _parameter("ScheduleKeyDeletionPendingWindowInDays", "ScheduleKeyDeletion", kind=ValueKind.NUMERIC)
    yield _parameter("WrappingAlgorithm", "GetParametersForImport")
    yield _parameter("WrappingKeySpec", "GetParametersForImport")


KMS_KEYS: tuple[ConditionKey, ...] = (
    *_attestation(),
    ConditionKey(ENCRYPTION_CONTEXT, Source.CONTEXT, operations=_WITH_CONTEXT),
    ConditionKey(ENCRYPTION_CONTEXT_KEYS, Source.CONTEXT, multivalued=True, operations=_WITH_CONTEXT),
    ConditionKey("kms:CallerAccount", Source.CALLER, operations=_ON_KEY | _STORES | _MAKES_KEY),
    ConditionKey("kms:ViaService", Source.SERVICE, operations=_ON_KEY | _MAKES_KEY),
    *_of_key(),
    *_of_grant(),
    *_parameters(),
)
