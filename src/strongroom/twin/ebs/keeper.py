# SPDX-License-Identifier: Apache-2.0
"""Keeps snapshots in the twin's state file, and their blocks in a folder beside it (docs/formats/twin-state.md)."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from strongroom.errors import FormatError
from strongroom.formats import strict_json
from strongroom.formats.names import SNAPSHOT_ID
from strongroom.formats.tree import Node
from strongroom.ids import KeyArn, SnapshotId
from strongroom.twin.ebs.snapshots import MAX_SHARES, MAX_VOLUME_GIB, Snapshot
from strongroom.twin.ebs.tokens import SECRET_BYTES
from strongroom.twin.state_file import Row, StateFile
from strongroom.twin.state_values import read_flag, read_time

_KIND, _SECRET_KIND, _SECRET_NAME = "ebs-snapshot", "ebs-secret", "tokens"
_SPEC = "docs/formats/twin-state.md"
_MAX_BODY_BYTES = 1 << 20
_MEMBERS = (
    "snapshot_id",
    "account",
    "region",
    "volume_gib",
    "description",
    "tags",
    "parent",
    "lineage",
    "key_arn",
    "started",
    "timeout_minutes",
    "client_token",
    "request",
    "sealed",
    "cancelled",
    "completed",
    "contents",
    "shared_with",
)
_MAX_TIMEOUT_MINUTES = 4320


class StateKeeper:
    """A `store.Keeper` in a state file."""

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self.folder = blocks_folder(file.path)

    def load(self) -> Sequence[Snapshot]:
        """Return every snapshot that is kept. Raises FormatError where one is damaged."""
        return [self._read(row) for row in self._file.rows(_KIND)]

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot in its new form. Raises LocalFault, and FormatError for one that could not be read again."""
        body = snapshot_body(snapshot)
        _parse(body)
        self._file.write([Row(_KIND, snapshot.snapshot_id, body)])

    def forget(self, snapshot_id: SnapshotId) -> None:
        """Forget a snapshot. Raises LocalFault."""
        self._file.write([Row(_KIND, snapshot_id, None)])

    def damaged(self, reason: str) -> FormatError:
        """Make the error of a state that is not what it should be."""
        return self._file.damaged(reason)

    def token_secret(self) -> bytes:
        """Return the secret of all tokens, which is made once. Raises FormatError, and LocalFault."""
        for row in self._file.rows(_SECRET_KIND):
            secret = bytes.fromhex(row.body or "") if row.name == _SECRET_NAME else b""
            if len(secret) != SECRET_BYTES:
                raise self._file.damaged(f"{_SECRET_KIND} {row.name}")
            return secret
        secret = secrets.token_bytes(SECRET_BYTES)
        self._file.write([Row(_SECRET_KIND, _SECRET_NAME, secret.hex())])
        return secret

    def _read(self, row: Row) -> Snapshot:
        try:
            found = _parse(row.body or "")
        except FormatError as error:
            raise self._file.damaged(f"{_KIND} {row.name}: {error}") from error
        if found.snapshot_id != row.name:
            raise self._file.damaged(f"{_KIND} {row.name} holds {found.snapshot_id}")
        return found


def _parse(body: str) -> Snapshot:
    return read_snapshot(strict_json.parse(body.encode(), maximum_bytes=_MAX_BODY_BYTES, spec=_SPEC))


def blocks_folder(state: Path) -> Path:
    """Return where the blocks of a state's snapshots lie."""
    return state.with_name(f"{state.name}.blocks")


def snapshot_body(snapshot: Snapshot) -> str:
    """Return a snapshot's body."""
    members = {
        "snapshot_id": snapshot.snapshot_id,
        "account": snapshot.account_id,
        "region": snapshot.region,
        "volume_gib": snapshot.volume_gib,
        "description": snapshot.description,
        "tags": dict(snapshot.tags),
        "parent": snapshot.parent,
        "lineage": snapshot.lineage,
        "key_arn": snapshot.key_arn,
        "started": snapshot.started.isoformat(),
        "timeout_minutes": snapshot.timeout // timedelta(minutes=1),
        "client_token": snapshot.client_token,
        "request": snapshot.request,
        "sealed": snapshot.sealed,
        "cancelled": snapshot.cancelled,
        "contents": snapshot.contents,
        "completed": snapshot.completed.isoformat() if snapshot.completed else None,
        "shared_with": sorted(snapshot.shared_with),
    }
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def read_snapshot(node: Node) -> Snapshot:
    """Read a snapshot. Raises FormatError."""
    it = node.record(_MEMBERS)
    return Snapshot(
        snapshot_id=_id(it["snapshot_id"]),
        account_id=it["account"].account(),
        region=it["region"].region(),
        volume_gib=it["volume_gib"].integer(1, MAX_VOLUME_GIB),
        description=it["description"].string(),
        tags={name: value.string() for name, value in it["tags"].table()},
        parent=None if it["parent"].value is None else _id(it["parent"]),
        lineage=_id(it["lineage"]),
        key_arn=None if it["key_arn"].value is None else KeyArn(it["key_arn"].text()),
        started=read_time(it["started"]),
        timeout=timedelta(minutes=it["timeout_minutes"].integer(0, _MAX_TIMEOUT_MINUTES)),
        client_token=it["client_token"].string(),
        request=it["request"].string(),
        sealed=read_flag(it["sealed"]),
        cancelled=read_flag(it["cancelled"]),
        completed=None if it["completed"].value is None else read_time(it["completed"]),
        contents=it["contents"].string(),
        shared_with=frozenset(each.account() for each in it["shared_with"].items(maximum=MAX_SHARES)),
    )


def _id(node: Node) -> SnapshotId:
    return SnapshotId(node.text(SNAPSHOT_ID, wanted="a snapshot id"))
