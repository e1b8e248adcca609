# SPDX-License-Identifier: Apache-2.0
"""Whoever writes a key policy must be able to write the next one.

KMS makes the same check when it takes a policy (API Reference, PutKeyPolicy, BypassPolicyLockoutSafetyCheck), and it is
never bypassed. This one comes before anything is sent and names the role, which KMS does not. It does not see the
caller's own IAM policies; KMS does.
"""

from __future__ import annotations

from strongroom.errors import KeyRefused
from strongroom.formats.arn import role_of_session
from strongroom.ids import AccountId
from strongroom.keypolicy.spec import VendorSpec


def expect_key_account(holder: str, account: AccountId) -> None:
    """Raise KeyRefused unless the caller's account holds the keys: KMS lets no other one change a policy."""
    if account != holder:
        raise KeyRefused(
            "key.other-account",
            f"expected credentials of account {holder}, which holds the keys, found those of {account}",
            remedy="Name a profile of that account with --profile, or correct vendor-account in the project.",
        )


def expect_not_locked_out(vendor: VendorSpec, *, account: AccountId, caller_arn: str) -> None:
    """Raise KeyRefused unless a key of this vendor would let the caller put the next policy.

    `account` and `caller_arn` are what STS GetCallerIdentity answers.
    """
    expect_key_account(vendor.account, account)
    role = vendor.change_role_arn.rpartition("/")[2]
    if role and role_of_session(caller_arn) != role:
        raise KeyRefused(
            "key.lock-out",
            f"expected a session of the change role {vendor.change_role_arn}, found {caller_arn}: "
            "the policy would keep its own author from replacing it",
            statement="DenyOtherChangers",
            remedy="Take that role (a profile with role_arn in your AWS configuration), or name another change-role.",
        )
