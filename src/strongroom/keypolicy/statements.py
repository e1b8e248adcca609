# SPDX-License-Identifier: Apache-2.0
"""The statements that generated policies are put together from, as JSON values.

docs/formats/key-policy.md says for each why it exists and what removing it allows; the tests remove them one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from strongroom.formats.pcrs import PcrIndex
from strongroom.keypolicy.grammar import one_or_list
from strongroom.keypolicy.kms_keys import ENCRYPTION_CONTEXT, NITROTPM_PCR
from strongroom.keypolicy.spec import PCR4, EscrowKeySpec, TenantKeySpec, VendorSpec

JsonStatement: TypeAlias = "dict[str, object]"
Block: TypeAlias = "dict[str, dict[str, str | list[str]]]"

ATTESTED = ("kms:Decrypt", "kms:DeriveSharedSecret", "kms:GenerateDataKey", "kms:GenerateDataKeyPair")
"""What gives key material out and takes an attestation document. The Denies name exactly these four."""
SIDE_DOORS = (
    "kms:CreateGrant",
    "kms:ImportKeyMaterial",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
    "kms:ReplicateKey",
    "kms:UpdatePrimaryRegion",
)
"""Ways round the conditions: none of them is attested (ATTACKS K3, K4, K5)."""
MANAGEMENT = (
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:DescribeKey",
    "kms:DisableKey",
    "kms:DisableKeyRotation",
    "kms:EnableKey",
    "kms:EnableKeyRotation",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListGrants",
    "kms:ListKeyPolicies",
    "kms:ListKeyRotations",
    "kms:ListResourceTags",
    "kms:PutKeyPolicy",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)
"""Everything a key's keeper needs; nothing here encrypts, decrypts, signs or grants."""
PRODUCT, TENANT, PURPOSE, NAME, EPOCH = (
    f"{ENCRYPTION_CONTEXT}strongroom:{field}" for field in ("product", "tenant", "purpose", "name", "epoch")
)
"""Condition keys of the derived encryption context (docs/formats/bundle.md section 5)."""


def admin(vendor: VendorSpec) -> JsonStatement:
    """Return Admin: the vendor account manages the key, through its own IAM policies."""
    root = _root(vendor.partition, vendor.account)
    return _statement("Admin", "Allow", {"AWS": root}, MANAGEMENT)


def change_role(vendor: VendorSpec) -> list[JsonStatement]:
    """Return DenyOtherChangers when a change role is named: only that role replaces the policy."""
    if not vendor.change_role_arn:
        return []
    others: Block = {"ArnNotEquals": {"aws:PrincipalArn": vendor.change_role_arn}}
    return [_statement("DenyOtherChangers", "Deny", "*", ("kms:PutKeyPolicy",), others)]


def seal(vendor: VendorSpec, *, tenant: str | None) -> JsonStatement:
    """Return Seal: the sealer wraps, under this product's (and this tenant's) context only."""
    equal = {PRODUCT: vendor.product, PURPOSE: one_or_list(vendor.purposes)}
    if tenant is not None:
        equal[TENANT] = tenant
    return _statement("Seal", "Allow", {"AWS": vendor.sealer_role_arn}, ("kms:Encrypt",), {"StringEquals": equal})


def open_attested(
    spec: TenantKeySpec, sid: str, *, gates: Mapping[PcrIndex, str], pcr4: Sequence[str], epoch: int, until: str | None
) -> JsonStatement:
    """Return one Open statement: the tenant's accounts decrypt under one exact set of gates."""
    equal: dict[str, str | list[str]] = {
        PRODUCT: spec.vendor.product,
        TENANT: spec.tenant,
        PURPOSE: one_or_list(spec.vendor.purposes),
        EPOCH: str(epoch),
    }
    if spec.names:
        equal[NAME] = one_or_list(spec.names)
    block: Block = {"StringEquals": equal}
    measured: dict[str, str | list[str]] = {f"{NITROTPM_PCR}{index}": value for index, value in gates.items()}
    block["StringEqualsIgnoreCase"] = {**measured, f"{NITROTPM_PCR}{PCR4}": one_or_list(pcr4)}
    if spec.role_patterns:
        block["ArnLike"] = {"aws:PrincipalArn": one_or_list(spec.role_patterns)}
    if until is not None:
        block["DateLessThan"] = {"aws:CurrentTime": until}
    roots = [_root(spec.vendor.partition, account) for account in spec.accounts]
    return _statement(sid, "Allow", {"AWS": one_or_list(roots)}, ("kms:Decrypt",), block)


def deny_unless_pcr(index: PcrIndex, values: Sequence[str]) -> JsonStatement:
    """Return the Deny of one PCR. Each stands alone: keys of one negated block would be ANDed (ATTACKS K24)."""
    other: Block = {"StringNotEqualsIgnoreCase": {f"{NITROTPM_PCR}{index}": one_or_list(values)}}
    return _statement(f"DenyUnlessPcr{index}", "Deny", "*", ATTESTED, other)


def deny_other_epochs(epochs: Iterable[int]) -> JsonStatement:
    """Return DenyOtherEpochs: what was sealed under a withdrawn epoch stays shut (ATTACKS K28)."""
    other: Block = {"StringNotEquals": {EPOCH: one_or_list([str(epoch) for epoch in sorted(set(epochs))])}}
    return _statement("DenyOtherEpochs", "Deny", "*", ATTESTED, other)


def deny_side_doors() -> JsonStatement:
    """Return DenySideDoors: flat, for everybody."""
    return _statement("DenySideDoors", "Deny", "*", SIDE_DOORS)


def deny_opening() -> JsonStatement:
    """Return DenyOpening of the bootstrap policy: nobody opens anything yet."""
    return _statement("DenyOpening", "Deny", "*", ATTESTED)


def escrow_open(spec: EscrowKeySpec) -> list[JsonStatement]:
    """Return what lets the escrow role open, and keeps everybody else out."""
    equal: Block = {"StringEquals": {PRODUCT: spec.vendor.product, PURPOSE: one_or_list(spec.vendor.purposes)}}
    others: Block = {"ArnNotEquals": {"aws:PrincipalArn": spec.escrow_role_arn}}
    return [
        _statement("EscrowOpen", "Allow", {"AWS": spec.escrow_role_arn}, ("kms:Decrypt",), equal),
        _statement("DenyOthers", "Deny", "*", ATTESTED, others),
    ]


def _statement(sid: str, effect: str, principal: object, actions: Sequence[str], *blocks: Block) -> JsonStatement:
    body: JsonStatement = {"Sid": sid, "Effect": effect, "Principal": principal}
    body.update({"Action": one_or_list(actions), "Resource": "*"})
    for block in blocks:
        body["Condition"] = block
    return body


def _root(partition: str, account: str) -> str:
    return f"arn:{partition}:iam::{account}:root"
