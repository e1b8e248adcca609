# SPDX-License-Identifier: Apache-2.0
"""All snapshots of all accounts: what they are, and where their blocks lie.

A pending snapshot to which nobody wrote for as long as its Timeout says is cancelled, and its blocks are gone (API
model, StartSnapshot, Timeout). That happens when somebody next asks for it.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from strongroom.errors import FormatError
from strongroom.ids import SnapshotId
from strongroom.twin.api_request import View
from strongroom.twin.ebs.blocks import Blocks
from strongroom.twin.ebs.fault import invalid, no_snapshot
from strongroom.twin.ebs.snapshots import Snapshot, SnapshotStatus

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Keeper(Protocol):
    """Where snapshots outlive the process."""

    @property
    def folder(self) -> Path:
        """Where their blocks lie."""

    def load(self) -> Sequence[Snapshot]:
        """Return every snapshot that is kept. Raises FormatError where one is damaged."""

    def keep(self, snapshot: Snapshot) -> None:
        """Keep a snapshot in its new form: it is on disk on return. Raises LocalFault."""

    def forget(self, snapshot_id: SnapshotId) -> None:
        """Forget a snapshot. Raises LocalFault."""

    def damaged(self, reason: str) -> FormatError:
        """Make the error of a state that is not what it should be."""


@dataclass
class Entry:
    """One snapshot with its blocks. `lock` guards the rest; `busy` are blocks that are being written."""

    snapshot: Snapshot
    blocks: Blocks
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: dict[int, bytes] = field(default_factory=dict)
    sealing: bool = False

    def overdue(self, now: datetime) -> bool:
        """Whether nobody waits for another block any more."""
        written = _EPOCH + timedelta(microseconds=self.blocks.last_write_ns // 1000)
        deadline = max(self.snapshot.started, written) + self.snapshot.timeout
        return not self.busy and not self.sealing and deadline <= now


class SnapshotStore:
    """All of it. Without a keeper, blocks lie in a temporary folder. Safe to use from several threads."""

    def __init__(self, keeper: Keeper | None = None) -> None:
        self._lock = threading.RLock()
        self._changing = threading.Lock()
        self._keeper = keeper
        self._entries: dict[SnapshotId, Entry] = {}
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._folder = keeper.folder if keeper else None
        if keeper is not None:
            self._load(keeper)

    def close(self) -> None:
        """Remove the temporary folder, where there is one."""
        with self._lock:
            if self._temporary is not None:
                self._temporary.cleanup()
                self._temporary = None

    def __contains__(self, snapshot_id: object) -> bool:
        """Whether there is such a snapshot."""
        with self._lock:
            return snapshot_id in self._entries

    def entry(self, snapshot_id: SnapshotId, view: View) -> Entry:
        """Return a snapshot that an account may read. Raises EbsFault (ResourceNotFoundException)."""
        found = self._current(snapshot_id, view.now)
        if found is None or found.snapshot.region != view.region or not found.snapshot.readable_by(view.account_id):
            raise no_snapshot(snapshot_id)
        return found

    def owned(self, snapshot_id: SnapshotId, view: View) -> Entry:
        """Return a snapshot of an account's own. Raises EbsFault (ResourceNotFoundException)."""
        found = self.entry(snapshot_id, view)
        if found.snapshot.account_id != view.account_id:
            raise no_snapshot(snapshot_id)
        return found

    def readable(self, snapshot_id: SnapshotId, view: View) -> Entry:
        """Return a completed snapshot that an account may read. Raises EbsFault."""
        found = self.entry(snapshot_id, view)
        if found.snapshot.status(view.now) is not SnapshotStatus.COMPLETED:
            raise invalid("INVALID_SNAPSHOT_ID", f"The snapshot '{snapshot_id}' is not completed.")
        return found

    def visible(self, view: View) -> list[Entry]:
        """Return every snapshot that an account may know of in a Region, oldest first."""
        with self._lock:
            found = [self._current(each, view.now) for each in tuple(self._entries)]
        here = [each for each in found if each is not None and each.snapshot.region == view.region]
        return [each for each in here if each.snapshot.readable_by(view.account_id)]

    def add(self, snapshot: Snapshot, *, parent: Entry | None = None) -> Entry:
        """Add a snapshot, with the blocks of its parent. Raises OSError, and LocalFault; nothing is added then."""
        folder = self._folder_of(snapshot.snapshot_id)
        with contextlib.ExitStack() as undo:
            entry = Entry(snapshot, Blocks(folder))
            undo.callback(entry.blocks.remove)
            if parent is not None:
                entry.blocks.inherit(parent.blocks)
            if snapshot.sealed:
                entry.snapshot = replace(snapshot, contents=entry.blocks.contents())
            self._keep(entry.snapshot)
            undo.pop_all()
        with self._lock:
            self._entries[snapshot.snapshot_id] = entry
        return entry

    def change(self, entry: Entry, change: Callable[[Snapshot], Snapshot]) -> None:
        """Replace a snapshot by what `change` makes of its latest form. Raises LocalFault; nothing has changed then."""
        with self._changing:
            changed = change(entry.snapshot)
            self._keep(changed)
            entry.snapshot = changed

    def remove(self, entry: Entry) -> None:
        """Remove a snapshot and its blocks. Raises LocalFault, and OSError."""
        with self._lock:
            if self._keeper is not None:
                self._keeper.forget(entry.snapshot.snapshot_id)
            self._entries.pop(entry.snapshot.snapshot_id, None)
        entry.blocks.remove()

    @contextlib.contextmanager
    def starting(self) -> Iterator[None]:
        """Hold others off who want to start a snapshot, while one looks whether it may."""
        with self._lock:
            yield

    def _current(self, snapshot_id: SnapshotId, now: datetime) -> Entry | None:
        """Return a snapshot as it is at a time: one that is overdue is cancelled first."""
        with self._lock:
            entry = self._entries.get(snapshot_id)
        if entry is None or entry.snapshot.sealed or entry.snapshot.cancelled or entry.sealing:
            return entry
        with entry.lock:
            if entry.overdue(now):
                self.change(entry, lambda latest: replace(latest, cancelled=True))
                entry.blocks.clear()
        return entry

    def _keep(self, snapshot: Snapshot) -> None:
        if self._keeper is not None:
            self._keeper.keep(snapshot)

    def _folder_of(self, snapshot_id: SnapshotId) -> Path:
        with self._lock:
            if self._folder is None:
                self._temporary = tempfile.TemporaryDirectory(prefix="strongroom-twin-ebs-")
                self._folder = Path(self._temporary.name)
            return self._folder / snapshot_id

    def _load(self, keeper: Keeper) -> None:
        for snapshot in keeper.load():
            blocks = Blocks(keeper.folder / snapshot.snapshot_id)
            if snapshot.sealed and blocks.contents() != snapshot.contents:
                raise keeper.damaged(f"the blocks of {snapshot.snapshot_id} are not those it was completed with")
            self._entries[snapshot.snapshot_id] = Entry(snapshot, blocks)
        for folder in keeper.folder.iterdir() if keeper.folder.exists() else ():
            if folder.name.startswith("snap-") and folder.name not in self._entries:  # of a call that was not answered
                Blocks(folder).remove()
