# SPDX-License-Identifier: Apache-2.0
"""Accounts of a boot: what an image, a measurements file, a document or an event log tells, in one shape.

Of a register an account may know the value, or also the events that lead to it. Events are kept only where their
replay gives the value, so that they are as authentic as the value is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from strongroom.formats.event_log import EventLog
from strongroom.formats.measurements import Measurements
from strongroom.formats.pcrs import (
    GATES,
    SECURE_BOOT_OFF_PCR7_SHA384,
    SEPARATOR_ONLY_SHA384,
    ZERO_SHA384,
    PcrBank,
    PcrDigests,
    PcrIndex,
)
from strongroom.formats.uki import Uki, parse_uki
from strongroom.measure.event_log import LoggedEvent, describe_events, replay_log
from strongroom.measure.events import Event, EventType, event_over, replay, separator
from strongroom.measure.explain.image_parts import (
    PCR11,
    Coverage,
    ImageParts,
    parts_of_events,
    parts_of_image,
    parts_of_measurements,
)
from strongroom.measure.explain.variants import first_leading_to, variants
from strongroom.measure.predict import boot_path_events, gate_events, payload_digests, stub_events
from strongroom.measure.secure_boot import SecureBootKeys, variables_without_secure_boot
from strongroom.measure.stub import recognise_stub
from strongroom.measure.wording.words import Proof

PCR4, PCR9 = map(PcrIndex, (4, 9))
_CONSTANT_EVENTS: Mapping[bytes, Callable[[PcrIndex], tuple[Event, ...]]] = {
    ZERO_SHA384: lambda _: (),
    SEPARATOR_ONLY_SHA384: lambda pcr: (separator(pcr),),
    SECURE_BOOT_OFF_PCR7_SHA384: lambda _: variables_without_secure_boot(),
}


@dataclass(frozen=True, slots=True)
class BootAccount:
    """What one source tells of a boot."""

    name: str
    """As it follows "in": "the image", "the document"."""
    pcrs: PcrDigests
    events: Mapping[PcrIndex, tuple[Event, ...]] = field(default_factory=dict)
    """For the PCRs of which every event is known, in order: their replay is the value in `pcrs`."""
    parts: ImageParts = field(default_factory=ImageParts)
    notes: tuple[str, ...] = ()
    unvouched: bool = False
    """Of a log that no document was given with: no digest of it is authentic."""


def account(
    name: str,
    pcrs: PcrDigests,
    *,
    events: Iterable[Event] = (),
    parts: ImageParts | None = None,
    notes: Sequence[str] = (),
) -> BootAccount:
    """Return an account that keeps of `events` what leads to the values, and knows the constants' events by itself."""
    given = list(events)
    known = {index: found for index, value in pcrs.items() if (found := _leading_to(index, value, given)) is not None}
    return BootAccount(name, pcrs, known, parts or ImageParts(), tuple(notes))


def _leading_to(index: PcrIndex, value: bytes, events: Sequence[Event]) -> tuple[Event, ...] | None:
    own = tuple(event for event in events if event.pcr == index)
    constant = _CONSTANT_EVENTS.get(value)
    candidates = [own, *variants(index, own)] if own else []
    if constant is not None:
        candidates.append(constant(index))
    return first_leading_to(index, value, candidates)


def account_of_image(name: str, image: bytes | memoryview, *, secure_boot: SecureBootKeys | None) -> BootAccount:
    """Return what a UKI, booted directly, leads to. Raises as `measure_image`."""
    uki = parse_uki(image)
    stub = recognise_stub(uki)
    sections = payload_digests(uki)
    events = (*gate_events(uki, stub, secure_boot), *stub_events(stub, sections), *_kernel_inputs(uki, sections))
    pcrs = [PcrIndex(12), PcrIndex(13), *(event.pcr for event in events)]
    loaded = [event.digest for event in events if event.kind is EventType.APPLICATION]
    parts = parts_of_image(uki, stub, sections=sections, loaded=loaded)
    return account(name, replay(events, pcrs=pcrs), events=events, parts=parts)


def _kernel_inputs(uki: Uki, sections: Mapping[str, bytes]) -> tuple[Event, ...]:
    """Return what Linux measures of what its stub gives it: the command line in UTF-16, and the initrd.

    Linux, drivers/firmware/efi/libstub/efi-stub-helper.c. Only equality with it says anything: credentials and
    extensions are joined to the initrd, and not every version measures both.
    """
    if ".initrd" not in sections:
        return ()
    line = uki.command_line.encode("utf-16-le") + b"\0\0"
    return (
        event_over(PCR9, EventType.EVENT_TAG, line, "the kernel command line that Linux got", subject=".cmdline"),
        Event(PCR9, EventType.EVENT_TAG, sections[".initrd"], "the initrd that Linux got", ".initrd"),
    )


