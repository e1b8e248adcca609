# SPDX-License-Identifier: Apache-2.0
"""ARNs of KMS keys (AWS Service Authorization Reference, KMS resource types; docs/formats/bundle.md section 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from strongroom.errors import FormatError
from strongroom.formats.names import ACCOUNT_ID, PARTITION, REGION
from strongroom.ids import AccountId, KeyArn, Region

_KEY_ARN = re.compile(
    rf"arn:(?P<partition>{PARTITION.pattern}):kms:(?P<region>{REGION.pattern})"
    rf":(?P<account>{ACCOUNT_ID.pattern}):key/[A-Za-z0-9-]{{1,64}}"
)


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
