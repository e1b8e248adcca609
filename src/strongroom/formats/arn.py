# SPDX-License-Identifier: Apache-2.0
"""ARNs of KMS keys, account roots and role sessions.

AWS Service Authorization Reference, KMS resource types; docs/formats/bundle.md section 2; IAM User Guide, "IAM ARNs".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats.names import ACCOUNT_ID, IAM_NAME, PARTITION, REGION
from strongroom.ids import AccountId, KeyArn, Region

_KEY_ARN = re.compile(
    rf"arn:(?P<partition>{PARTITION.pattern}):kms:(?P<region>{REGION.pattern})"
    rf":(?P<account>{ACCOUNT_ID.pattern}):key/[A-Za-z0-9-]{{1,64}}"
)

_ROLE_SESSION = re.compile(
    rf"arn:{PARTITION.pattern}:sts::{ACCOUNT_ID.pattern}:assumed-role/(?P<role>{IAM_NAME.pattern})/{IAM_NAME.pattern}",
    re.ASCII,
)
_ACCOUNT_ROOT = re.compile(rf"arn:(?P<partition>{PARTITION.pattern}):iam::(?P<account>{ACCOUNT_ID.pattern}):root")


REGION_PART, ACCOUNT_PART = 3, 4
"""Of the six parts of an ARN, counted from 0 (IAM User Guide, "IAM ARNs")."""


@dataclass(frozen=True, slots=True)
class KeyArnParts:
    """A key ARN and what can be read from it."""

    arn: KeyArn
    partition: str
    region: Region
    account: AccountId


def parse_key_arn(text: str, *, offset: int | None = None) -> KeyArnParts:
    """Parse the full ARN of a KMS key; an alias is refused, because it can be pointed elsewhere (ATTACKS K5).

    `offset` is where the text stands in the input, for errors. Raises FormatError.
    """
    match = _KEY_ARN.fullmatch(text)
    if match is None:
        raise FormatError(
            "arn.key",
            f"expected arn:PARTITION:kms:REGION:ACCOUNT:key/ID, found {text[:100]!r}",
            offset=offset,
            spec="docs/formats/bundle.md section 2",
            remedy="Name the key by its full key ARN, not by an alias or a bare id.",
        )
    return KeyArnParts(KeyArn(text), match["partition"], Region(match["region"]), AccountId(match["account"]))


@dataclass(frozen=True, slots=True)
class AccountRoot:
    """The account that `arn:PARTITION:iam::ACCOUNT:root` stands for."""

    partition: str
    account: AccountId


def parse_account_root(text: str) -> AccountRoot:
    """Parse the principal of a whole account. Raises FormatError."""
    match = _ACCOUNT_ROOT.fullmatch(text)
    if match is None:
        raise FormatError(
            "arn.account-root",
            f"expected arn:PARTITION:iam::ACCOUNT:root, found {text[:100]!r}",
            spec="IAM User Guide, IAM ARNs",
        )
    return AccountRoot(match["partition"], AccountId(match["account"]))


def role_of_session(arn: str) -> str | None:
    """Return the name of the role behind a role session, as STS names callers; None for users and other callers.

    The path of the role is not in it. Names of roles are unique within an account, whatever their paths (IAM User
    Guide, "IAM and AWS STS quotas").
    """
    match = _ROLE_SESSION.fullmatch(arn)
    return match["role"] if match else None


def arn_region(arn: str) -> Region:
    """Return the region in an ARN that was parsed before; empty for resources of no region."""
    return Region(arn.split(":")[REGION_PART])


def arn_account(arn: str) -> AccountId:
    """Return the account in an ARN that was parsed before; it owns the resource."""
    return AccountId(arn.split(":")[ACCOUNT_PART])
