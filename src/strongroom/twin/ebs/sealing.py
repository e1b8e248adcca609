# SPDX-License-Identifier: Apache-2.0
"""CompleteSnapshot: nothing can be written any more, and all of it is on disk (EBS API Reference)."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from strongroom.ids import SnapshotId
from strongroom.twin.api_request import ApiRequest, Reply
from strongroom.twin.ebs.fault import invalid, invalid_parameter
from strongroom.twin.ebs.store import Entry, SnapshotStore
from strongroom.twin.ebs.writing import SHA256, read_checksum, refuse_not_pending

LINEAR = "LINEAR"


def linear_aggregate(digests: Mapping[int, bytes]) -> bytes:
    """Return the SHA-256 over the blocks' SHA-256s, 32 bytes each, in ascending order of the blocks' indexes.

    EBS API Reference, CompleteSnapshot, Checksum. That they are bytes and not base64 is what coldsnap sends.
    """
    return hashlib.sha256(b"".join(digest for _, digest in sorted(digests.items()))).digest()


def complete(store: SnapshotStore, request: ApiRequest, *, delay: timedelta) -> Reply:
    """CompleteSnapshot. The snapshot counts as completed after `delay`."""
    entry = store.owned(request.snapshot_id or SnapshotId(""), request.view)
    with _sealing(entry, request):
        _refuse_other_blocks(entry, request)
        entry.blocks.flush()
        sealed, at = entry.blocks.contents(), request.now + delay
        store.change(entry, lambda latest: replace(latest, sealed=True, completed=at, contents=sealed))
    return {"Status": entry.snapshot.status(request.now)}


@contextlib.contextmanager
def _sealing(entry: Entry, request: ApiRequest) -> Iterator[None]:
    with entry.lock:
        refuse_not_pending(entry, request)
        if entry.busy:
            raise invalid("CONFLICTING_BLOCK_UPDATE", "Blocks of the snapshot are still being written.")
        entry.sealing = True
    try:
        yield
    finally:
        entry.sealing = False


def _refuse_other_blocks(entry: Entry, request: ApiRequest) -> None:
    """Require that the blocks are those that the client thinks it wrote. Raises EbsFault."""
    written = entry.blocks.own
    if request.number("ChangedBlocksCount") != len(written):
        raise invalid_parameter(f"ChangedBlocksCount is not the number of blocks that were written, {len(written)}.")
    checksum = request.text("Checksum")
    named = (request.text("ChecksumAlgorithm"), request.text("ChecksumAggregationMethod"))
    if checksum and named != (SHA256, LINEAR):
        raise invalid_parameter(f"A checksum needs the algorithm {SHA256} and the aggregation method {LINEAR}.")
    if checksum and read_checksum(checksum) != linear_aggregate(written):
        raise invalid_parameter("The checksum of the snapshot is not that of the blocks that were written.")
