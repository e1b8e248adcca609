# SPDX-License-Identifier: Apache-2.0
"""What KMS tells of a key to whoever examines it: its policy and its grants, and nothing is changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from strongroom.aws.sdk.session import translated
from strongroom.ids import KeyArn

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


class SdkKeyReader:
    """A `KeyReader` over boto3."""

    def __init__(self, client: KMSClient) -> None:
        self._client = client

    def key_policy(self, key_arn: KeyArn) -> str:
        """Return the policy as JSON text, perhaps rewritten by KMS. Raises KeyRefused, UsageError, ServiceFault."""
        with translated():
            return self._client.get_key_policy(KeyId=key_arn, PolicyName="default")["Policy"]

    def key_grants(self, key_arn: KeyArn) -> str:
        """Return all grants as `aws kms list-grants` prints them. Raises KeyRefused, UsageError, ServiceFault."""
        with translated():
            pages = self._client.get_paginator("list_grants").paginate(KeyId=key_arn)
            return json.dumps({"Grants": [grant for page in pages for grant in page["Grants"]]}, default=str)
