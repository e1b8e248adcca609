# SPDX-License-Identifier: Apache-2.0
"""RegisterImage and DeregisterImage (EC2 API Reference; EC2 User Guide, "Enable a Linux AMI for NitroTPM")."""

from __future__ import annotations

import base64
import binascii
import re

from strongroom.ids import ImageId, SnapshotId
from strongroom.twin.api_request import ApiRequest, Reply
from strongroom.twin.ebs.fault import EbsFault
from strongroom.twin.ebs.store import SnapshotStore
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.devices import read_devices
from strongroom.twin.images.faults import invalid_combination, invalid_value, missing
from strongroom.twin.images.image import Image, new_image_id
from strongroom.twin.images.registry import ImageRegistry
from strongroom.twin.images.tags import tags_for

MAX_UEFI_DATA = 64_000
_NAME = re.compile(r"[A-Za-z0-9()\[\] ./\-'@_]{3,128}")
_MAX_DESCRIPTION = 255
_MAX_SHORT = 64


class Registering:
    """The operations that make images of snapshots, and take them away."""

    def __init__(self, images: ImageRegistry, snapshots: SnapshotStore) -> None:
        self._images = images
        self._snapshots = snapshots

    def register(self, request: ApiRequest) -> Reply:
        """RegisterImage."""
        refuse_name(request.text("Name"))
        refuse_description(request.text("Description"))
        _refuse_unknown(request)
        _refuse_firmware(request)
        root = request.text("RootDeviceName")
        devices = read_devices(request, self._snapshots)
        if not root or not devices:
            raise missing("RootDeviceName" if devices else "BlockDeviceMappings")
        if not any(each.name == root and each.snapshot_id for each in devices):
            raise AwsFault("InvalidBlockDeviceMapping", f"The root device {root} has no snapshot.")
        image = Image(
            image_id=new_image_id(),
            account_id=request.account_id,
            region=request.region,
            name=request.text("Name"),
            description=request.text("Description"),
            architecture=request.text("Architecture") or "i386",
            virtualization=request.text("VirtualizationType") or "paravirtual",
            boot_mode=request.text("BootMode"),
            tpm_support=request.text("TpmSupport"),
            imds_support=request.text("ImdsSupport"),
            uefi_data=request.text("UefiData"),
            sriov=request.text("SriovNetSupport"),
            ena=bool(request.flag("EnaSupport")),
            root_device=root,
            devices=devices,
            created=request.now,
            tags=tags_for(request, "image"),
            permissions=frozenset(),
            source_image="",
            source_region="",
        )
        self._images.add(image)
        return {"ImageId": image.image_id}

    def deregister(self, request: ApiRequest) -> Reply:
        """DeregisterImage."""
        image = self._images.owned(ImageId(request.text("ImageId")), request.view)
        self._images.remove(image.image_id)
        reply: Reply = {"Return": True}
        if request.flag("DeleteAssociatedSnapshots"):
            reply["DeleteSnapshotResults"] = [self._deleted(each, request) for each in image.snapshots]
        return reply

    def _deleted(self, snapshot_id: SnapshotId, request: ApiRequest) -> Reply:
        if self._images.users_of(snapshot_id):
            return {"SnapshotId": snapshot_id, "ReturnCode": "skipped"}
        try:
            self._snapshots.remove(self._snapshots.owned(snapshot_id, request.view))
        except EbsFault:
            return {"SnapshotId": snapshot_id, "ReturnCode": "client-error"}
        return {"SnapshotId": snapshot_id, "ReturnCode": "success"}


def refuse_name(name: str) -> None:
    """Require a name that an image may have. Raises AwsFault."""
    if not name:
        raise missing("Name")
    if not _NAME.fullmatch(name):
        raise AwsFault(
            "InvalidAMIName.Malformed",
            "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, and "
            "()[] ./-'@_ only",
        )


def refuse_description(text: str) -> None:
    """Require a description that an image may have. Raises AwsFault."""
    if len(text) > _MAX_DESCRIPTION:
        raise invalid_value(f"A description has at most {_MAX_DESCRIPTION} characters.")


def _refuse_unknown(request: ApiRequest) -> None:
    """Refuse what would be kept by AWS and is not kept here."""
    for name in ("ImageLocation", "KernelId", "RamdiskId", "BillingProducts"):
        if name in request.parameters:
            raise AwsFault("UnsupportedOperation", f"The twin's images have no {name}.")


def _refuse_firmware(request: ApiRequest) -> None:
    """Refuse what no machine could start (EC2 User Guide, "NitroTPM for Amazon EC2 instances", prerequisites)."""
    if request.text("TpmSupport") and request.text("BootMode") != "uefi":
        raise invalid_combination("TpmSupport v2.0 needs the boot mode uefi.")
    data = request.text("UefiData")
    if len(data) > MAX_UEFI_DATA:
        raise invalid_value(f"UefiData has at most {MAX_UEFI_DATA} characters.")
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise invalid_value("UefiData is not base64.") from error
    for name in ("SriovNetSupport", "RootDeviceName", "VirtualizationType"):
        if len(request.text(name)) > _MAX_SHORT:
            raise invalid_value(f"{name} has at most {_MAX_SHORT} characters.")
