# SPDX-License-Identifier: Apache-2.0
"""The KMS keys of encrypted snapshots: which one a new snapshot gets, and whether the caller may use it.

EBS User Guide, "Encryption outcomes for EBS direct APIs" and "Permissions to use AWS KMS keys".
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from strongroom.formats.arn import arn_region
from strongroom.ids import AccountId, KeyArn, Region
from strongroom.twin.accounts import PARTITION
from strongroom.twin.api_request import ApiRequest
from strongroom.twin.ebs.fault import EbsFault, denied, invalid, invalid_parameter
from strongroom.twin.ebs.snapshots import Snapshot
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.on_behalf import Use

_NAMESPACE = uuid.UUID("6f0d5d6a-3c39-4a1c-9d3e-2b7f4d1c0e55")
"""Of the ids of keys that AWS would manage; made up."""


class VolumeKeys:
    """Asks KMS, which is `expect_use`."""

    def __init__(self, expect_use: Callable[[Use], None]) -> None:
        self._expect_use = expect_use

    def of_new(self, request: ApiRequest, parent: Snapshot | None) -> KeyArn | None:
        """Return the key of a new snapshot, which the caller may use; None for a plain one. Raises EbsFault."""
        named = request.text("KmsKeyArn")
        if parent is not None:
            arn = parent.key_arn
        elif request.flag("Encrypted"):
            arn = KeyArn(named) if named else default_key(request.account_id, request.region)
        elif named:
            raise invalid_parameter("KmsKeyArn cannot be specified without Encrypted.")
        else:
            arn = None
        self.use(request, arn, "GenerateDataKeyWithoutPlaintext")
        return arn

    def use(self, request: ApiRequest, arn: KeyArn | None, operation: str, *, region: Region | None = None) -> None:
        """Require that the caller may use a snapshot's key, in the snapshot's Region. Raises EbsFault.

        The key that AWS manages is open to its whole account, and to nobody else.
        """
        place = region or request.region
        if arn is None or arn == default_key(request.account_id, place):
            return
        if arn_region(arn) != place:
            raise _other_key(f"{arn} is of another Region.")
        via = f"ec2.{place}.amazonaws.com"
        context = {"aws:ebs:id": request.snapshot_id} if request.snapshot_id else {}
        try:
            self._expect_use(Use(request.authentic.caller, operation, arn, place, via, context))
        except AwsFault as fault:
            raise _told(fault) from fault


def default_key(account_id: AccountId, region: Region) -> KeyArn:
    """Return the ARN of `alias/aws/ebs` of an account in a Region. There is no such key in the twin's KMS."""
    name = uuid.uuid5(_NAMESPACE, f"{account_id} {region}")
    return KeyArn(f"arn:{PARTITION}:kms:{region}:{account_id}:key/{name}")


def _told(fault: AwsFault) -> EbsFault:
    """Say what KMS said, by the names of this service."""
    if fault.name == "AccessDeniedException":
        return denied(fault.message, "DEPENDENCY_ACCESS_DENIED")
    if fault.name == "NotFoundException":
        return EbsFault("ResourceNotFoundException", fault.message, status=404, reason="DEPENDENCY_RESOURCE_NOT_FOUND")
    return _other_key(fault.message)


def _other_key(message: str) -> EbsFault:
    return invalid("INVALID_CUSTOMER_KEY", message)
