# SPDX-License-Identifier: Apache-2.0
"""A log against PCRs: of an attestation document, or of a prediction. It says which of them the log accounts for."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.errors import Finding
from strongroom.formats.event_log import EventLog
from strongroom.formats.pcrs import GATES, PcrBank, PcrDigests, PcrIndex
from strongroom.measure.banks import bank_digest, extend
from strongroom.measure.event_log import replay_log
from strongroom.measure.events import EXIT_ACTIONS, EXIT_PCR

_DYNAMIC = range(17, 23)
"""PCRs that are all ones before a dynamic launch (TCG PC Client PTP, section 4.6)."""
_SHOWN_DIGITS = 16


@dataclass(frozen=True, slots=True)
class LogComparison:
    """How each compared PCR came out; each is in exactly one of the three. `findings` has one for each that is wanting.

    Only for PCRs in `reproduced` are the log's events those of the machine, and only if the PCRs are authentic.
    """

    reproduced: tuple[PcrIndex, ...]
    differing: tuple[PcrIndex, ...]
    uncovered: tuple[PcrIndex, ...]
    """The log has no event for these, and something was extended into them."""
    findings: tuple[Finding, ...]
    ends_before_exit: bool
    """The log was taken before the firmware left: what is measured then is all that lacks in its PCR 5."""

    @property
    def wrong(self) -> tuple[PcrIndex, ...]:
        """Where the log is none of the machine: it leads to another value, or says nothing of a gate."""
        return tuple(sorted({*self.differing, *(index for index in self.uncovered if index in GATES)}))


def compare_log(log: EventLog, pcrs: PcrDigests, *, bank: PcrBank = PcrBank.SHA384) -> LogComparison:
    """Return which of `pcrs`, values of `bank`, the log leads to. PCRs that are not in `pcrs` are not looked at.

    Raises FormatError where the log has no such bank, ValueError for values that are none of that bank.
    """
    if any(len(digest) != bank.size_bytes for digest in pcrs.values()):
        raise ValueError(f"expected PCRs of the {bank} bank, found others")
    replayed = replay_log(log, bank)
    reproduced = tuple(index for index in pcrs if replayed.get(index, _untouched(index, bank)) == pcrs[index])
    differing = tuple(index for index in pcrs if index not in reproduced and index in replayed)
    uncovered = tuple(index for index in pcrs if index not in reproduced and index not in replayed)
    ends_before_exit = EXIT_PCR in differing and _after_exit(replayed[EXIT_PCR], bank) == pcrs[EXIT_PCR]
    findings = (
        *([] if pcrs else [Finding("event-log.nothing-compared", "expected PCRs to compare with, found none")]),
        *(
            _differs(index, pcrs[index], replayed[index], at_exit=ends_before_exit and index == EXIT_PCR)
            for index in differing
        ),
        *(_not_covered(index, pcrs) for index in uncovered),
    )
    return LogComparison(reproduced, differing, uncovered, findings, ends_before_exit)


def _untouched(index: PcrIndex, bank: PcrBank) -> bytes:
    return (b"\xff" if index in _DYNAMIC else b"\0") * bank.size_bytes


def _differs(index: PcrIndex, value: bytes, replayed: bytes, *, at_exit: bool) -> Finding:
    told = f"expected PCR{index} {_short(value)}, found {_short(replayed)} by the log"
    if at_exit:
        return Finding(
            "event-log.exit-boot-services-missing",
            f"{told}: the log was taken before the firmware left, and lacks that. The rest of its PCR{index} is right.",
        )
    return Finding("event-log.pcr-differs", f"{told}: events are missing, added, changed or in another order")


def _after_exit(value: bytes, bank: PcrBank) -> bytes:
    for action in EXIT_ACTIONS:
        value = extend(bank, value, bank_digest(bank, action))
    return value


def _not_covered(index: PcrIndex, pcrs: PcrDigests) -> Finding:
    return Finding(
        "event-log.pcr-not-covered",
        f"expected events that lead to PCR{index} {_short(pcrs[index])}, found none: it was extended later, "
        "by the running system, or its events were left out",
    )


def _short(digest: bytes) -> str:
    return f"{digest.hex()[:_SHOWN_DIGITS]}…"
