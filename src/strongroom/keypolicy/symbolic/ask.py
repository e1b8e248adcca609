# SPDX-License-Identifier: Apache-2.0
"""The questions that can be asked of a key's policies, over all requests.

All take the same: the key policy; `key_account`, which owns the key; `key_arn`, or None for any key of that account;
`identity_policies`, `grants` and `guardrails` as `evaluate` takes them, but `identity_policies` None stands for
policies that are not known, and then everybody's own policies are taken to allow everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from strongroom.errors import UsageError
from strongroom.formats.pcrs import PcrIndex
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.guardrails import NO_GUARDRAILS, Guardrails
from strongroom.keypolicy.model import IdentityPolicy, KeyPolicy
from strongroom.keypolicy.symbolic.answer import Answer
from strongroom.keypolicy.symbolic.decide import decide
from strongroom.keypolicy.symbolic.question import Question

OPENING = (
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kms:GenerateDataKeyPair",
    "kms:DeriveSharedSecret",
    "kms:Decapsulate",
    "kms:ReEncryptFrom",
)
"""What gives out key material in plaintext, or moves a ciphertext to another key, whose own policy then decides.

The first four take an attestation document; the other two never do. DeriveSharedSecret and Decapsulate work with
asymmetric keys only, but no key policy says which kind of key it hangs on.
"""
OPENING_SYMMETRIC = ("kms:Decrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair", "kms:ReEncryptFrom")
"""Those of them that work with a symmetric key: for callers who know that the key is one."""
SIDE_DOORS = ("kms:CreateGrant", "kms:ReplicateKey", "kms:ImportKeyMaterial", "kms:UpdatePrimaryRegion")
"""What gives out nothing by itself but leads round the policy later: a grant that opens, a replica with a policy of its
own, key material that somebody else knows, another Region (ATTACKS K4, K5)."""
POLICY_CHANGE = "kms:PutKeyPolicy"


def opening_without_allowed_document(
    policy: KeyPolicy,
    *,
    key_account: AccountId,
    operations: Sequence[str] = OPENING,
    key_arn: KeyArn | None = None,
    allowed: Sequence[Mapping[PcrIndex, bytes]] | None = None,
    identity_policies: Sequence[IdentityPolicy] | None = None,
    grants: Sequence[Grant] = (),
    guardrails: Guardrails = NO_GUARDRAILS,
) -> Answer:
    """Answer whether there is any request for `operations`, without an allowed document, that is allowed.

    `operations` is OPENING, or OPENING_SYMMETRIC for a key that is known to be symmetric. `allowed` lists tuples of
    PCRs; a NitroTPM document is allowed that has every value of one of them. With None every NitroTPM document is.
    Raises RuntimeError for a key of another account, and for a tuple without a PCR.
    """
    question = Question.of(
        policy,
        key_account=key_account,
        key_arn=key_arn,
        allowed=allowed,
        identity_policies=identity_policies,
        grants=grants,
        guardrails=guardrails,
    )
    return decide(question, operations)


def side_door(
    action: str,
    policy: KeyPolicy,
    *,
    key_account: AccountId,
    key_arn: KeyArn | None = None,
    identity_policies: Sequence[IdentityPolicy] | None = None,
    grants: Sequence[Grant] = (),
    guardrails: Guardrails = NO_GUARDRAILS,
) -> Answer:
    """Answer whether there is any request for `action`, of SIDE_DOORS or POLICY_CHANGE, that is allowed.

    Of CreateGrant only grants count that open. Whoever keeps a key has to be able to change its policy, so a witness
    for POLICY_CHANGE is a fact to report and no hole by itself. Raises UsageError for another action, RuntimeError for
    a key of another account.
    """
    if action not in {*SIDE_DOORS, POLICY_CHANGE}:
        raise UsageError("keypolicy.request-action", f"expected a side door or {POLICY_CHANGE}, found {action!r}")
    question = Question.of(
        policy,
        key_account=key_account,
        key_arn=key_arn,
        identity_policies=identity_policies,
        grants=grants,
        guardrails=guardrails,
    )
    return decide(question, [action])
