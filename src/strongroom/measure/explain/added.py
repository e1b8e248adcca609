# SPDX-License-Identifier: Apache-2.0
"""PCR 2, 12 and 13: what ran before the image, and what was added to it from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.formats.pcrs import SEPARATOR_ONLY_SHA384, ZERO_SHA384, PcrIndex
from strongroom.measure.events import EventType
from strongroom.measure.explain.account import BootAccount
from strongroom.measure.explain.changes import event_changes
from strongroom.measure.explain.difference import Component, Difference, Grounds, grounds_of
from strongroom.measure.wording.loaders import COMMAND_LINE, CREDENTIAL, EXTENSION

_DRIVERS, _INPUTS, _EXTENSIONS = map(PcrIndex, (2, 12, 13))
_DRIVER_EVENTS = (EventType.DRIVER, EventType.RUNTIME_DRIVER)
_DRIVER_HINT = (
    "Look at the UEFI variables Driver#### and DriverOrder, and at the machine's option ROMs; a driver can change "
    "whatever runs after it"
)
_INPUT_HINT = (
    "It comes from a boot option's load options, an add-on, or files beside the image on the EFI system partition"
)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of input from outside the image, and how to speak of it."""

    code: str
    component: Component
    what: str
    hint: str


_ANY_INPUT = _Kind(
    "explain.added-input", Component.ADDED, "a kernel command line, credentials or an add-on", _INPUT_HINT
)
_EXTENSION = _Kind(
    "explain.extension",
    Component.EXTENSION,
    "a system or configuration extension",
    "It comes from *.raw files beside the image on the EFI system partition",
)
_KINDS = {
    COMMAND_LINE: _Kind("explain.command-line", Component.COMMAND_LINE, "a kernel command line", _INPUT_HINT),
    CREDENTIAL: _Kind("explain.credential", Component.CREDENTIAL, "credentials", _INPUT_HINT),
    EXTENSION: _EXTENSION,
}
"""What stubs add (systemd-stub(7)), by the subject of the event."""


def driver_differences(reference: BootAccount, seen: BootAccount) -> Iterator[Difference]:
    """Yield what moved PCR 2."""
    changes = event_changes(_DRIVERS, reference, seen)
    if changes is None:
        yield _driver(_driver_guess(reference, seen), Grounds.INFERRED)
        return
    for event in changes.new:
        what = "an EFI driver ran before the image" if event.kind in _DRIVER_EVENTS else "the firmware measured"
        yield _driver(
            f"in {seen.name}, {what}: {event.about}. {_DRIVER_HINT}", grounds_of(event), subject=event.subject
        )
    for event in changes.gone:
        gone = f"in {reference.name} there was {event.about}, in {seen.name} there was not"
        yield _driver(gone, grounds_of(event), subject=event.subject)


def _driver_guess(reference: BootAccount, seen: BootAccount) -> str:
    if seen.pcrs[_DRIVERS] == ZERO_SHA384:
        return f"in {seen.name} nothing was measured into PCR 2: that was no measured boot through UEFI"
    if reference.pcrs[_DRIVERS] == SEPARATOR_ONLY_SHA384:
        return f"in {seen.name}, at least one EFI driver ran before the image. {_DRIVER_HINT}"
    return f"other EFI drivers ran in {seen.name} than in {reference.name}. {_DRIVER_HINT}"


def _driver(sentence: str, grounds: Grounds, *, subject: str = "") -> Difference:
    return Difference("explain.driver", Component.DRIVER, sentence, (_DRIVERS,), grounds, subject=subject)


def input_differences(reference: BootAccount, seen: BootAccount) -> Iterator[Difference]:
    """Yield what moved PCR 12."""
    yield from _added(_INPUTS, reference, seen, _ANY_INPUT)


def extension_differences(reference: BootAccount, seen: BootAccount) -> Iterator[Difference]:
    """Yield what moved PCR 13."""
    yield from _added(_EXTENSIONS, reference, seen, _EXTENSION)


def _added(pcr: PcrIndex, reference: BootAccount, seen: BootAccount, default: _Kind) -> Iterator[Difference]:
    changes = event_changes(pcr, reference, seen)
    if changes is None:
        sentence = _from_value(reference.pcrs[pcr], seen.pcrs[pcr], reference, seen).replace("{what}", default.what)
        yield Difference(default.code, default.component, f"{sentence}. {default.hint}", (pcr,), Grounds.INFERRED)
        return
    for event in changes.new:
        kind = _KINDS.get(event.subject, default)
        sentence = f"in {seen.name}, {kind.what} came from outside the image: {event.about}. {kind.hint}"
        yield Difference(kind.code, kind.component, sentence, (pcr,), grounds_of(event), subject=event.subject)
    for event in changes.gone:
        kind = _KINDS.get(event.subject, default)
        sentence = f"in {reference.name}, {kind.what} came from outside the image, in {seen.name} not: {event.about}"
        yield Difference(kind.code, kind.component, sentence, (pcr,), grounds_of(event), subject=event.subject)


def _from_value(before: bytes, after: bytes, reference: BootAccount, seen: BootAccount) -> str:
    if after == ZERO_SHA384:
        return f"in {reference.name}, {{what}} came from outside the image, in {seen.name} nothing did"
    if before == ZERO_SHA384:
        return f"in {seen.name}, {{what}} came from outside the image; an event log tells which"
    return f"{{what}} came from outside the image, and others in {seen.name} than in {reference.name}"
