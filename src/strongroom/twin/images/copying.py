# SPDX-License-Identifier: Apache-2.0
"""CopyImage and CopySnapshot (EC2 API Reference; EC2 User Guide, "Copy an Amazon EC2 AMI")."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace

from strongroom.ids import ImageId, KeyArn, Region, SnapshotId
from strongroom.twin.api_request import ApiRequest, Reply
from strongroom.twin.ebs.copying import Copy, copy_snapshot
from strongroom.twin.ebs.fault import EbsFault
from strongroom.twin.ebs.keys import VolumeKeys, default_key
from strongroom.twin.ebs.store import SnapshotStore
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.image import Device, Image, new_image_id
from strongroom.twin.images.registering import refuse_description, refuse_name
from strongroom.twin.images.registry import ImageRegistry
from strongroom.twin.images.tags import tags_for

_DEFAULT_ALIAS = "alias/aws/ebs"
KeyNames = Callable[[ApiRequest, str], KeyArn]
"""Finds the key that a KmsKeyId names: by its id, its ARN or an alias. Raises AwsFault."""


class Copying:
    """The operations that copy into the account of the caller and the Region of the call."""

    def __init__(self, images: ImageRegistry, snapshots: SnapshotStore, keys: VolumeKeys, names: KeyNames) -> None:
        self._images = images
        self._snapshots = snapshots
        self._keys = keys
        self._names = names

    def copy_image(self, request: ApiRequest) -> Reply:
        """CopyImage: all of an image but its launch permissions, and its tags only where that is asked for."""
        source_region = Region(request.text("SourceRegion"))
        source = self._images.seen(ImageId(request.text("SourceImageId")), request.view_of(source_region))
        refuse_name(request.text("Name"))
        refuse_description(request.text("Description"))
        self._refuse_closed(source, request)
        with contextlib.ExitStack() as undo:  # such as for a name that is taken
            devices = tuple(self._device(each, source, request, undo) for each in source.devices)
            image = self._copied(source, devices, request)
            self._images.add(image)
            undo.pop_all()
        return {"ImageId": image.image_id}

    def copy_snapshot(self, request: ApiRequest) -> Reply:
        """CopySnapshot."""
        refuse_description(request.text("Description"))
        tags = tags_for(request, "snapshot")
        source_region = Region(request.text("SourceRegion"))
        wanted = Copy(
            source_id=SnapshotId(request.text("SourceSnapshotId")),
            source_region=source_region,
            encrypted=bool(request.flag("Encrypted")),
            key_arn=self._key(request),
            description=request.text("Description"),
            tags=tags,
        )
        entry = copy_snapshot(self._snapshots, self._keys, request, wanted)
        return {
            "SnapshotId": entry.snapshot.snapshot_id,
            "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        }

    def _key(self, request: ApiRequest) -> KeyArn | None:
        named = request.text("KmsKeyId")
        if named == _DEFAULT_ALIAS:
            return default_key(request.account_id, request.region)
        return self._names(request, named) if named else None

    def _refuse_closed(self, source: Image, request: ApiRequest) -> None:
        """Require that the snapshots are shared, too, and not the image alone. Raises AwsFault."""
        for each in source.snapshots:
            try:
                self._snapshots.readable(each, request.view_of(source.region))
            except EbsFault as fault:
                raise AwsFault(
                    "InvalidRequest", "You do not have permission to access the storage of this ami"
                ) from fault

    def _device(self, device: Device, source: Image, request: ApiRequest, undo: contextlib.ExitStack) -> Device:
        if device.snapshot_id is None:
            return device
        wanted = Copy(
            source_id=device.snapshot_id,
            source_region=source.region,
            encrypted=bool(request.flag("Encrypted")),
            key_arn=self._key(request),
            description=f"Copied for DestinationAmi from SourceAmi {source.image_id}",
            tags=tags_for(request, "snapshot"),
        )
        entry = copy_snapshot(self._snapshots, self._keys, request, wanted)
        undo.callback(self._snapshots.remove, entry)
        made = entry.snapshot
        return replace(device, snapshot_id=made.snapshot_id, key_arn=made.key_arn, encrypted=made.encrypted)

    def _copied(self, source: Image, devices: tuple[Device, ...], request: ApiRequest) -> Image:
        own = source.account_id == request.account_id
        kept = dict(source.tags) if request.flag("CopyImageTags") and own else {}
        return replace(
            source,
            image_id=new_image_id(),
            account_id=request.account_id,
            region=request.region,
            name=request.text("Name"),
            description=request.text("Description"),
            devices=devices,
            created=request.now,
            tags={**kept, **tags_for(request, "image")},
            permissions=frozenset(),
            source_image=source.image_id,
            source_region=source.region,
        )
