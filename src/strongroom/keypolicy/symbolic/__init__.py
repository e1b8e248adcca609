# SPDX-License-Identifier: Apache-2.0
"""Is there any request without an allowed document that a key's policies allow? Over all requests, not by sampling.

    from strongroom.keypolicy.symbolic.question import Question, opening_without_allowed_document, side_door, policy_change

    opening_without_allowed_document(
        policy,                          # KeyPolicy, strictly or leniently read
        *,
        key_account: AccountId,          # who owns the key
        key_arn: KeyArn | None = None,   # None: any key of that account; a Resource that names keys is then a variable
        allowed: Sequence[Mapping[PcrIndex, bytes]] | None = None,   # exact tuples; None: every NitroTPM document
        identity_policies: Sequence[IdentityPolicy] | None = None,   # as `evaluate` takes them; None: they allow all
        grants: Sequence[Grant] = (),
        guardrails: Guardrails = NO_GUARDRAILS,
    ) -> Impossible | Witness | Undecided

    side_door("kms:CreateGrant", policy, *, key_account, ...same...) -> Impossible | Witness | Undecided
    policy_change(policy, *, key_account, ...same...) -> Impossible | Witness | Undecided    # kms:PutKeyPolicy

`answer` has the three answers: Impossible(closed: tuple[Closed, ...]), Witness(call, request, decision),
Undecided(doubts: tuple[Doubt, ...]). docs/formats/key-policy.md says what each proves and what it does not.
"""
