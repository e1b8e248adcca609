# SPDX-License-Identifier: Apache-2.0
"""The condition keys this evaluator knows: the rows of `kms_keys` and of `global_keys`.

A key that is not there is an error when a policy is parsed strictly: taken as absent it would quietly make a negated
condition true. Every key there is filled by `context.request_context`, or is truly absent from the request.
"""

from __future__ import annotations

from strongroom.keypolicy.condition_key import ConditionKey
from strongroom.keypolicy.global_keys import GLOBAL_KEYS
from strongroom.keypolicy.kms_keys import KMS_KEYS

CONDITION_KEYS: dict[str, ConditionKey] = {row.name.lower(): row for row in (*KMS_KEYS, *GLOBAL_KEYS)}
"""By lower-case name: condition key names are not case-sensitive."""

_PREFIXES = {name: row for name, row in CONDITION_KEYS.items() if row.is_prefix}
_STARTS = tuple(_PREFIXES)


def find_condition_key(name: str) -> ConditionKey | None:
    """Return the row for a key's name in any case, or None."""
    lower = name.lower()
    if not lower.startswith(_STARTS):
        return CONDITION_KEYS.get(lower)
    return next(row for start, row in _PREFIXES.items() if lower.startswith(start)) if lower not in _PREFIXES else None


def canonical_name(name: str, row: ConditionKey) -> str:
    """Spell a key as AWS does. What follows a prefix keeps its own spelling."""
    return row.name + name[len(row.name) :] if row.is_prefix else row.name
