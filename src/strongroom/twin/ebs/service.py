# SPDX-License-Identifier: Apache-2.0
"""The EBS direct APIs as a service: one authentic call in, one reply out."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import timedelta

from werkzeug.wrappers import Response

from strongroom.errors import FormatError, LocalFault
from strongroom.ids import AccountId, Region, SnapshotId
from strongroom.ports import Clock
from strongroom.twin.api_request import ApiRequest, Reply, View
from strongroom.twin.ebs.fault import denied, internal
from strongroom.twin.ebs.faults import Faults
from strongroom.twin.ebs.keeper import StateKeeper
from strongroom.twin.ebs.keys import VolumeKeys
from strongroom.twin.ebs.quotas import Meter
from strongroom.twin.ebs.reading import Reading
from strongroom.twin.ebs.rest import find_operation, read_parameters, write_reply
from strongroom.twin.ebs.sealing import complete
from strongroom.twin.ebs.snapshots import snapshot_arn
from strongroom.twin.ebs.store import SnapshotStore
from strongroom.twin.ebs.tokens import SECRET_BYTES, Tokens
from strongroom.twin.ebs.volume import Volume
from strongroom.twin.ebs.writing import Writing
from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.on_behalf import Use
from strongroom.twin.permissions import Question
from strongroom.twin.sigv4 import AuthenticCall

_AT_ONCE = timedelta(0)


class Ebs:
    """The service. Its fields are for whoever plays with the twin, while it runs.

    `faults` is trouble on purpose, `meter.quotas` are limits; there are none to begin with. `completion_delay` is how
    long a snapshot stays pending after CompleteSnapshot, minutes on AWS.
    """

    def __init__(self, expect_use: Callable[[Use], None], *, clock: Clock, keeper: StateKeeper | None = None) -> None:
        self.faults = Faults()
        self.meter = Meter()
        self.completion_delay = _AT_ONCE
        self.snapshots = SnapshotStore(keeper)
        self._clock = clock
        self.keys = VolumeKeys(expect_use)
        writing = Writing(self.snapshots, self.keys, self.meter)
        tokens = Tokens(keeper.token_secret() if keeper else secrets.token_bytes(SECRET_BYTES))
        reading = Reading(self.snapshots, self.keys, tokens)
        self._operations: dict[str, Callable[[ApiRequest], Reply]] = {
            "StartSnapshot": writing.start,
            "PutSnapshotBlock": writing.put,
            "CompleteSnapshot": self._complete,
            "ListSnapshotBlocks": reading.list_blocks,
            "ListChangedBlocks": reading.list_changed,
            "GetSnapshotBlock": reading.get,
        }

    def close(self) -> None:
        """Let go of temporary files."""
        self.snapshots.close()

    def volume(self, snapshot_id: SnapshotId, *, account: AccountId, region: Region) -> Volume:
        """Return what a volume made from a snapshot reads as, for an account that may. Raises AwsFault."""
        entry = self.snapshots.readable(snapshot_id, View(account, region, self._clock.now()))
        return Volume(entry.snapshot, entry.blocks)

    def answer(self, call: AuthenticCall) -> Response:
        """Carry out one call. Raises AwsFault, and ConnectionResetError where `faults` want it."""
        operation, path = find_operation(call.call)
        parameters = read_parameters(operation, path, call.call)
        reply = self._run(ApiRequest(operation.name, call, parameters, self._clock.now()))
        self.faults.after()
        return write_reply(operation, reply)

    def _run(self, request: ApiRequest) -> Reply:
        self.faults.before(request.operation, request.snapshot_id)
        account = f"{request.account_id} {request.region}"
        self.meter.count(request.operation, account=account, snapshot=request.snapshot_id or "")
        _expect_allowed(request)
        try:
            return self._operations[request.operation](request)
        except (OSError, LocalFault, FormatError) as error:  # what was answered before stays as it is
            raise internal(f"The twin cannot keep or read its snapshots: {error}") from error

    def _complete(self, request: ApiRequest) -> Reply:
        return complete(self.snapshots, request, delay=self.completion_delay)


def _expect_allowed(request: ApiRequest) -> None:
    """Ask the caller's policies about each snapshot that the call is about. Raises EbsFault."""
    named = [request.text(name) for name in ("SnapshotId", "FirstSnapshotId", "SecondSnapshotId")]
    for snapshot_id in [each for each in named if each] or ["*"]:
        resource = snapshot_arn(request.region, snapshot_id)
        try:
            Question(request.authentic, f"ebs:{request.operation}", resource, request.now).expect_allowed()
        except AwsFault as fault:
            raise denied(fault.message) from fault
