# SPDX-License-Identifier: Apache-2.0
"""The TCG event log: what firmware, boot loader and kernel say that they extended into the PCRs, in order.

TCG PC Client Platform Firmware Profile (PFP) 1.06, section 10. Linux shows it in
/sys/kernel/security/tpm0/binary_bios_measurements. There are two forms:

    crypto agile   a header in a TCG_PCR_EVENT (EV_NO_ACTION, "Spec ID Event03") with a table of hash algorithms, then
                   TCG_PCR_EVENT2 records, each with one digest of every algorithm in the table
    SHA-1 only     TCG_PCR_EVENT records, each with one SHA-1 digest; made for TPM 1.2, and firmware still offers it

Nothing in a log is authentic by itself. Its digests are, once replayed (`strongroom.measure.event_log`) they give PCRs
that are authentic; types, texts and EV_NO_ACTION records bind nothing, whatever the PCRs say (ATTACKS A21).

Refused is what would make two readers see two logs: digests that are not those of the table, a second header, bytes
behind the last record. That includes filler: the firmware's own buffer is filled up with zeros or ones, but Linux hands
out the records alone, and none of the genuine logs that this was compared with has any. A record that runs over the
end is an error, never the end of the log.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from strongroom.errors import FormatError
from strongroom.formats.event_log_header import BANKS, SPEC, LogFields, parse_header
from strongroom.formats.pcrs import PCR_COUNT, PcrBank, PcrIndex

MAX_LOG_BYTES = 1 << 20
"""Firmware reserves 64 KiB for its log by default (EDK II, PcdTcgLogAreaMinLen); the largest genuine one has 49 KB."""
MAX_EVENTS = 8_192
"""The longest genuine log has 124: GRUB logs every command that it runs."""

EV_NO_ACTION: Final = 0x0000_0003
"""The type of records that extend nothing (PFP 1.06, section 10.4.1)."""
NO_PCR = PcrIndex(0xFFFF_FFFF)
"""The index of EV_NO_ACTION records that belong to no PCR (PFP 1.06, section 10.4.5)."""
LOCALITY_NAME = b"StartupLocality\0"
"""How the record begins that tells where the TPM was started from (PFP 1.06, section 10.4.5.3)."""

_SHA1_BYTES = PcrBank.SHA1.size_bytes
_SHA1_TABLE = {PcrBank.SHA1.algorithm_id: _SHA1_BYTES}
_HEADER_NAME = b"Spec ID Event"
_CRYPTO_AGILE = _HEADER_NAME + b"03\0"
_SHA1_HEADERS = (_HEADER_NAME + b"00\0", _HEADER_NAME + b"02\0")
"""Headers of logs for TPM 1.2: conventional BIOS, and EFI (TCG EFI Platform Specification 1.22, section 7.4)."""
_LOCALITIES = (b"\x00", b"\x03", b"\x04")
"""A TPM is started at locality 0 or 3; 4 stands for an H-CRTM (TPM 2.0 part 1, section 34.3)."""
_SHOWN_BYTES = 32


class LogFormat(enum.StrEnum):
    """The two forms of a log."""

    CRYPTO_AGILE = "crypto-agile"
    SHA1_ONLY = "sha1-only"


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One record, as it stands in the log."""

    offset: int
    """In bytes, from the start of the log."""
    pcr: PcrIndex
    """0 to 31; NO_PCR is possible where nothing is extended."""
    kind: int
    """EV_… number. No digest covers it."""
    digests: Mapping[PcrBank, bytes]
    """One of every known bank of the log. Those of EV_NO_ACTION mean nothing."""
    data: bytes

    @property
    def extends(self) -> bool:
        """Whether its digests went into a PCR."""
        return self.kind != EV_NO_ACTION


@dataclass(frozen=True, slots=True)
class EventLog:
    """A whole log. The header of a crypto agile one is no event."""

    format: LogFormat
    banks: tuple[PcrBank, ...]
    """In the order of the header."""
    events: tuple[LogEvent, ...]
    startup_locality: int = 0
    """The last byte of what PCR 0 was before the first event (PFP 1.06, section 10.4.5.3)."""
    unknown_algorithms: tuple[int, ...] = ()
    """TPM_ALG_IDs of the header that have no PcrBank; their digests were passed over."""


def parse_event_log(data: bytes) -> EventLog:
    """Read a log of either form, to its last byte. Raises FormatError with the place."""
    if len(data) > MAX_LOG_BYTES:
        raise FormatError(
            "event-log.too-large", f"expected at most {MAX_LOG_BYTES} bytes, found {len(data)}", offset=0, spec=SPEC
        )
    fields = LogFields(data, spec=SPEC)
    first = _event(fields, None)
    if _format_named_by(first) is LogFormat.SHA1_ONLY:
        return _log(LogFormat.SHA1_ONLY, _SHA1_TABLE, (first, *_events(fields, None)))
    table = parse_header(first.data, start=fields.offset - len(first.data))
    return _log(LogFormat.CRYPTO_AGILE, table, tuple(_events(fields, table)))


