# SPDX-License-Identifier: Apache-2.0
"""Instance identity documents: the JSON in which EC2 says what an instance is. Parsed here, verified elsewhere.

Source: EC2 User Guide, "Instance identity documents for Amazon EC2 instances". Fields that nobody here needs may be
there and are not read; those that are read have fixed types and shapes. A name that stands twice is refused, because
two readers would see two documents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from strongroom.formats import strict_json
from strongroom.formats.names import IMAGE_ID
from strongroom.ids import AccountId, ImageId, InstanceId, Region

MAX_IDENTITY_DOCUMENT_BYTES = 16_384
"""Genuine ones have about 500 bytes."""

_SPEC = "EC2 User Guide, instance identity documents"
_ARCHITECTURE = re.compile(r"[a-z0-9_]{1,32}")
_AVAILABILITY_ZONE = re.compile(r"[a-z0-9-]{1,64}")
_INSTANCE_TYPE = re.compile(r"[a-z0-9.-]{1,64}")
_PENDING_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_READ = (
    *("accountId", "instanceId", "imageId", "region"),
    *("availabilityZone", "instanceType", "architecture", "pendingTime"),
)


@dataclass(frozen=True, slots=True)
class IdentityDocument:
    """What an identity document says, unverified."""

    account_id: AccountId
    instance_id: InstanceId
    image_id: ImageId
    region: Region
    availability_zone: str
    instance_type: str
    architecture: str
    pending_time: str
    """When the instance was last started, RFC 3339 in UTC."""


def parse_identity_document(data: bytes) -> IdentityDocument:
    """Parse the JSON of an identity document. Raises FormatError."""
    document = strict_json.parse(data, maximum_bytes=MAX_IDENTITY_DOCUMENT_BYTES, spec=_SPEC)
    members = document.members(_READ)
    return IdentityDocument(
        account_id=members["accountId"].account(),
        instance_id=members["instanceId"].instance_id(),
        image_id=ImageId(members["imageId"].text(IMAGE_ID, wanted="an image id")),
        region=members["region"].region(),
        availability_zone=members["availabilityZone"].text(_AVAILABILITY_ZONE, wanted="an availability zone"),
        instance_type=members["instanceType"].text(_INSTANCE_TYPE, wanted="an instance type"),
        architecture=members["architecture"].text(_ARCHITECTURE, wanted="an architecture"),
        pending_time=members["pendingTime"].text(_PENDING_TIME, wanted="a time such as 2026-01-31T12:00:00Z"),
    )
