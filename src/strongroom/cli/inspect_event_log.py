# SPDX-License-Identifier: Apache-2.0
"""`strongroom inspect` for TCG event logs. Nothing is verified: a log is worth what the PCRs are that it leads to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from strongroom.cli.inspection import Inspection
from strongroom.cli.pcr_output import pcr_lines, pcr_members
from strongroom.formats.event_log import NO_PCR, EventLog, LogFormat, parse_event_log
from strongroom.formats.file_kind import FileKind, guess_kind
from strongroom.formats.pcr_meanings import pcr_sentence
from strongroom.formats.pcrs import PcrBank, PcrDigests
from strongroom.measure.event_log import LoggedEvent, describe_events, replay_log
from strongroom.measure.wording.words import Proof

_TITLES = {
    LogFormat.CRYPTO_AGILE: "a TCG event log",
    LogFormat.SHA1_ONLY: "a TCG event log of the older kind, with SHA-1 alone",
}
_MARKS = {Proof.COVERED: "digest", Proof.CLAIMED: "log", Proof.UNMEASURED: "-"}
_LEGEND = (
    "Each event: PCR, what vouches for the words, type, words. What vouches is the digest, so that they are right if",
    "the PCR is; or the log alone, which anybody can have written; or nothing (-) for what is not measured at all.",
)
_POINTER = "Compare it with `strongroom explain --event-log`."


def recognise(data: bytes) -> Inspection | None:
    """Describe an event log; None for anything else. Raises FormatError."""
    if guess_kind(data) is not FileKind.EVENT_LOG:
        return None
    log = parse_event_log(data)
    replayed = {bank: replay_log(log, bank) for bank in log.banks}
    events = describe_events(log, _shown_bank(log)) if log.banks else ()
    lines = tuple(_lines(log, events, replayed))
    return Inspection("event-log", _TITLES[log.format], lines, _facts(log, events, replayed), _POINTER)


def _shown_bank(log: EventLog) -> PcrBank:
    """Return the bank of attestation documents where there is one; else the last, the strongest as a rule."""
    return PcrBank.SHA384 if PcrBank.SHA384 in log.banks else log.banks[-1]


def _lines(log: EventLog, events: tuple[LoggedEvent, ...], replayed: Mapping[PcrBank, PcrDigests]) -> Iterator[str]:
    unknown = (f"0x{algorithm:04x} (unknown)" for algorithm in log.unknown_algorithms)
    yield f"Banks: {', '.join((*log.banks, *unknown))}. Events: {len(log.events)}."
    if log.startup_locality:
        yield f"The TPM was started at locality {log.startup_locality}, so PCR 0 began with that."
    if not log.banks:
        return
    proofs = Counter(event.proof for event in events)
    yield f"Proofs are those of the {_shown_bank(log)} bank: {proofs[Proof.COVERED]} of its digests cover the words."
    if _shown_bank(log) is PcrBank.SHA1:
        yield "They are weak: two texts with the same SHA-1 digest can be made."
    yield ""
    yield from _LEGEND
    yield from (_line(event) for event in events)
    for bank, pcrs in replayed.items():
        yield ""
        yield f"The log leads to these PCRs of the {bank} bank:"
        for index, digest in pcrs.items():
            yield from pcr_lines(index, digest, pcr_sentence(index, digest))


def _line(event: LoggedEvent) -> str:
    pcr = "-" if event.pcr == NO_PCR else str(event.pcr)
    return f"{pcr:>2}  {_MARKS[event.proof]:<6}  {event.kind.removeprefix('EV_'):<30}  {event.about}"


def _facts(log: EventLog, events: tuple[LoggedEvent, ...], replayed: Mapping[PcrBank, PcrDigests]) -> dict[str, object]:
    return {
        "format": log.format.value,
        "banks": [bank.value for bank in log.banks],
        "unknown_algorithms": list(log.unknown_algorithms),
        "startup_locality": log.startup_locality,
        "events": [_fact(event) for event in events],
        "pcrs": {bank.value: pcr_members(pcrs) for bank, pcrs in replayed.items()},
    }


def _fact(event: LoggedEvent) -> dict[str, object]:
    return {
        "offset": event.offset,
        "pcr": None if event.pcr == NO_PCR else event.pcr,
        "type": event.kind,
        "digest": event.digest.hex(),
        "about": event.about,
        "proof": event.proof.value,
    }