def _format_named_by(first: LogEvent) -> LogFormat:
    """Return the form that the first record announces: SHA-1 only, if it announces none."""
    if first.extends or not first.data.startswith(_HEADER_NAME) or first.data.startswith(_SHA1_HEADERS):
        return LogFormat.SHA1_ONLY
    if not first.data.startswith(_CRYPTO_AGILE) or first.pcr or any(first.digests[PcrBank.SHA1]):
        raise FormatError(
            "event-log.header",
            f"expected {_CRYPTO_AGILE!r} with zeros for PCR and digest, "
            f"found {first.data[: len(_CRYPTO_AGILE)]!r} for PCR {first.pcr}",
            offset=first.offset,
            spec=SPEC,
        )
    return LogFormat.CRYPTO_AGILE


def _log(form: LogFormat, table: Mapping[int, int], events: tuple[LogEvent, ...]) -> EventLog:
    for event in events:
        if event.offset and not event.extends and event.data.startswith(_HEADER_NAME):
            raise FormatError(
                "event-log.second-header", "expected one header, found another", offset=event.offset, spec=SPEC
            )
    return EventLog(
        format=form,
        banks=tuple(BANKS[algorithm] for algorithm in table if algorithm in BANKS),
        events=events,
        startup_locality=_startup_locality(events),
        unknown_algorithms=tuple(algorithm for algorithm in table if algorithm not in BANKS),
    )


def _events(fields: LogFields, table: Mapping[int, int] | None) -> Iterator[LogEvent]:
    for _ in range(MAX_EVENTS):
        if not fields.left_bytes:
            return
        yield _event(fields, table)
    if fields.left_bytes:
        raise FormatError(
            "event-log.too-many-events",
            f"expected at most {MAX_EVENTS} events, found more",
            offset=fields.offset,
            spec=SPEC,
        )


def _event(fields: LogFields, table: Mapping[int, int] | None) -> LogEvent:
    """Read one record; without a table it is a TCG_PCR_EVENT (PFP 1.06, sections 10.2.1 and 10.2.2)."""
    fields.expect_no_filler()
    offset = fields.offset
    pcr, kind = fields.number(4, "a PCR index"), fields.number(4, "an event type")
    if pcr >= PCR_COUNT and (pcr, kind) != (NO_PCR, EV_NO_ACTION):
        raise FormatError(
            "event-log.pcr",
            f"expected a PCR from 0 to {PCR_COUNT - 1}, found {pcr} for an event of type 0x{kind:08x}",
            offset=offset,
            spec=SPEC,
        )
    digests = {PcrBank.SHA1: fields.take(_SHA1_BYTES, "a digest")} if table is None else _digests(fields, table)
    data = fields.sized(4, "an event")
    return LogEvent(offset, PcrIndex(pcr), kind, digests, data)


def _digests(fields: LogFields, table: Mapping[int, int]) -> dict[PcrBank, bytes]:
    """Read TPML_DIGEST_VALUES: one digest for every algorithm of the header, in any order."""
    offset, count = fields.offset, fields.number(4, "the number of digests")
    if count != len(table):
        raise FormatError(
            "event-log.digest-count",
            f"expected {len(table)} digests, as in the header, found {count}",
            offset=offset,
            spec=SPEC,
        )
    found: dict[int, bytes] = {}
    for _ in table:
        offset, algorithm = fields.offset, fields.number(2, "an algorithm")
        if algorithm not in table or algorithm in found:
            raise FormatError(
                "event-log.digest-algorithm",
                f"expected each algorithm of the header once, found 0x{algorithm:04x}",
                offset=offset,
                spec=SPEC,
            )
        found[algorithm] = fields.take(table[algorithm], "a digest")
    return {BANKS[algorithm]: found[algorithm] for algorithm in table if algorithm in BANKS}


def _startup_locality(events: Sequence[LogEvent]) -> int:
    """Return the locality that the log tells: at most once, and before anything is extended into PCR 0."""
    told = [event for event in events if not event.extends and event.data.startswith(LOCALITY_NAME)]
    if not told:
        return 0
    first = next((event.offset for event in events if event.extends and event.pcr == 0), None)
    for event in told:
        late = event is not told[0] or (first is not None and first < event.offset)
        if late or event.pcr or event.data[len(LOCALITY_NAME) :] not in _LOCALITIES:
            raise FormatError(
                "event-log.startup-locality",
                "expected one StartupLocality of 0, 3 or 4, for PCR 0 and before its first event, "
                f"found {event.data[:_SHOWN_BYTES].hex()} for PCR {event.pcr}",
                offset=event.offset,
                spec=SPEC,
            )
    return told[0].data[-1]
