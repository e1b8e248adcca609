# SPDX-License-Identifier: Apache-2.0
"""DescribeImageAttribute and ModifyImageAttribute (EC2 API Reference), for the owner of an image and nobody else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias

from strongroom.formats.names import ACCOUNT_ID
from strongroom.ids import ImageId
from strongroom.twin.api_request import ApiRequest, Reply
from strongroom.twin.ebs.keys import default_key
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.faults import invalid_combination, invalid_value, missing
from strongroom.twin.images.image import MAX_PERMISSIONS, PUBLIC, Grantee, Image, Permission
from strongroom.twin.images.registering import refuse_description
from strongroom.twin.images.registry import ImageRegistry

_Change: TypeAlias = Callable[[Image], Image]
_MAX_GRANTEES = 10_000
_ORGANIZATION = re.compile(r"arn:[a-z-]+:organizations::[0-9]{12}:(?:organization|ou)/[a-z0-9/-]{3,80}")
_FORMS = {
    Grantee.USER: ACCOUNT_ID,
    Grantee.GROUP: re.compile(PUBLIC[1]),
    Grantee.ORGANIZATION: _ORGANIZATION,
    Grantee.UNIT: _ORGANIZATION,
}
_LISTS = {
    Grantee.USER: "UserIds",
    Grantee.GROUP: "UserGroups",
    Grantee.ORGANIZATION: "OrganizationArns",
    Grantee.UNIT: "OrganizationalUnitArns",
}


class Attributes:
    """The operations on single attributes."""

    def __init__(self, images: ImageRegistry) -> None:
        self._images = images

    def describe(self, request: ApiRequest) -> Reply:
        """DescribeImageAttribute."""
        image = self._owned(request)
        name = request.text("Attribute")
        if name == "blockDeviceMapping":
            raise AwsFault("AuthFailure", "Unauthorized attempt to access restricted resource", status=403)
        values = {
            "description": ("Description", image.description),
            "bootMode": ("BootMode", image.boot_mode),
            "tpmSupport": ("TpmSupport", image.tpm_support),
            "uefiData": ("UefiData", image.uefi_data),
            "imdsSupport": ("ImdsSupport", image.imds_support),
            "sriovNetSupport": ("SriovNetSupport", image.sriov),
            "kernel": ("KernelId", ""),
            "ramdisk": ("RamdiskId", ""),
            "lastLaunchedTime": ("LastLaunchedTime", ""),
            "deregistrationProtection": ("DeregistrationProtection", "disabled"),
        }
        if name == "launchPermission":
            granted = [{kind.value: who} for kind, who in sorted(image.permissions)]
            return {"ImageId": image.image_id, "LaunchPermissions": granted}
        if name == "productCodes":
            return {"ImageId": image.image_id, "ProductCodes": []}
        member, value = values[name]
        return {"ImageId": image.image_id, member: {"Value": value} if value else {}}

    def modify(self, request: ApiRequest) -> Reply:
        """ModifyImageAttribute: the description, IMDSv2, or launch permissions; one of them at a time."""
        image = self._owned(request)
        changes = [*_texts(request), *_permissions(request, image)]
        if len(changes) != 1:
            raise invalid_combination("Exactly one attribute can be modified at a time.")
        self._images.change(image.image_id, changes[0])
        return {}

    def _owned(self, request: ApiRequest) -> Image:
        return self._images.owned(ImageId(request.text("ImageId")), request.view)


def _texts(request: ApiRequest) -> Iterator[_Change]:
    """Yield the changes of attributes that are texts."""
    if _says(request, "Description", "description"):
        description = _value(request, "Description")
        refuse_description(description)
        yield lambda image: replace(image, description=description)
    if _says(request, "ImdsSupport", "imdsSupport"):
        support = _value(request, "ImdsSupport")
        if support != "v2.0":
            raise invalid_value("ImdsSupport is v2.0.")
        yield lambda image: replace(image, imds_support=support)


def _says(request: ApiRequest, member: str, attribute: str) -> bool:
    return member in request.parameters or request.text("Attribute") == attribute


def _value(request: ApiRequest, member: str) -> str:
    return (request.inside(member) if member in request.parameters else request).text("Value")


def _permissions(request: ApiRequest, image: Image) -> Iterator[_Change]:
    """Yield the change of launch permissions, both those added and those removed."""
    both = request.inside("LaunchPermission")
    added, removed = (list(_listed(both, name)) for name in ("Add", "Remove"))
    flat = [(kind, who) for kind, name in _LISTS.items() for who in request.texts(name)]
    operation = request.text("OperationType")
    if flat and not operation:
        raise missing("OperationType")
    (added if operation == "add" else removed).extend(flat)
    for kind, who in (*added, *removed):
        _refuse(kind, who)
    if len(added) + len(removed) > _MAX_GRANTEES:
        raise AwsFault("AMILaunchPermissionLimitExceeded", f"A request has at most {_MAX_GRANTEES} launch permissions.")
    _refuse_sharing(image, added)
    if added or removed:
        yield lambda latest: replace(latest, permissions=_granted(latest, added, removed))


def _granted(image: Image, added: list[Permission], removed: list[Permission]) -> frozenset[Permission]:
    granted = (image.permissions | set(added)) - set(removed)
    if len(granted) > MAX_PERMISSIONS:
        raise AwsFault(
            "AMILaunchPermissionLimitExceeded", f"An image has at most {MAX_PERMISSIONS} launch permissions."
        )
    return granted


def _listed(both: ApiRequest, name: str) -> Iterator[Permission]:
    for each in both.each(name):
        for kind in Grantee:
            if each.text(kind):
                yield kind, each.text(kind)


def _refuse(kind: Grantee, who: str) -> None:
    if not _FORMS[kind].fullmatch(who):
        word = kind.value[:1].lower() + kind.value[1:]
        message = f'Invalid attribute item value "{who[:64]}" for {word} item type.'
        raise AwsFault("InvalidAMIAttributeItemValue", message)


def _refuse_sharing(image: Image, added: list[Permission]) -> None:
    """Keep encrypted images from those who could not open them (EC2 User Guide, "Shared AMIs")."""
    if PUBLIC in added and any(each.encrypted for each in image.devices):
        raise invalid_combination("An AMI with encrypted snapshots cannot be made public.")
    default = default_key(image.account_id, image.region)
    if added and any(each.key_arn == default for each in image.devices):
        raise invalid_combination("An AMI whose snapshots are encrypted with the AWS managed key cannot be shared.")
