# SPDX-License-Identifier: Apache-2.0
"""The block device mapping of RegisterImage, row by row (EC2 API Reference, BlockDeviceMapping and EbsBlockDevice)."""

from __future__ import annotations

from strongroom.ids import SnapshotId
from strongroom.twin.api_request import ApiRequest
from strongroom.twin.ebs.snapshots import MAX_VOLUME_GIB, Snapshot, SnapshotStatus
from strongroom.twin.ebs.store import SnapshotStore
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.faults import invalid_combination, invalid_value
from strongroom.twin.images.image import Device

MAX_DEVICES = 100
"""More than any instance has."""
_MAX_NAME = 255
_SETTINGS = ("VolumeType", "Iops", "Throughput")
_MAX_SETTING = 1_000_000


def read_devices(request: ApiRequest, snapshots: SnapshotStore) -> tuple[Device, ...]:
    """Return the devices of an image to be registered. Raises AwsFault."""
    rows = [each for each in request.each("BlockDeviceMappings") if "NoDevice" not in each.parameters]
    names = [each.text("DeviceName") for each in rows]
    if len(rows) > MAX_DEVICES or len(set(names)) < len(names) or not all(names):
        raise _invalid(f"Devices have different names, and are at most {MAX_DEVICES}.")
    return tuple(_read_device(each, snapshots) for each in rows)


def _read_device(row: ApiRequest, snapshots: SnapshotStore) -> Device:
    volume, virtual_name = row.inside("Ebs"), row.text("VirtualName")
    if (
        bool(virtual_name) == bool(volume.parameters)
        or max(map(len, (row.text("DeviceName"), virtual_name))) > _MAX_NAME
    ):
        raise _invalid(f"Each device has either Ebs or VirtualName, and names of at most {_MAX_NAME} characters.")
    snapshot_id = volume.snapshot("SnapshotId")
    snapshot = _completed(snapshot_id, row, snapshots) if snapshot_id else None
    if snapshot is not None and volume.flag("Encrypted") is not None:
        raise invalid_combination("The encryption of a volume from a snapshot cannot be specified.")
    keep = volume.flag("DeleteOnTermination")
    return Device(
        name=row.text("DeviceName"),
        snapshot_id=snapshot_id,
        volume_gib=_size(volume, snapshot) if volume.parameters else None,
        delete_on_termination=True if keep is None else keep,
        key_arn=snapshot.key_arn if snapshot else None,
        encrypted=snapshot.encrypted if snapshot else bool(volume.flag("Encrypted")),
        settings={name: _setting(volume, name) for name in _SETTINGS if name in volume.parameters},
        virtual_name=virtual_name or None,
    )


def _size(volume: ApiRequest, snapshot: Snapshot | None) -> int:
    """Return the size of a volume in GiB, which is its snapshot's where nothing is said. Raises AwsFault."""
    least = snapshot.volume_gib if snapshot else 1
    size = volume.number("VolumeSize", snapshot.volume_gib if snapshot else 0)
    if snapshot is not None and size < least:
        raise _invalid(
            f"Volume of size {size}GB is smaller than snapshot '{snapshot.snapshot_id}', expect size >= {least}GB"
        )
    if not least <= size <= MAX_VOLUME_GIB:
        raise _invalid(f"A volume has a snapshot, or a size of 1 to {MAX_VOLUME_GIB} GiB.")
    return size


def _setting(volume: ApiRequest, name: str) -> str | int:
    if name == "VolumeType":
        return volume.text(name)
    number = volume.number(name)
    if not 1 <= number <= _MAX_SETTING:
        raise invalid_value(f"{name} is from 1 to {_MAX_SETTING}.")
    return number


def _completed(snapshot_id: SnapshotId, request: ApiRequest, snapshots: SnapshotStore) -> Snapshot:
    snapshot = snapshots.owned(snapshot_id, request.view).snapshot
    status = snapshot.status(request.now)
    if status is not SnapshotStatus.COMPLETED:
        raise AwsFault("IncorrectState", f"The snapshot '{snapshot_id}' is {status}, not completed.")
    return snapshot


def _invalid(message: str) -> AwsFault:
    return AwsFault("InvalidBlockDeviceMapping", message)