def account_of_measurements(name: str, measurements: Measurements) -> BootAccount:
    """Return what a measurements file tells; the events where its facts suffice to make them again."""
    parts = parts_of_measurements(measurements)
    boot_path = () if parts.uki is None else boot_path_events(parts.uki, parts.kernel)
    notes = [finding.message for finding in measurements.findings]
    if measurements.strongroom and measurements.strongroom.sections and parts.coverage is Coverage.NONE:
        notes.append(f"the sections in {name} do not lead to its own PCR 11: they are not used")
    return account(name, measurements.pcrs, events=boot_path, parts=parts, notes=notes)


def account_of_document(name: str, pcrs: PcrDigests) -> BootAccount:
    """Return what an attestation document tells: values, and nothing of how they came about."""
    return account(name, pcrs)


def account_of_log(name: str, log: EventLog) -> BootAccount:
    """Return what an event log tells by itself: nobody vouches for it until a document shows the same values.

    Raises FormatError for a log without a SHA-384 bank.
    """
    logged = describe_events(log, PcrBank.SHA384)
    events = tuple(_as_event(event) for event in logged if event.proof is not Proof.UNMEASURED)
    replayed = replay_log(log, PcrBank.SHA384)
    untouched = {index: ZERO_SHA384 for index in GATES if index not in replayed}
    return of_events(name, events, PcrDigests.of({**untouched, **dict(replayed)}))


def of_events(name: str, events: Sequence[Event], pcrs: PcrDigests) -> BootAccount:
    """Return the account of a log with these events and their replay."""
    note = f"{name} is vouched for by nobody: anyone can write one"
    told = account(name, pcrs, events=events, parts=parts_of_events(events), notes=[note])
    return replace(told, unvouched=True)


def _as_event(logged: LoggedEvent) -> Event:
    claimed = logged.proof is not Proof.COVERED
    words = f"{logged.about} (so the log says)" if claimed else logged.about
    return Event(logged.pcr, logged.kind, logged.digest, words, logged.subject, claimed)


def with_log(document: BootAccount, log: BootAccount) -> BootAccount:
    """Return the document's account with the events of the log, where their replay gives what the document holds."""
    events = [event for known in log.events.values() for event in known]
    enriched = account(document.name, document.pcrs, events=events, notes=document.notes)
    vouched = enriched.events.get(PCR11, ())
    return replace(enriched, parts=parts_of_events(vouched))


def is_image_of(image: BootAccount, other: BootAccount) -> bool:
    """Tell whether the account `other` has the PCR 4 that the image leads to: no other image has its digest."""
    return other.pcrs.get(PCR4) == image.pcrs[PCR4]


def with_image(measurements: BootAccount, image: BootAccount, *, recorded: str) -> BootAccount:
    """Return the account of a measurements file with what its image tells, if it is the file's image.

    `recorded` is the name of the other side, whose image it is not either.
    """
    if not is_image_of(image, measurements):
        note = (
            f"{image.name} is not the one that {measurements.name} was made of, and PCR 4 of {recorded} is not its "
            "own: nothing of it is used"
        )
        return replace(measurements, notes=(*measurements.notes, note))
    events = [event for known in image.events.values() for event in known]
    values = PcrDigests.of({**dict(image.pcrs), **dict(measurements.pcrs)})
    notes = (*measurements.notes, *image.notes)
    return account(measurements.name, values, events=events, parts=image.parts, notes=notes)


def with_image_that_booted(recorded: BootAccount, image: BootAccount) -> BootAccount:
    """Return the account of a boot with what the image that booted tells, where its replay gives the recorded values.

    The caller has seen with `is_image_of` that it did boot: by its digest, all of its sections are known.
    """
    events = [event for known in image.events.values() for event in known]
    enriched = account(recorded.name, recorded.pcrs, events=events)
    note = f"{image.name} is the one that booted, by PCR 4 of {recorded.name}: it says what booted there"
    return replace(
        recorded,
        events={**recorded.events, **enriched.events},
        parts=image.parts,
        notes=(*recorded.notes, *image.notes, note),
    )


def in_the_light_of(one: BootAccount, other: BootAccount) -> BootAccount:
    """Return `one` with the events of registers that follow from the other's, as they are or in a known variant."""
    unknown = [index for index in one.pcrs if index not in one.events and index in other.events]
    guesses = {index: (other.events[index], *variants(index, other.events[index])) for index in unknown}
    found = {
        index: events
        for index, candidates in guesses.items()
        if (events := first_leading_to(index, one.pcrs[index], candidates)) is not None
    }
    return replace(one, events={**one.events, **found})
