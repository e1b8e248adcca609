# SPDX-License-Identifier: Apache-2.0
"""DescribeImages: what callers may see, and how an image looks in the answer (EC2 API Reference, Image)."""

from __future__ import annotations

from strongroom.ids import AccountId, ImageId
from strongroom.twin.api_request import ApiRequest, Reply
from strongroom.twin.images.filters import Traits, matches, said
from strongroom.twin.images.image import Device, Grantee, Image
from strongroom.twin.images.query import moment
from strongroom.twin.images.registry import ImageRegistry

_PRODUCT_CODE = "product-code"
_NEVER = (
    "free-tier-eligible",
    "image-allowed",
    "kernel-id",
    "manifest-location",
    "owner-alias",
    "platform",
    _PRODUCT_CODE,
    f"{_PRODUCT_CODE}.type",
    "public-ssm-parameter-name",
    "ramdisk-id",
    "source-instance-id",
    "state-reason-code",
    "state-reason-message",
)
"""Filters on what images of ours never have."""
_MAPPING = "block-device-mapping"
_STATE, _HYPERVISOR, _TYPE, _ROOT_TYPE = "available", "xen", "machine", "ebs"


def describe_images(images: ImageRegistry, request: ApiRequest) -> list[Reply]:
    """Return what DescribeImages says of images of ours. Raises AwsFault for an id that the caller may not see."""
    reader = request.account_id
    named = [images.seen(ImageId(each), request.view) for each in request.texts("ImageIds")]
    chosen = [
        each
        for each in named or images.visible(request.view)
        if _asked_for(each, request) and matches(request, _traits(each), _tags(each, reader))
    ]
    return [image_members(each, reader) for each in chosen]


def _asked_for(image: Image, request: ApiRequest) -> bool:
    owners = {_account(each, request) for each in request.texts("Owners")}
    users = {_account(each, request) for each in request.texts("ExecutableUsers")}
    if owners and image.account_id not in owners:
        return False
    granted = {name for kind, name in image.permissions if kind is Grantee.USER}
    return not users or bool(users & granted) or ("all" in users and image.public)


def _account(name: str, request: ApiRequest) -> str:
    return request.account_id if name == "self" else name


def _tags(image: Image, reader: AccountId) -> dict[str, str]:
    """Return the tags that an account sees: those of its own images (EC2 User Guide, "Tag your resources")."""
    return dict(image.tags) if image.account_id == reader else {}


def image_members(image: Image, reader: AccountId) -> Reply:
    """Return an image as an account sees it."""
    optional = {
        "Description": image.description,
        "SriovNetSupport": image.sriov,
        "BootMode": image.boot_mode,
        "TpmSupport": image.tpm_support,
        "ImdsSupport": image.imds_support,
        "SourceImageId": image.source_image,
        "SourceImageRegion": image.source_region,
    }
    return {
        "ImageId": image.image_id,
        "ImageLocation": f"{image.account_id}/{image.name}",
        "State": _STATE,
        "OwnerId": image.account_id,
        "CreationDate": moment(image.created),
        "Public": image.public,
        "Architecture": image.architecture,
        "ImageType": _TYPE,
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "BlockDeviceMappings": [_device_members(each) for each in image.devices],
        "EnaSupport": image.ena,
        "Hypervisor": _HYPERVISOR,
        "Name": image.name,
        "RootDeviceName": image.root_device,
        "RootDeviceType": _ROOT_TYPE,
        "VirtualizationType": image.virtualization,
        "Tags": [{"Key": key, "Value": value} for key, value in _tags(image, reader).items()],
        **{name: value for name, value in optional.items() if value},
    }


def _device_members(device: Device) -> Reply:
    if device.virtual_name:
        return {"DeviceName": device.name, "VirtualName": device.virtual_name}
    volume: Reply = {
        "DeleteOnTermination": device.delete_on_termination,
        "SnapshotId": device.snapshot_id,
        "VolumeSize": device.volume_gib,
        "Encrypted": device.encrypted,
        **device.settings,
        "VolumeType": _volume_type(device),
    }
    return {"DeviceName": device.name, "Ebs": volume}


def _volume_type(device: Device) -> str:
    return str(device.settings.get("VolumeType", "standard"))


def _traits(image: Image) -> Traits:
    volumes = [each for each in image.devices if not each.virtual_name]
    return {
        "architecture": (image.architecture,),
        f"{_MAPPING}.delete-on-termination": [said(each.delete_on_termination)[0] for each in volumes],
        f"{_MAPPING}.device-name": [each.name for each in image.devices],
        f"{_MAPPING}.encrypted": [said(each.encrypted)[0] for each in volumes],
        f"{_MAPPING}.snapshot-id": image.snapshots,
        f"{_MAPPING}.volume-size": [str(each.volume_gib) for each in volumes],
        f"{_MAPPING}.volume-type": [_volume_type(each) for each in volumes],
        "boot-mode": (image.boot_mode,) if image.boot_mode else (),
        "creation-date": (moment(image.created),),
        "description": (image.description,),
        "ena-support": said(image.ena),
        "hypervisor": (_HYPERVISOR,),
        "image-id": (image.image_id,),
        "image-type": (_TYPE,),
        "is-public": said(image.public),
        "name": (image.name,),
        "owner-id": (image.account_id,),
        **dict.fromkeys(_NEVER, ()),
        "root-device-name": (image.root_device,),
        "root-device-type": (_ROOT_TYPE,),
        "source-image-id": (image.source_image,) if image.source_image else (),
        "source-image-region": (image.source_region,) if image.source_region else (),
        "sriov-net-support": (image.sriov,) if image.sriov else (),
        "state": (_STATE,),
        "virtualization-type": (image.virtualization,),
    }
