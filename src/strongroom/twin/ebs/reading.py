# SPDX-License-Identifier: Apache-2.0
"""ListSnapshotBlocks, ListChangedBlocks and GetSnapshotBlock (EBS API Reference; User Guide, "Read snapshots")."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from strongroom.ids import SnapshotId
from strongroom.twin.api_request import ApiRequest, Reply
from strongroom.twin.ebs.fault import invalid, invalid_parameter
from strongroom.twin.ebs.keys import VolumeKeys
from strongroom.twin.ebs.snapshots import BLOCK_BYTES, Snapshot
from strongroom.twin.ebs.store import Entry, SnapshotStore
from strongroom.twin.ebs.tokens import BLOCK_LIFE, PAGE_LIFE, TokenError, Tokens
from strongroom.twin.ebs.writing import SHA256

_MOST_RESULTS = 10_000
_BLOCK, _PAGE = "block", "page"


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a page shows: the reply's member, the size of the volume, and how an index looks."""

    member: str
    volume_gib: int
    shown: Callable[[int], Reply]


class Reading:
    """The operations that read a completed snapshot."""

    def __init__(self, store: SnapshotStore, keys: VolumeKeys, tokens: Tokens) -> None:
        self._store = store
        self._keys = keys
        self._tokens = tokens

    def get(self, request: ApiRequest) -> Reply:
        """GetSnapshotBlock."""
        entry = self._entry(request, "SnapshotId")
        index = request.number("BlockIndex")
        try:
            self._tokens.expect(request.text("BlockToken"), _about(entry.snapshot, index), now=request.now)
        except TokenError as error:
            raise invalid("INVALID_BLOCK_TOKEN", "The block token is expired, or not one of this block.") from error
        self._keys.use(request, entry.snapshot.key_arn, "Decrypt")
        digest, data = entry.blocks.get(index)
        return {
            "DataLength": BLOCK_BYTES,
            "BlockData": data,
            "Checksum": base64.b64encode(digest).decode(),
            "ChecksumAlgorithm": SHA256,
        }

    def list_blocks(self, request: ApiRequest) -> Reply:
        """ListSnapshotBlocks."""
        entry = self._entry(request, "SnapshotId")
        self._keys.use(request, entry.snapshot.key_arn, "Decrypt")

        def shown(index: int) -> Reply:
            return {"BlockIndex": index, "BlockToken": self._block_token(entry, index, request)}

        return self._page(request, list(entry.blocks.all), _Listing("Blocks", entry.snapshot.volume_gib, shown))

    def list_changed(self, request: ApiRequest) -> Reply:
        """ListChangedBlocks."""
        if not request.text("FirstSnapshotId"):
            raise invalid_parameter("FirstSnapshotId must be specified with SecondSnapshotId.")
        first, second = self._entry(request, "FirstSnapshotId"), self._entry(request, "SecondSnapshotId")
        if first.snapshot.lineage != second.snapshot.lineage:
            raise invalid("UNRELATED_SNAPSHOTS", "The snapshots are not of one lineage.")
        for entry in (first, second):
            self._keys.use(request, entry.snapshot.key_arn, "Decrypt")
        before, after = first.blocks.all, second.blocks.all
        changed = sorted(index for index in before.keys() | after.keys() if before.get(index) != after.get(index))

        def shown(index: int) -> Reply:
            sides = (("FirstBlockToken", first, before), ("SecondBlockToken", second, after))
            tokens = {name: self._block_token(entry, index, request) for name, entry, has in sides if index in has}
            return {"BlockIndex": index, **tokens}

        return self._page(request, changed, _Listing("ChangedBlocks", second.snapshot.volume_gib, shown))

    def _entry(self, request: ApiRequest, name: str) -> Entry:
        return self._store.readable(request.snapshot(name) or SnapshotId(""), request.view)

    def _block_token(self, entry: Entry, index: int, request: ApiRequest) -> str:
        return self._tokens.make(_about(entry.snapshot, index), expires=request.now + BLOCK_LIFE)

    def _page(self, request: ApiRequest, indexes: Sequence[int], listing: _Listing) -> Reply:
        start = self._page_start(request)
        rest = [index for index in indexes if index >= start]
        limit = request.number("MaxResults", _MOST_RESULTS)
        reply: Reply = {
            listing.member: [listing.shown(index) for index in rest[:limit]],
            "ExpiryTime": request.now + BLOCK_LIFE,
            "VolumeSize": listing.volume_gib,
            "BlockSize": BLOCK_BYTES,
        }
        if len(rest) > limit:
            expires = request.now + PAGE_LIFE
            reply["NextToken"] = self._tokens.make((*_listing(request), rest[limit]), expires=expires)
        return reply

    def _page_start(self, request: ApiRequest) -> int:
        """Return the index a page starts from: that of its token, else the one that was asked for."""
        token = request.text("NextToken")
        if not token:
            return request.number("StartingBlockIndex")
        try:
            *about, start = self._tokens.read(token, now=request.now)
        except TokenError as error:
            raise _other_page() from error
        if about != list(_listing(request)) or not isinstance(start, int):
            raise _other_page()
        return start


def _about(snapshot: Snapshot, index: int) -> tuple[str | int, ...]:
    return (_BLOCK, snapshot.snapshot_id, index)


def _listing(request: ApiRequest) -> tuple[str, ...]:
    asked = (request.text(name) for name in ("SnapshotId", "FirstSnapshotId", "SecondSnapshotId"))
    return (_PAGE, request.operation, *asked)


def _other_page() -> Exception:
    return invalid("INVALID_PAGE_TOKEN", "The page token is expired, or not one of this list.")
