# SPDX-License-Identifier: Apache-2.0
"""StartSnapshot and PutSnapshotBlock (EBS API Reference; EBS User Guide, "Write Amazon EBS snapshots")."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
from collections.abc import Iterator
from datetime import timedelta

from strongroom.ids import SnapshotId
from strongroom.twin.api_request import ApiRequest, Reply
from strongroom.twin.ebs.fault import conflict, invalid, invalid_parameter, too_many_pending
from strongroom.twin.ebs.keys import VolumeKeys
from strongroom.twin.ebs.quotas import Meter
from strongroom.twin.ebs.snapshots import (
    BLOCK_BYTES,
    DEFAULT_TIMEOUT,
    MAX_VOLUME_GIB,
    Snapshot,
    SnapshotStatus,
    new_snapshot_id,
)
from strongroom.twin.ebs.store import Entry, SnapshotStore

SHA256 = "SHA256"
_MAX_TAGS = 50
_DIGEST_BYTES = 32


class Writing:
    """The operations that make a snapshot."""

    def __init__(self, store: SnapshotStore, keys: VolumeKeys, meter: Meter) -> None:
        self._store = store
        self._keys = keys
        self._meter = meter

    def start(self, request: ApiRequest) -> Reply:
        """StartSnapshot."""
        _refuse_sizes(request)
        asked = _fingerprint(request)
        with self._store.starting():
            found = self._started_before(request)
            if found is not None:
                if found.snapshot.request != asked:
                    raise conflict()
                return _started(found.snapshot)
            self._refuse_too_many(request)
            parent = self._parent(request)
            return _started(self._store.add(self._new(request, parent, asked), parent=parent).snapshot)

    def put(self, request: ApiRequest) -> Reply:
        """PutSnapshotBlock."""
        entry = self._own(request)
        index, data = request.number("BlockIndex"), request.data("BlockData")
        _refuse_block(request, entry.snapshot, data)
        self._keys.use(request, entry.snapshot.key_arn, "GenerateDataKeyWithoutPlaintext")
        digest = hashlib.sha256(data).digest()
        if digest != read_checksum(request.text("Checksum")):
            raise invalid_parameter("The checksum of the block data is not the one in x-amz-Checksum.")
        with _writing(entry, index, digest, request):
            entry.blocks.put(index, data, digest, at_ns=int(request.now.timestamp() * 1_000_000) * 1000)
        return {"Checksum": base64.b64encode(digest).decode(), "ChecksumAlgorithm": SHA256}

    def _own(self, request: ApiRequest) -> Entry:
        snapshot_id = request.snapshot_id or SnapshotId("")
        return self._store.owned(snapshot_id, request.view)

    def _started_before(self, request: ApiRequest) -> Entry | None:
        token = request.text("ClientToken")
        mine = (each for each in self._mine(request) if token and each.snapshot.client_token == token)
        return next(mine, None)

    def _mine(self, request: ApiRequest) -> list[Entry]:
        return [each for each in self._store.visible(request.view) if each.snapshot.account_id == request.account_id]

    def _refuse_too_many(self, request: ApiRequest) -> None:
        limit = self._meter.quotas.pending_snapshots
        if limit is None:
            return
        states = (each.snapshot.status(request.now) for each in self._mine(request))
        if sum(state is SnapshotStatus.PENDING for state in states) >= limit:
            raise too_many_pending(limit)

    def _parent(self, request: ApiRequest) -> Entry | None:
        parent_id = request.snapshot("ParentSnapshotId")
        if parent_id is None:
            return None
        if request.flag("Encrypted") is not None or request.text("KmsKeyArn"):
            raise invalid_parameter("ParentSnapshotId cannot be specified with Encrypted or KmsKeyArn.")
        parent = self._store.readable(parent_id, request.view)
        if parent.snapshot.volume_gib > request.number("VolumeSize"):
            raise invalid("INVALID_VOLUME_SIZE", "The volume size is smaller than that of the parent snapshot.")
        return parent

    def _new(self, request: ApiRequest, parent: Entry | None, asked: str) -> Snapshot:
        snapshot_id = new_snapshot_id()
        minutes = request.number("Timeout")
        return Snapshot(
            snapshot_id=snapshot_id,
            account_id=request.account_id,
            region=request.region,
            volume_gib=request.number("VolumeSize"),
            description=request.text("Description"),
            tags=request.tags(),
            parent=parent.snapshot.snapshot_id if parent else None,
            lineage=parent.snapshot.lineage if parent else snapshot_id,
            key_arn=self._keys.of_new(request, parent.snapshot if parent else None),
            started=request.now,
            timeout=timedelta(minutes=minutes) if minutes else DEFAULT_TIMEOUT,
            client_token=request.text("ClientToken"),
            request=asked,
        )


def read_checksum(text: str) -> bytes:
    """Return a SHA-256 from base64; nothing that could be one for anything else."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return found if len(found) == _DIGEST_BYTES else b""


