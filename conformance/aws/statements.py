# SPDX-License-Identifier: Apache-2.0
"""The words in which probes write policies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

MANAGE = ("kms:CancelKeyDeletion", "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion")
"""What every key policy leaves to the account, so that each key can be deleted by whoever comes to clear away."""
Statement = Mapping[str, Any]


def allow(principal: Any, actions: str | Sequence[str], **more: Any) -> Statement:
    """Return an Allow of a key policy."""
    named = principal if principal == "*" else {"AWS": principal}
    return {"Effect": "Allow", "Principal": named, "Action": _listed(actions), "Resource": "*", **more}


def deny(principal: Any, actions: str | Sequence[str], **more: Any) -> Statement:
    """Return a Deny of a key policy."""
    return {**allow(principal, actions, **more), "Effect": "Deny"}


def may(actions: str | Sequence[str], resource: str = "*", **more: Any) -> Statement:
    """Return an Allow of an identity policy."""
    return {"Effect": "Allow", "Action": _listed(actions), "Resource": resource, **more}


def document(statements: Sequence[Statement]) -> dict[str, Any]:
    """Return a policy document."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _listed(actions: str | Sequence[str]) -> str | list[str]:
    return actions if isinstance(actions, str) else list(actions)
