# SPDX-License-Identifier: Apache-2.0
"""What an image (AMI) is. EC2 API model, Image, RegisterImageRequest, BlockDeviceMapping and LaunchPermission."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from strongroom.ids import AccountId, ImageId, KeyArn, Region, SnapshotId
from strongroom.twin.accounts import PARTITION


class Grantee(enum.StrEnum):
    """What a launch permission names. The value is its member in the API model."""

    USER = "UserId"
    GROUP = "Group"
    ORGANIZATION = "OrganizationArn"
    UNIT = "OrganizationalUnitArn"


Permission: TypeAlias = tuple[Grantee, str]
MAX_PERMISSIONS = 20_000
"""Of one image; a request has at most 10,000."""
PUBLIC = (Grantee.GROUP, "all")
"""The launch permission of everybody."""


@dataclass(frozen=True, slots=True)
class Device:
    """One row of the block device mapping: a snapshot, an empty volume, an instance store, or nothing.

    `settings` are further members of EbsBlockDevice, as they came.
    """

    name: str
    snapshot_id: SnapshotId | None
    volume_gib: int | None
    delete_on_termination: bool
    key_arn: KeyArn | None
    encrypted: bool
    settings: Mapping[str, str | int]
    virtual_name: str | None


@dataclass(frozen=True, slots=True)
class Image:
    """One image of one account in one Region. An empty text is an attribute that was not set."""

    image_id: ImageId
    account_id: AccountId
    region: Region
    name: str
    description: str
    architecture: str
    virtualization: str
    boot_mode: str
    tpm_support: str
    imds_support: str
    uefi_data: str
    sriov: str
    ena: bool
    root_device: str
    devices: tuple[Device, ...]
    created: datetime
    tags: Mapping[str, str]
    permissions: frozenset[Permission]
    source_image: str
    source_region: str

    @property
    def public(self) -> bool:
        """Whether everybody may launch it."""
        return PUBLIC in self.permissions

    def open_to(self, account_id: AccountId) -> bool:
        """Whether an account may see and launch it. Permissions of organizations open nothing: the twin has none."""
        return account_id == self.account_id or self.public or (Grantee.USER, account_id) in self.permissions

    @property
    def snapshots(self) -> tuple[SnapshotId, ...]:
        """The snapshots that it is made of."""
        return tuple(each.snapshot_id for each in self.devices if each.snapshot_id)


def image_arn(region: Region, image_id: str = "*") -> str:
    """Return an image's ARN, which names no account (Service Authorization Reference, Amazon EC2)."""
    return f"arn:{PARTITION}:ec2:{region}::image/{image_id}"


def new_image_id() -> ImageId:
    """Return an id that no other image has."""
    return ImageId(f"ami-{secrets.token_hex(9)[:17]}")
