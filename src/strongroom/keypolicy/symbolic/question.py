# SPDX-License-Identifier: Apache-2.0
"""What is asked: which policies, which grants, which documents are allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from strongroom.formats.arn import arn_account
from strongroom.formats.pcrs import PcrIndex
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.guardrails import NO_GUARDRAILS, Guardrails
from strongroom.keypolicy.model import IdentityPolicy, KeyPolicy, ResourcePolicy, Statement, parse_identity_policy

ALLOW_ALL = parse_identity_policy(
    '{"Version":"2012-10-17","Statement":{"Sid":"Everything","Effect":"Allow","Action":"*","Resource":"*"}}'
)
"""What is assumed of everybody whose own policies are not known."""


@dataclass(frozen=True, slots=True)
class Question:
    """A key, what stands around it, and what counts as an allowed document.

    `allowed` are tuples of PCRs: a NitroTPM document is allowed that has every value of one of them. None allows every
    NitroTPM document. `key_arn` None stands for any key of the account.
    """

    policy: KeyPolicy
    key_account: AccountId
    key_arn: KeyArn | None
    allowed: tuple[Mapping[PcrIndex, bytes], ...] | None
    identity_policies: tuple[IdentityPolicy, ...]
    grants: tuple[Grant, ...]
    guardrails: Guardrails

    @classmethod
    def of(
        cls,
        policy: KeyPolicy,
        *,
        key_account: AccountId,
        key_arn: KeyArn | None = None,
        allowed: Sequence[Mapping[PcrIndex, bytes]] | None = None,
        identity_policies: Sequence[IdentityPolicy] | None = None,
        grants: Sequence[Grant] = (),
        guardrails: Guardrails = NO_GUARDRAILS,
    ) -> Question:
        """Put a question together. Where `identity_policies` are None, everybody's own policies allow everything.

        Raises RuntimeError for a key of another account and for an allowed tuple without a PCR, which would allow
        every document.
        """
        if key_arn is not None and arn_account(key_arn) != key_account:
            raise RuntimeError(f"expected a key of account {key_account}, found {key_arn}")
        if allowed is not None and not all(allowed):
            raise RuntimeError("expected at least one PCR in each allowed tuple, found a tuple without")
        around = guardrails
        if identity_policies is None and not guardrails.session_policies:
            # Else a federated user, who has nothing without a session policy, would be taken as harmless.
            around = replace(guardrails, session_policies=(ALLOW_ALL,))
        return cls(
            policy,
            key_account,
            key_arn,
            None if allowed is None else tuple(allowed),
            (ALLOW_ALL,) if identity_policies is None else tuple(identity_policies),
            tuple(grants),
            around,
        )

    @property
    def statements(self) -> Iterator[Statement]:
        """Return every statement of every policy."""
        guardrails = self.guardrails
        around: list[KeyPolicy | IdentityPolicy | ResourcePolicy] = [self.policy, *self.identity_policies]
        around += guardrails.session_policies
        around += [policy for level in guardrails.service_control for policy in level]
        around += [policy for level in guardrails.resource_control for policy in level]
        around += [each for each in (guardrails.boundary, guardrails.endpoint) if each is not None]
        for policy in around:
            yield from policy.statements
