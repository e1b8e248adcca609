# SPDX-License-Identifier: Apache-2.0
"""What the agent's last run came to, for whoever is inside the instance: a small JSON file without secrets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from strongroom.agent.fetch import Fetched
from strongroom.errors import FormatError, LocalFault, StrongroomError
from strongroom.flows.files import PUBLIC_MODE, read_file, write_file

MAX_BYTES = 65_536
State = Mapping[str, object]
_NOT_RUN = "Look at the unit: systemctl status strongroom-agent."


def ready(fetched: Fetched, *, memory_locked: bool) -> State:
    """Return the state after a delivery."""
    instance = fetched.instance
    return {
        "state": "ready",
        "instance": instance.instance_id,
        "account": instance.account,
        "region": instance.region,
        "attested_at": instance.attested_at.isoformat(),
        "clock_offset_seconds": round(instance.clock_offset.total_seconds(), 3),
        "memory_locked": memory_locked,
        "bundles": {
            name: {"version": bundle.header.fields.bundle_version, "epoch": bundle.header.fields.subject.epoch}
            for name, bundle in fetched.bundles.items()
        },
    }


def failed(error: StrongroomError) -> State:
    """Return the state after a failure: its code and remedy, as the console has them."""
    return {"state": "failed", "code": error.code, "remedy": error.remedy}


def write_status(path: Path, state: State) -> None:
    """Replace the file, which everybody in the instance may read. Raises LocalFault."""
    write_file(path, encode(state), mode=PUBLIC_MODE)


def encode(state: State) -> bytes:
    """Return a state as it is written and printed."""
    return json.dumps(state, indent=2).encode() + b"\n"


def read_status(path: Path) -> State:
    """Return what the last run wrote. Raises LocalFault where none did, FormatError for something else."""
    try:
        state: object = json.loads(read_file(path, maximum_bytes=MAX_BYTES))
    except LocalFault as fault:
        raise LocalFault("agent.not-run", f"no run of this boot left its state: {fault}", remedy=_NOT_RUN) from fault
    except ValueError as error:
        raise FormatError("agent.status", f"expected JSON in {path}", remedy=_NOT_RUN) from error
    if not isinstance(state, dict) or not isinstance(state.get("state"), str):
        raise FormatError("agent.status", f"expected a state in {path}", remedy=_NOT_RUN)
    return state
