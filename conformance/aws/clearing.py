# SPDX-License-Identifier: Apache-2.0
"""Clears away what runs created: what the journal names, if it still carries the tag of the run that made it.

Nothing else is touched. A key whose ARN the journal does not know, because the run ended between asking and hearing, is
looked for by its tags.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from conformance.aws.creation import ALIAS, KEY
from conformance.aws.journal import Journal, Thing
from conformance.aws.principals import SERIAL_TAG, TAG, Principals

WAITING_DAYS = 7
"""The shortest waiting period of a deletion (KMS API Reference, ScheduleKeyDeletion)."""
_NOT_THERE = "NotFoundException"
_UNDER_WAY = "KMSInvalidStateException"
"""What KMS says of a key that waits for its deletion already."""


@dataclass(frozen=True)
class Left:
    """Something that is still there, and why."""

    thing: Thing
    why: str


def clear_away(
    things: Sequence[Thing], journal: Journal, kms: Any, principals: Principals, *, own: bool
) -> tuple[Left, ...]:
    """Remove these things; return what could not be removed, which stays in the journal. Raises nothing of AWS's.

    A key of whose creation nothing was heard may not be in KMS's list yet: a run does not forget its own.
    """
    left = []
    for thing in things:
        try:
            why = _remove(thing, kms, principals, own=own)
        except (ClientError, BotoCoreError) as error:
            why = str(error)
        if why:
            left.append(Left(thing, why))
        else:
            journal.gone(thing)
    return tuple(left)


def _remove(thing: Thing, kms: Any, principals: Principals, *, own: bool) -> str:
    if thing.kind == KEY:
        arns = [thing.arn] if thing.arn else _find_keys(thing, kms)
        if own and not arns:
            return "nobody knows whether it was created; the next run looks for it again"
        return "".join(dict.fromkeys(_remove_key(arn, thing, kms) for arn in arns))
    if thing.kind == ALIAS:
        return _remove_alias(thing, kms)
    if not principals.remove(thing.kind, thing.name, run=thing.run):
        return f"it has no tag {TAG} of this run, so it is somebody else's"
    return ""


def _remove_key(arn: str, thing: Thing, kms: Any) -> str:
    try:
        if _tags(kms, arn) != {TAG: thing.run, SERIAL_TAG: thing.name}:
            return f"it has no tag {TAG} of this run, so it is somebody else's"
        kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=WAITING_DAYS)
    except ClientError as error:
        if error.response["Error"]["Code"] not in {_NOT_THERE, _UNDER_WAY}:
            raise
    return ""


def _remove_alias(thing: Thing, kms: Any) -> str:
    """Delete an alias. It can carry no tag; its name begins with that of the run, and the journal has it."""
    try:
        kms.delete_alias(AliasName=f"alias/{thing.name}")
    except ClientError as error:
        if error.response["Error"]["Code"] != _NOT_THERE:
            raise
    return ""


def _find_keys(thing: Thing, kms: Any) -> list[str]:
    """Return the ARNs of keys with the tags of `thing`. Keys whose tags this caller may not see are none of ours."""
    found = []
    for page in kms.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            try:
                if _tags(kms, key["KeyArn"]) == {TAG: thing.run, SERIAL_TAG: thing.name}:
                    found.append(str(key["KeyArn"]))
            except ClientError as error:
                if error.response["Error"]["Code"] not in {"AccessDeniedException", _NOT_THERE}:
                    raise
    return found


def _tags(kms: Any, arn: str) -> dict[str, str]:
    return {name: value for name, value in _all_tags(kms, arn) if name.startswith(TAG)}


def _all_tags(kms: Any, arn: str) -> Iterator[tuple[str, str]]:
    for page in kms.get_paginator("list_resource_tags").paginate(KeyId=arn):
        for tag in page["Tags"]:
            yield tag["TagKey"], tag["TagValue"]
