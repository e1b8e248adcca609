# SPDX-License-Identifier: Apache-2.0
"""Whether an event log is of the boot that a document shows: to which of its PCRs the log leads."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.formats.event_log import EventLog
from strongroom.formats.pcrs import PcrDigests, PcrIndex
from strongroom.measure.compare_log import compare_log
from strongroom.measure.events import EXIT_PCR

_RUNNING_SYSTEM = frozenset(map(PcrIndex, (10, 11, 15, 16, 23)))
"""What the system extends after boot, and no firmware's log holds: IMA, systemd's phases and volumes, software."""


@dataclass(frozen=True, slots=True)
class LogOfBoot:
    """How a log fits the PCRs of a document; each of them is in exactly one of the four."""

    leads_to: tuple[PcrIndex, ...]
    grown: tuple[PcrIndex, ...]
    """The log leads to other values, as the system went on to measure after its last event."""
    contradicted: tuple[PcrIndex, ...]
    """The log leads to other values, or says nothing of a gate: it is of another boot, or was tampered with."""
    silent: tuple[PcrIndex, ...]
    """The log has no event for these, and no policy gates on them."""


def log_of_boot(log: EventLog, pcrs: PcrDigests) -> LogOfBoot:
    """Return how the log fits the PCRs, which are authentic. Raises FormatError for a log without a SHA-384 bank."""
    compared = compare_log(log, pcrs)
    later = _RUNNING_SYSTEM | ({EXIT_PCR} if compared.ends_before_exit else set())
    wanting = (*compared.differing, *compared.uncovered)
    return LogOfBoot(
        leads_to=compared.reproduced,
        grown=tuple(sorted(index for index in wanting if index in later)),
        contradicted=tuple(index for index in compared.wrong if index not in later),
        silent=tuple(index for index in compared.uncovered if index not in later.union(compared.wrong)),
    )
