# SPDX-License-Identifier: Apache-2.0
"""What the owner of the account can read of a machine: its console, every disk as it is, variables, the TPM's memory.

All of it is laid down in files while the machine runs, and searched for the canary. Disks are copied with what the
machine wrote to them: QEMU keeps that in an overlay (QMP `blockdev-backup`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strongroom.errors import LocalFault
from strongroom.twin.attack.canary import Canary
from strongroom.twin.attack.disk import places_of_disk
from strongroom.twin.attack.scan import Place, Sighting, prove_scanner, scan
from strongroom.twin.instances.booted import BootedInstance
from strongroom.twin.qemu.monitor import Monitor

_COPY_SECONDS = 120
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Remains:
    """Places that were searched, and what was seen in them."""

    places: tuple[Place, ...]
    planted: int
    """How many canaries were planted into copies of these places, and found."""
    sightings: tuple[Sighting, ...]

    def __str__(self) -> str:
        proof = f"{len(self.places)} places, {self.planted} of {self.planted} planted canaries found"
        if not self.sightings:
            return f"the secret is in none of {proof}"
        return f"the secret is in {self.sightings[0]} and {len(self.sightings) - 1} more; {proof}"


def lay_down(instance: BootedInstance, folder: Path, *, whole_disks: Sequence[int] = ()) -> tuple[Place, ...]:
    """Copy what can be read of a running machine into a new folder, and return it as places.

    Disks with these numbers have no partitions. Raises LocalFault.
    """
    folder.mkdir()
    places = [
        _written(folder / "console", "console", instance.console.contents),
        _written(folder / "variables", "UEFI variables", _variables(instance)),
        _written(folder / "tpm", "memory of the TPM", instance.tpm.kept()),
    ]
    for number, _ in enumerate(instance.machine.hardware.disks):
        copy = folder / f"disk{number}"
        _copy_disk(instance, number, copy)
        name = f"disk {number + 1}"
        places += [Place.whole(name, copy)] if number in whole_disks else places_of_disk(copy, name)
    return tuple(places)


def search(places: tuple[Place, ...], canary: Canary, *, scratch: Path) -> Remains:
    """Search the places for the canary, once the scanner has shown that it finds one there. Raises LocalFault."""
    return Remains(places, prove_scanner(places, scratch=scratch), scan(places, canary))


def _written(path: Path, name: str, contents: bytes) -> Place:
    path.write_bytes(contents)
    return Place.whole(name, path)


def _variables(instance: BootedInstance) -> bytes:
    return b"\n".join(variable.name.encode() + b"=" + variable.data for variable in instance.machine.variables())


def _copy_disk(instance: BootedInstance, number: int, copy: Path) -> None:
    monitor, job = instance.machine.monitor, f"copy{number}"
    size_bytes = instance.machine.hardware.disks[number].stat().st_size
    with copy.open("xb") as file:
        file.truncate(size_bytes)
    # Not `drive-backup`: its target would be as temporary as the overlay, and gone once it is open.
    file_node = {"driver": "file", "filename": str(copy)}
    monitor.execute("blockdev-add", driver="raw", file=file_node, **{"node-name": job})
    where = {"device": f"disk{number}", "target": job, "sync": "full"}
    monitor.execute("blockdev-backup", **where, **{"job-id": job, "auto-dismiss": False})
    deadline = time.monotonic() + _COPY_SECONDS
    while (state := _job(monitor, job))["status"] != "concluded":
        if time.monotonic() > deadline:
            raise LocalFault("attack.copy", f"expected a copy of disk {number} within {_COPY_SECONDS} s")
        time.sleep(_LOOK_SECONDS)
    monitor.execute("job-dismiss", id=job)
    monitor.execute("blockdev-del", **{"node-name": job})
    if "error" in state:
        raise LocalFault("attack.copy", f"expected a copy of disk {number}, found: {state['error']}")


def _job(monitor: Monitor, name: str) -> Mapping[str, str]:
    """Return what QEMU says of a job (QMP, `query-jobs`)."""
    jobs = monitor.execute("query-jobs")
    found = [each for each in jobs if each.get("id") == name] if isinstance(jobs, list) else []
    if not found:
        raise LocalFault("attack.copy", f"expected the job {name} of QEMU, found {jobs}")
    job: Mapping[str, str] = found[0]
    return job
