# SPDX-License-Identifier: Apache-2.0
"""Finding and naming keys (KMS API Reference, ListKeys, ListResourceTags, CreateAlias).

KMS does not search by tag, so each key of the Region is asked: about one call a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from strongroom.aws.sdk.session import translated
from strongroom.errors import KeyRefused, NotTrusted, ServiceFault
from strongroom.ids import KeyArn

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


class SdkKeyInventory:
    """A `KeyInventory` over boto3."""

    def __init__(self, client: KMSClient) -> None:
        self._client = client

    def find_keys(self, tags: Mapping[str, str]) -> tuple[KeyArn, ...]:
        """Return the keys with all of these tags. Raises KeyRefused, UsageError, ServiceFault."""
        with translated():
            pages = self._client.get_paginator("list_keys").paginate()
            arns = [KeyArn(entry["KeyArn"]) for page in pages for entry in page["Keys"]]
        return tuple(arn for arn in arns if tags.items() <= self._tags_if_open(arn).items())

    def expect_tags(self, key_arn: KeyArn, tags: Mapping[str, str]) -> None:
        """Raise NotTrusted unless the key has these tags, and KeyRefused, UsageError, ServiceFault."""
        found = self._tags(key_arn)
        if not tags.items() <= found.items():
            raise NotTrusted("key.tags", f"expected the tags {dict(tags)} on {key_arn}, found {found}")

    def name_key(self, key_arn: KeyArn, alias: str) -> KeyArn:
        """Return the key that has the alias afterwards. Raises KeyRefused, UsageError, ServiceFault."""
        try:
            with translated():
                self._client.create_alias(AliasName=alias, TargetKeyId=key_arn)
        except KeyRefused as refusal:
            if refusal.code != "kms.already-exists":
                raise
            return self._owner(key_arn, alias)
        return key_arn

    def _owner(self, key_arn: KeyArn, alias: str) -> KeyArn:
        with translated():
            pages = self._client.get_paginator("list_aliases").paginate()
            owners = [
                entry.get("TargetKeyId", "")
                for page in pages
                for entry in page["Aliases"]
                if entry.get("AliasName") == alias
            ]
        if len(owners) != 1:
            raise ServiceFault(
                "kms.alias", f"expected the alias {alias}, which KMS says exists, found none", retryable=True
            )
        return KeyArn(f"{key_arn.rpartition('/')[0]}/{owners[0]}")

    def _tags_if_open(self, key_arn: KeyArn) -> dict[str, str]:
        try:
            return self._tags(key_arn)
        except KeyRefused as refusal:
            if refusal.code not in {"kms.access-denied", "kms.unsupported", "kms.key-unusable"}:
                raise
            return {}  # a key of ours lets its account read them, and AWS's own keys have none

    def _tags(self, key_arn: KeyArn) -> dict[str, str]:
        with translated():
            pages = self._client.get_paginator("list_resource_tags").paginate(KeyId=key_arn)
            return {tag["TagKey"]: tag["TagValue"] for page in pages for tag in page["Tags"]}
