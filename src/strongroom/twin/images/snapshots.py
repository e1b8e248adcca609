# SPDX-License-Identifier: Apache-2.0
"""EC2's view of snapshots: DescribeSnapshots, DeleteSnapshot, and who may make volumes of them (EC2 API Reference)."""

from __future__ import annotations

from dataclasses import replace

from strongroom.formats.names import ACCOUNT_ID
from strongroom.ids import AccountId, SnapshotId
from strongroom.twin.api_request import ApiRequest, Reply
from strongroom.twin.ebs.keys import default_key
from strongroom.twin.ebs.snapshots import BLOCK_BYTES, MAX_SHARES, Snapshot, SnapshotStatus
from strongroom.twin.ebs.store import Entry, SnapshotStore
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.faults import invalid_combination, invalid_value, missing
from strongroom.twin.images.filters import Traits, matches, said
from strongroom.twin.images.query import moment
from strongroom.twin.images.registry import ImageRegistry

_NO_VOLUME = "vol-ffffffff"
"""The volume of snapshots that no volume was behind."""


class Snapshots:
    """The operations of EC2 on snapshots that the EBS direct APIs, or copies, made."""

    def __init__(self, images: ImageRegistry, snapshots: SnapshotStore) -> None:
        self._images = images
        self._snapshots = snapshots

    def describe(self, request: ApiRequest) -> list[Reply]:
        """Return what DescribeSnapshots says of snapshots of ours. Raises AwsFault."""
        named = [self._snapshots.entry(SnapshotId(each), request.view) for each in request.texts("SnapshotIds")]
        found = named or self._snapshots.visible(request.view)
        chosen = [
            each
            for each in found
            if _asked_for(each.snapshot, request) and matches(request, _traits(each, request), _tags(each, request))
        ]
        return [_members(each, request) for each in chosen]

    def delete(self, request: ApiRequest) -> Reply:
        """DeleteSnapshot."""
        entry = self._owned(request)
        users = self._images.users_of(entry.snapshot.snapshot_id)
        if users:
            raise AwsFault(
                "InvalidSnapshot.InUse",
                f"The snapshot {entry.snapshot.snapshot_id} is currently in use by {', '.join(users)}",
            )
        self._snapshots.remove(entry)
        return {}

    def describe_attribute(self, request: ApiRequest) -> Reply:
        """DescribeSnapshotAttribute."""
        snapshot = self._owned(request).snapshot
        if request.text("Attribute") == "productCodes":
            return {"SnapshotId": snapshot.snapshot_id, "ProductCodes": []}
        shared = [{"UserId": each} for each in sorted(snapshot.shared_with)]
        return {"SnapshotId": snapshot.snapshot_id, "CreateVolumePermissions": shared}

    def modify_attribute(self, request: ApiRequest) -> Reply:
        """ModifySnapshotAttribute."""
        entry = self._owned(request)
        added, removed = _grantees(request)
        if added and entry.snapshot.key_arn == default_key(request.account_id, request.region):
            raise invalid_value(
                "Snapshots encrypted with the AWS Managed CMK can't be shared. Specify another snapshot."
            )
        self._snapshots.change(entry, lambda latest: _shared(latest, added, removed))
        return {}

    def _owned(self, request: ApiRequest) -> Entry:
        return self._snapshots.owned(request.snapshot_id or SnapshotId(""), request.view)


def _shared(snapshot: Snapshot, added: set[AccountId], removed: set[AccountId]) -> Snapshot:
    shared = (snapshot.shared_with | added) - removed
    if len(shared) > MAX_SHARES:
        raise AwsFault("ResourceLimitExceeded", f"A snapshot is shared with at most {MAX_SHARES} accounts.")
    return replace(snapshot, shared_with=shared)


def _grantees(request: ApiRequest) -> tuple[set[AccountId], set[AccountId]]:
    """Return the accounts that are added and removed. Raises AwsFault, also for everybody."""
    both = request.inside("CreateVolumePermission")
    rows = {name: both.each(name) for name in ("Add", "Remove")}
    groups = [each.text("Group") for name in rows for each in rows[name]] + list(request.texts("GroupNames"))
    if any(groups):
        raise AwsFault("UnsupportedOperation", "The twin has no public snapshots.")
    named = {name: {each.text("UserId") for each in rows[name]} for name in rows}
    flat, operation = set(request.texts("UserIds")), request.text("OperationType")
    if flat and operation not in {"add", "remove"}:
        raise missing("OperationType")
    named["Add" if operation == "add" else "Remove"] |= flat
    if not any(named.values()):
        raise invalid_combination("No permission to add or to remove was specified.")
    for who in named["Add"] | named["Remove"]:
        if not ACCOUNT_ID.fullmatch(who):
            raise invalid_value(f"Invalid user ID: '{who[:64]}'")
    return set(map(AccountId, named["Add"])), set(map(AccountId, named["Remove"]))


def _asked_for(snapshot: Snapshot, request: ApiRequest) -> bool:
    owners, users = (
        {request.account_id if each == "self" else each for each in request.texts(name)}
        for name in ("OwnerIds", "RestorableByUserIds")
    )
    open_to = {snapshot.account_id, *snapshot.shared_with}
    return (not owners or snapshot.account_id in owners) and (not users or bool(users & open_to))


def _tags(entry: Entry, request: ApiRequest) -> dict[str, str]:
    return dict(entry.snapshot.tags) if entry.snapshot.account_id == request.account_id else {}


def _members(entry: Entry, request: ApiRequest) -> Reply:
    snapshot, status = entry.snapshot, entry.snapshot.status(request.now)
    completed = snapshot.completed if status is SnapshotStatus.COMPLETED else None
    return {
        "SnapshotId": snapshot.snapshot_id,
        "VolumeId": _NO_VOLUME,
        "State": status,
        "StateMessage": "No blocks were written in time." if status is SnapshotStatus.ERROR else None,
        "StartTime": snapshot.started,
        "Progress": _progress(status),
        "OwnerId": snapshot.account_id,
        "Description": snapshot.description,
        "VolumeSize": snapshot.volume_gib,
        "Encrypted": snapshot.encrypted,
        "KmsKeyId": snapshot.key_arn,
        "StorageTier": "standard",
        "CompletionTime": completed,
        "FullSnapshotSizeInBytes": len(entry.blocks.all) * BLOCK_BYTES if completed else None,
        "Tags": [{"Key": key, "Value": value} for key, value in _tags(entry, request).items()],
    }


def _progress(status: SnapshotStatus) -> str:
    return "100%" if status is SnapshotStatus.COMPLETED else "0%"


def _traits(entry: Entry, request: ApiRequest) -> Traits:
    snapshot, status = entry.snapshot, entry.snapshot.status(request.now)
    return {
        "description": (snapshot.description,),
        "encrypted": said(snapshot.encrypted),
        "owner-alias": (),
        "owner-id": (snapshot.account_id,),
        "progress": (_progress(status),),
        "snapshot-id": (snapshot.snapshot_id,),
        "start-time": (moment(snapshot.started),),
        "status": (status,),
        "storage-tier": ("standard",),
        "transfer-type": (),
        "volume-id": (_NO_VOLUME,),
        "volume-size": (str(snapshot.volume_gib),),
    }
