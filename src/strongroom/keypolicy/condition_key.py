# SPDX-License-Identifier: Apache-2.0
"""What one row of the table of condition keys says."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from strongroom.keypolicy.operations import OPERATIONS
from strongroom.keypolicy.operators import ValueKind

ALL_OPERATIONS = frozenset(OPERATIONS)


class Source(enum.StrEnum):
    """Where the values of a condition key come from."""

    CALLER = "who signed the request"
    CREDENTIALS = "what the caller signed it with"
    NETWORK = "how the request came"
    SERVICE = "the AWS service in between"
    CLOCK = "KMS's clock"
    KEY = "the KMS key, or the one to be made"
    PARAMETER = "a parameter of the request"
    CONTEXT = "the encryption context"
    GRANT = "the grant that the request makes or retires"
    DOCUMENT = "the attestation document"


@dataclass(frozen=True, slots=True)
class ConditionKey:
    """One row. `name` has AWS's spelling; one that ends in `:` or `/` is followed by any name.

    `operations` are the actions with which the key can be present at all. `identity_only` keys do not exist where a
    key policy is evaluated (KMS Developer Guide, kms:ResourceAliases and "Using tags to control access to KMS keys").
    """

    name: str
    source: Source
    kind: ValueKind = ValueKind.STRING
    multivalued: bool = False
    operations: frozenset[str] = ALL_OPERATIONS
    identity_only: bool = False

    @property
    def is_prefix(self) -> bool:
        """Tell whether any name follows this one."""
        return self.name[-1] in ":/"
