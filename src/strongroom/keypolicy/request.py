# SPDX-License-Identifier: Apache-2.0
"""One call to KMS, as policies see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from strongroom.errors import UsageError
from strongroom.formats.arn import arn_account
from strongroom.ids import AccountId, KeyArn
from strongroom.keypolicy.condition_keys import find_condition_key
from strongroom.keypolicy.grants import Grant
from strongroom.keypolicy.operations import OPERATIONS, PREFIX
from strongroom.keypolicy.operators import READERS
from strongroom.keypolicy.patterns import ARN_PARTS
from strongroom.keypolicy.principals import Caller

NO_RESOURCE = "*"
"""The resource of an operation that uses no key (Service Authorization Reference, actions of AWS KMS)."""


@dataclass(frozen=True, slots=True)
class KmsRequest:
    """One call. `context` maps lower-case condition keys to their values; `context.request_context` builds it.

    `grant` is the one that a CreateGrant makes or a RetireGrant retires. Raises UsageError for an action, a key or a
    value that no KMS request has: wrong input must not look like a denial.
    """

    action: str
    caller: Caller
    key_arn: KeyArn | None
    context: Mapping[str, tuple[str, ...]]
    grant: Grant | None = None

    def __post_init__(self) -> None:
        operation = OPERATIONS.get(self.action)
        if operation is None:
            raise UsageError("keypolicy.request-action", f"expected an action of KMS, found {self.action!r}")
        if operation.on_key != (self.key_arn is not None):
            raise UsageError("keypolicy.request-key", f"expected a key exactly when {self.action} uses one")
        if self.key_arn is not None and len(self.key_arn.split(":")) != ARN_PARTS:
            raise UsageError("keypolicy.request-key", f"expected a key ARN, found {self.key_arn!r}")
        for name, values in self.context.items():
            _refuse_value(self.action, name, values)
        object.__setattr__(self, "context", MappingProxyType(dict(self.context)))

    @property
    def operation(self) -> str:
        """Return the name of the operation, without its prefix."""
        return self.action.removeprefix(PREFIX)

    @property
    def key_account(self) -> AccountId | None:
        """Return the account that owns the key."""
        return None if self.key_arn is None else arn_account(self.key_arn)


def _refuse_value(action: str, name: str, values: tuple[str, ...]) -> None:
    row = find_condition_key(name)
    if row is None or name != name.lower():
        raise UsageError("keypolicy.request-context", f"expected a known condition key in lower case, found {name!r}")
    if action not in row.operations:
        raise UsageError("keypolicy.request-context", f"{name} cannot be present in {action}")
    if not values or (len(values) > 1 and not row.multivalued):
        raise UsageError("keypolicy.request-context", f"expected one value of {name}, found {len(values)}")
    try:
        for value in values:
            READERS[row.kind](value)
    except ValueError as error:
        raise UsageError("keypolicy.request-context", f"{name}: {error}") from error
