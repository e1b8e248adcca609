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
from conformance.aws.principals import SERIAL_TAG, TAG, Principals, Removal

WAITING_DAYS = 7
"""The shortest waiting period of a deletion (KMS API Reference, ScheduleKeyDeletion)."""
_NOT_THERE = "NotFoundException"
_UNDER_WAY = "KMSInvalidStateException"
"""What KMS says of a key that waits for its deletion already."""


_FOREIGN = f"it has no tag {TAG} of this run, so it is somebody else's"
_UNKNOWN = "AWS does not know it, or not yet; the next run looks for it again"


@dataclass(frozen=True)
class Left:
    """Something that is still there, and why."""

    thing: Thing
    why: str


def clear_away(
    things: Sequence[Thing], journal: Journal, kms: Any, principals: Principals, *, own: bool
) -> tuple[Left, ...]:
    """Remove these things; return what could not be removed, which stays in the journal. Raises nothing of AWS's.

    What AWS does not know may have been created just now: a run does not forget its own, and leaves it to the next one.
    """
    left = []
    for thing in things:
        try:
            why = _remove(thing, kms, principals)
        except (ClientError, BotoCoreError) as error:
            why = str(error)
        if why == _UNKNOWN and not own:
            why = ""
        if why:
            left.append(Left(thing, why))
        else:
            journal.gone(thing)
    return tuple(left)


def _remove(thing: Thing, kms: Any, principals: Principals) -> str:
    """Return why a thing is still there, and nothing when it is gone."""
    if thing.kind == KEY:
        arns = [thing.arn] if thing.arn else _find_keys(thing, kms)
        return max((_remove_key(arn, thing, kms) for arn in arns), default=_UNKNOWN)
    if thing.kind == ALIAS:
        return _remove_alias(thing, kms)
    removal = principals.remove(thing.kind, thing.name, run=thing.run)
    return {Removal.DONE: "", Removal.UNKNOWN: _UNKNOWN, Removal.FOREIGN: _FOREIGN}[removal]


def _remove_key(arn: str, thing: Thing, kms: Any) -> str:
    try:
        if _tags(kms, arn) != {TAG: thing.run, SERIAL_TAG: thing.name}:
            return _FOREIGN
        kms.schedule_key_deletion(KeyId=arn, PendingWindowInDays=WAITING_DAYS)
    except ClientError as error:
        if error.response["Error"]["Code"] == _NOT_THERE:
            return _UNKNOWN
        if error.response["Error"]["Code"] != _UNDER_WAY:
            raise
    return ""


def _remove_alias(thing: Thing, kms: Any) -> str:
    """Delete an alias. It can carry no tag, but its name is the run's, and it ends with its key at the latest."""
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