def refuse_not_pending(entry: Entry, request: ApiRequest) -> None:
    """Require that a snapshot takes blocks. Raises EbsFault."""
    if entry.sealing or entry.snapshot.sealed or entry.snapshot.cancelled:
        state = entry.snapshot.status(request.now)
        word = "being completed" if state is SnapshotStatus.PENDING else state
        raise invalid("INVALID_SNAPSHOT_ID", f"The snapshot '{entry.snapshot.snapshot_id}' is {word}, not pending.")


@contextlib.contextmanager
def _writing(entry: Entry, index: int, digest: bytes, request: ApiRequest) -> Iterator[None]:
    """Announce a block for as long as it is written: nobody seals the snapshot, or writes something else there."""
    with entry.lock:
        refuse_not_pending(entry, request)
        if entry.busy.get(index, digest) != digest:
            raise invalid("CONFLICTING_BLOCK_UPDATE", f"The block {index} is being written by another request.")
        entry.busy[index] = digest
    try:
        yield
    finally:
        with entry.lock:
            entry.busy.pop(index, None)


def _refuse_sizes(request: ApiRequest) -> None:
    if request.number("VolumeSize") > MAX_VOLUME_GIB:
        raise invalid("INVALID_VOLUME_SIZE", f"The volume size is at most {MAX_VOLUME_GIB} GiB.")
    tags = request.parameters.get("Tags")
    if not isinstance(tags, list):
        return
    keys = request.tags()
    if (
        len(tags) > _MAX_TAGS
        or len(keys) != len(tags)
        or any(not key or key.lower().startswith("aws:") for key in keys)
    ):
        raise invalid("INVALID_TAG", f"Tags have different keys, none with aws: first, and are at most {_MAX_TAGS}.")


def _refuse_block(request: ApiRequest, snapshot: Snapshot, data: bytes) -> None:
    if request.number("DataLength") != BLOCK_BYTES:
        raise invalid_parameter(f"x-amz-Data-Length is {BLOCK_BYTES}.")
    if len(data) != BLOCK_BYTES:
        raise invalid_parameter("Failed to read block data")
    if request.number("BlockIndex") >= snapshot.block_count:
        raise invalid("INVALID_BLOCK", f"The volume has {snapshot.block_count} blocks, counted from 0.")


def _fingerprint(request: ApiRequest) -> str:
    """Return what makes two requests with one client token the same."""
    asked = {name: value for name, value in request.parameters.items() if name != "ClientToken"}
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _started(snapshot: Snapshot) -> Reply:
    reply: Reply = {
        "SnapshotId": snapshot.snapshot_id,
        "OwnerId": snapshot.account_id,
        "Status": SnapshotStatus.PENDING,
        "StartTime": snapshot.started,
        "VolumeSize": snapshot.volume_gib,
        "BlockSize": BLOCK_BYTES,
    }
    tags = [{"Key": name, "Value": value} for name, value in snapshot.tags.items()]
    optional = {
        "Description": snapshot.description,
        "Tags": tags,
        "ParentSnapshotId": snapshot.parent,
        "KmsKeyArn": snapshot.key_arn,
    }
    return reply | {name: value for name, value in optional.items() if value}
