# SPDX-License-Identifier: Apache-2.0
"""The policy that is linted, and what is known around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from strongroom.formats.arn import arn_account
from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.lint.views import ConditionView, StatementView, account_of
from strongroom.keypolicy.model import KeyPolicy
from strongroom.keypolicy.operators import NULL
from strongroom.keypolicy.patterns import has_wildcard
from strongroom.keypolicy.principals import PrincipalKind
from strongroom.keypolicy.symbolic.answer import Answer

PUT_KEY_POLICY = "kms:PutKeyPolicy"
_WITH_ACCOUNT = frozenset({PrincipalKind.ACCOUNT, PrincipalKind.ENTITY})


@dataclass(frozen=True)
class Subject:
    """One policy under lint. `beside` are the statements of the key policy, when it is an identity policy.

    `allowed` bounds which PCR values may open; empty means that any NitroTPM document may. `attested_only`:
    no role may by itself. `now` is aware. `policy` is
    the key policy in any case, `grants` are those on its key, `answers` what the search over all requests came to.
    """

    statements: tuple[StatementView, ...]
    policy: KeyPolicy
    text: str
    now: datetime
    key_arn: KeyArn | None = None
    allowed: tuple[PcrDigests, ...] = ()
    attested_only: bool = False
    grants: tuple[Grant, ...] = ()
    beside: tuple[StatementView, ...] = ()
    answers: tuple[Answer, ...] = ()

    @property
    def allows(self) -> Iterator[StatementView]:
        """Yield its Allow statements."""
        return (each for each in self.statements if each.allows)

    @property
    def denies(self) -> Iterator[StatementView]:
        """Yield its Deny statements."""
        return (each for each in self.statements if not each.allows)

    @cached_property
    def shut(self) -> frozenset[str]:
        """Return the actions that are denied to everybody, whatever the request."""
        flat = (each for each in (*self.statements, *self.beside) if is_for_all(each) and not each.conditions)
        return frozenset(action for each in flat for action in each.covered)

    @cached_property
    def home(self) -> frozenset[AccountId]:
        """Return the account of the key, or else of those who may replace its policy: nobody in another account can."""
        if self.key_arn is not None:
            return frozenset({arn_account(self.key_arn)})
        changing = (each for each in self.allows if PUT_KEY_POLICY in each.covered)
        members = (member for each in changing for member in each.members)
        return frozenset(account_of(each) for each in members if each.kind in _WITH_ACCOUNT)

    @cached_property
    def fences(self) -> Mapping[str, tuple[ConditionView, ...]]:
        """Return by action the condition of each Deny that nobody gets past unless its key is there, and as it says.

        It is the only condition of its Deny. More of them are ANDed: that spares requests for another reason as well.
        """
        found: dict[str, list[ConditionView]] = {}
        for deny in (*self.statements, *self.beside):
            if is_for_all(deny) and len(deny.conditions) == 1 and _is_fence(deny.conditions[0]):
                for action in deny.covered:
                    found.setdefault(action, []).append(deny.conditions[0])
        return {action: tuple(each) for action, each in found.items()}


def is_for_all(deny: StatementView) -> bool:
    """Tell whether a statement is a Deny for everybody on this key: conditions aside, nobody gets past it."""
    return not deny.allows and (deny.anyone or deny.statement.principals is None) and deny.covers_this_key


def _is_fence(only: ConditionView) -> bool:
    spares_patterns = only.pcr is not None and any(map(has_wildcard, only.values))
    return only.holds_without_key and not spares_patterns and (only.negated or only.base is NULL)
