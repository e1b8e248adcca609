# SPDX-License-Identifier: Apache-2.0
"""An event log replayed into PCRs, and its events in words (PFP 1.06, section 10; ATTACKS A21).

What a log proves: if the replay of a PCR equals that PCR in authentic evidence, then its digests, their number and
their order are what was extended. Nothing else of the log is proven by that; `Proof` says what follows from a digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from strongroom.errors import FormatError
from strongroom.formats.event_log import EventLog, LogEvent
from strongroom.formats.event_log_header import SPEC
from strongroom.formats.pcrs import PcrBank, PcrDigests, PcrIndex
from strongroom.measure.banks import extend
from strongroom.measure.events import event_type
from strongroom.measure.wording.firmware import is_separator
from strongroom.measure.wording.table import words_for
from strongroom.measure.wording.words import Proof, Subject, Words

_LOCALITY_PCR: Final = 0


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event of a log in one bank. `pcr`, `kind`, `digest` and `about` are as in the Event of a prediction."""

    pcr: PcrIndex
    kind: str
    """An EventType, or a number such as 0x00008401."""
    digest: bytes
    about: str
    proof: Proof
    """How far the digest vouches for `about`. UNMEASURED events extend nothing, and no prediction has them."""
    offset: int
    """Where it stands in the log, in bytes."""


def replay_log(log: EventLog, bank: PcrBank) -> PcrDigests:
    """Return the PCRs that the log extends, as they are after it. PCRs that it leaves alone are not in the result.

    PCR 0 begins with the locality that the TPM was started from. Raises FormatError where the log has no such bank.
    """
    _expect_bank(log, bank)
    values: dict[int, bytes] = {}
    if log.startup_locality:
        values[_LOCALITY_PCR] = log.startup_locality.to_bytes(bank.size_bytes, "big")
    for event in log.events:
        if event.extends:
            before = values.get(event.pcr, bytes(bank.size_bytes))
            values[event.pcr] = extend(bank, before, event.digests[bank])
    return PcrDigests.of(values, size_bytes=bank.size_bytes)


def describe_events(log: EventLog, bank: PcrBank) -> tuple[LoggedEvent, ...]:
    """Return every event in words, in order, those that extend nothing too.

    Raises FormatError where the log has no such bank; what the events hold is never an error.
    """
    _expect_bank(log, bank)
    separated: set[int] = set()
    sections: dict[int, str] = {}
    described = []
    for event in log.events:
        subject = Subject(event, bank, event.pcr in separated, sections.get(event.pcr, ""))
        words = words_for(subject)
        described.append(_logged(event, bank, words))
        if event.extends:
            sections[event.pcr] = words.section
            if is_separator(subject):
                separated.add(event.pcr)
    return tuple(described)


def _logged(event: LogEvent, bank: PcrBank, words: Words) -> LoggedEvent:
    kind, digest = event_type(event.kind), event.digests[bank]
    return LoggedEvent(event.pcr, kind, digest, words.about, words.proof, event.offset)


def _expect_bank(log: EventLog, bank: PcrBank) -> None:
    if bank not in log.banks:
        raise FormatError(
            "event-log.no-bank",
            f"expected a log with the {bank} bank, found one with {', '.join(log.banks) or 'no known bank'}",
            spec=SPEC,
            remedy="The log of a machine has the banks that its TPM had active at boot; NitroTPM has SHA384 alone.",
        )
