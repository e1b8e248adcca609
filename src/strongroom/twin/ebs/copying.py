# SPDX-License-Identifier: Apache-2.0
"""Copies of snapshots: of another Region or account, with another key. They share blocks on disk with their source.

A copy has the blocks of its source, and no others: where the source had zeros because nobody wrote there, an encrypted
copy has noise (`volume`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from strongroom.ids import KeyArn, Region, SnapshotId
from strongroom.twin.api_request import ApiRequest
from strongroom.twin.ebs.fault import invalid_parameter
from strongroom.twin.ebs.keys import VolumeKeys, default_key
from strongroom.twin.ebs.snapshots import Snapshot, new_snapshot_id
from strongroom.twin.ebs.store import Entry, SnapshotStore

_NOT_WRITTEN_TO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Copy:
    """What is copied, and what the copy is to be. `encrypted` and `key_arn` are what the caller asks for."""

    source_id: SnapshotId
    source_region: Region
    encrypted: bool
    key_arn: KeyArn | None
    description: str
    tags: Mapping[str, str]


def copy_snapshot(store: SnapshotStore, keys: VolumeKeys, request: ApiRequest, wanted: Copy) -> Entry:
    """Copy a snapshot that the caller may read into his account and the Region of the call. Raises AwsFault."""
    source = store.readable(wanted.source_id, request.view_of(wanted.source_region))
    keys.use(request, source.snapshot.key_arn, "Decrypt", region=wanted.source_region)
    copy = _copied(source.snapshot, request, wanted)
    keys.use(request, copy.key_arn, "GenerateDataKeyWithoutPlaintext")
    return store.add(copy, parent=source)


def _copied(source: Snapshot, request: ApiRequest, wanted: Copy) -> Snapshot:
    if wanted.key_arn and not wanted.encrypted:
        raise invalid_parameter("A KMS key needs Encrypted.")
    snapshot_id, encrypted = new_snapshot_id(), wanted.encrypted or source.encrypted
    chosen = wanted.key_arn or default_key(request.account_id, request.region)
    return replace(
        source,
        snapshot_id=snapshot_id,
        account_id=request.account_id,
        region=request.region,
        description=wanted.description,
        tags=dict(wanted.tags),
        parent=None,
        lineage=snapshot_id,
        key_arn=chosen if encrypted else None,
        started=request.now,
        timeout=_NOT_WRITTEN_TO,
        client_token="",
        request="",
        completed=request.now,
        shared_with=frozenset(),
    )
