# SPDX-License-Identifier: Apache-2.0
"""EC2 for whoever wants to know whether an instance exists. It reads, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from strongroom.aws import ec2_errors
from strongroom.aws.sdk.session import translated
from strongroom.errors import ServiceFault
from strongroom.ids import AccountId, ImageId, InstanceId
from strongroom.ports import Ec2Instance

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import InstanceTypeDef


class SdkInstanceDirectory:
    """An `InstanceDirectory` over boto3, in the client's Region."""

    def __init__(self, client: EC2Client) -> None:
        self._client = client

    def describe_instance(self, instance_id: InstanceId) -> Ec2Instance | None:
        """Return what EC2 says about an instance, None for none. Raises KeyRefused, UsageError, ServiceFault."""
        # A filter, because an id that EC2 does not know is an error as InstanceIds, and an empty answer as a filter.
        with translated(ec2_errors.translate):
            reply = self._client.describe_instances(Filters=[{"Name": "instance-id", "Values": [instance_id]}])
        found = [
            _facts(instance, reservation.get("OwnerId", ""))
            for reservation in reply["Reservations"]
            for instance in reservation.get("Instances", [])
        ]
        if len(found) > 1:
            raise ServiceFault(
                "ec2.unexpected", f"expected one instance {instance_id}, found {len(found)}", retryable=False
            )
        return found[0] if found else None


def _facts(instance: InstanceTypeDef, owner: str) -> Ec2Instance:
    return Ec2Instance(
        account_id=AccountId(owner),
        instance_id=InstanceId(instance.get("InstanceId", "")),
        image_id=ImageId(instance.get("ImageId", "")),
        instance_type=instance.get("InstanceType", ""),
        availability_zone=instance.get("Placement", {}).get("AvailabilityZone", ""),
        architecture=instance.get("Architecture", ""),
        state=instance.get("State", {}).get("Name", ""),
    )
