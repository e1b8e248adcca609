# SPDX-License-Identifier: Apache-2.0
"""The KMS operations this evaluator knows, in ONE table.

KMS Developer Guide, "AWS KMS permissions" (key use, cross-account use) and "Condition keys for NitroTPM" (which
operations take an attestation document); KMS API model (which take an encryption context). To add one, add a row.
"""

from __future__ import annotations

from dataclasses import dataclass

PREFIX = "kms:"
CREATE_GRANT, RETIRE_GRANT = "kms:CreateGrant", "kms:RetireGrant"


@dataclass(frozen=True, slots=True)
class Operation:
    """One row. `on_key`: a key policy applies. `cross_account`: another account's principals may use it."""

    name: str
    on_key: bool = True
    cross_account: bool = False
    attested: bool = False
    takes_context: bool = False
    cryptographic: bool = False


def _rows() -> tuple[Operation, ...]:
    def use(name: str, **facts: bool) -> Operation:
        return Operation(name, cross_account=True, cryptographic=True, **facts)

    def view(name: str) -> Operation:
        return Operation(name, cross_account=True)

    return (
        use("Decrypt", attested=True, takes_context=True),
        use("DeriveSharedSecret", attested=True),
        use("GenerateDataKey", attested=True, takes_context=True),
        use("GenerateDataKeyPair", attested=True, takes_context=True),
        # No KMS key takes part, so no key policy does either.
        Operation("GenerateRandom", on_key=False, attested=True),
        use("Encrypt", takes_context=True),
        use("GenerateDataKeyWithoutPlaintext", takes_context=True),
        use("GenerateDataKeyPairWithoutPlaintext", takes_context=True),
        use("ReEncryptFrom", takes_context=True),
        use("ReEncryptTo", takes_context=True),
        *map(use, ("Sign", "Verify", "GenerateMac", "VerifyMac", "Encapsulate", "Decapsulate")),
        *map(view, ("GetPublicKey", "DescribeKey", "GetKeyRotationStatus")),
        *map(view, ("CreateGrant", "ListGrants", "RetireGrant", "RevokeGrant")),
        *map(Operation, ("GetKeyPolicy", "PutKeyPolicy", "ListKeyPolicies", "ListResourceTags", "TagResource")),
        *map(Operation, ("UntagResource", "UpdateKeyDescription", "EnableKey", "DisableKey", "EnableKeyRotation")),
        *map(Operation, ("DisableKeyRotation", "RotateKeyOnDemand", "ScheduleKeyDeletion", "CancelKeyDeletion")),
        *map(Operation, ("CreateAlias", "UpdateAlias", "DeleteAlias", "ReplicateKey", "UpdatePrimaryRegion")),
        *map(Operation, ("GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial")),
        *map(Operation, ("ListKeyRotations", "GetKeyLastUsage")),
        *(Operation(name, on_key=False) for name in ("CreateKey", "ListKeys", "ListAliases", "ListRetirableGrants")),
        *(Operation(f"{verb}CustomKeyStore", on_key=False) for verb in ("Create", "Delete", "Update")),
        *(Operation(f"{verb}CustomKeyStore", on_key=False) for verb in ("Connect", "Disconnect")),
        Operation("DescribeCustomKeyStores", on_key=False),
    )


OPERATIONS: dict[str, Operation] = {PREFIX + row.name: row for row in _rows()}
"""By action name, such as `kms:Decrypt`."""
