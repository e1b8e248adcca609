# SPDX-License-Identifier: Apache-2.0
"""What ran before the image, beside it, or instead of it."""

import dataclasses

import pytest
from tests.images import MAGIC, RETURN_SUCCESS, make_uki
from tests.unit.measure.explain.boots import (
    CALL,
    PROGRAM,
    RETURN,
    differences,
    document,
    events_of,
    image,
    inserted,
    log,
    with_pcrs,
)

from strongroom.formats.pcrs import ZERO_SHA384
from strongroom.measure.events import EventType, event_over
from strongroom.measure.explain.account import account_of_measurements, with_log
from strongroom.measure.explain.compare import explain
from strongroom.measure.explain.difference import Component, Grounds
from strongroom.measure.predict import measure_image

REFERENCES = {
    "image": image,
    "measurements": lambda: account_of_measurements("the file", measure_image(make_uki(), secure_boot=None)),
}


@pytest.fixture(params=list(REFERENCES.values()), ids=list(REFERENCES))
def reference(request):
    return request.param()


def test_a_boot_as_predicted_has_no_difference(reference):
    found = explain(reference, document(events_of(image())))
    assert (found.differences, found.unknown) == ((), ())
    assert set(found.same) >= {2, 4, 7, 12, 13}


@pytest.mark.parametrize("failed", [1, 2, 4])
def test_failed_boot_options_are_proven_from_the_value_alone(reference, failed):
    seen = document(inserted(events_of(image()), 2, *([RETURN, CALL] * failed)))
    (moved,) = differences(reference, seen).values()
    assert moved.code == "explain.failed-boot-option"
    assert (moved.component, moved.grounds, moved.pcrs) == (Component.BOOT_PATH, Grounds.PROVEN, (4,))
    assert ("a boot option before" if failed == 1 else f"{failed} boot options before") in moved.sentence


def test_a_reference_that_was_recorded_with_a_failed_option_says_so():
    recorded = document(inserted(events_of(image()), 2, RETURN, CALL), name="the baseline")
    assert list(differences(recorded, log(events_of(image())))) == ["explain.fewer-failed-boot-options"]


def test_a_kernel_that_the_firmware_did_not_load_is_proven_from_the_value_alone(reference):
    events = events_of(image())
    kernel = [event for event in events if event.kind is EventType.APPLICATION][1]
    moved = differences(reference, document([event for event in events if event is not kernel]))
    assert list(moved) == ["explain.program-missing"]
    assert moved["explain.program-missing"].grounds is Grounds.PROVEN


@pytest.mark.attack("B20")
@pytest.mark.parametrize(("place", "code"), [(2, "before"), (3, "after")])
def test_another_program_is_named_by_the_log_that_replays_to_the_document(reference, place, code):
    events = inserted(events_of(image()), place, PROGRAM)
    seen = with_log(document(events), log(events))
    moved = differences(reference, seen)
    assert list(moved) == [f"explain.program-{code}-image"]
    assert r"\EFI\other.efi" in moved[f"explain.program-{code}-image"].sentence


@pytest.mark.attack("A21")
def test_a_log_that_does_not_replay_to_the_document_is_not_believed(reference):
    seen = with_log(document(inserted(events_of(image()), 2, PROGRAM)), log(events_of(image())))
    moved = differences(reference, seen)
    assert list(moved) == ["explain.other-program"]
    assert moved["explain.other-program"].grounds is Grounds.INFERRED


@pytest.mark.attack("B6")
def test_without_a_log_an_unknown_program_is_told_from_another_image_by_pcr11(reference):
    moved = differences(reference, document(inserted(events_of(image()), 2, PROGRAM)))
    assert list(moved) == ["explain.other-program"]
    assert moved["explain.other-program"].component is Component.BOOT_PATH


def test_the_same_programs_in_another_order_are_told():
    events = events_of(image())
    first, second = (event for event in events if event.kind is EventType.APPLICATION)
    swapped = [{first: second, second: first}.get(event, event) for event in events]
    assert list(differences(image(), log(swapped))) == ["explain.order"]


def test_a_second_start_of_the_same_image_is_told():
    events = events_of(image())
    first = next(event for event in events if event.kind is EventType.APPLICATION)
    assert list(differences(image(), log(inserted(events, 4, first)))) == ["explain.order"]


@pytest.mark.attack("A12")
@pytest.mark.attack("B8")
def test_a_machine_that_measured_nothing_is_called_so(reference):
    moved = differences(reference, with_pcrs(image(), pcr4=ZERO_SHA384))
    assert "no boot through UEFI" in moved["explain.unmeasured"].sentence


def test_another_stub_with_the_same_sections_is_told():
    other = image(text=RETURN_SUCCESS + b"\xcc")
    (moved,) = differences(image(), other).values()
    assert (moved.code, moved.component) == ("explain.stub", Component.STUB)


def test_another_version_of_the_stub_is_named():
    moved = differences(image(), image(sdmagic=MAGIC % b"252.40"))
    assert moved["explain.section"].subject == ".sdmagic"


# --- Logs that lie about types ----------------------------------------------------------------------------------------


@pytest.mark.attack("A21")
@pytest.mark.attack("B20")
@pytest.mark.parametrize("kind", [EventType.ACTION, EventType.SEPARATOR, EventType.EVENT_TAG, "0x00008401"])
def test_a_program_is_told_whatever_type_the_log_gives_its_event(reference, kind):
    events = inserted(events_of(image()), 2, dataclasses.replace(PROGRAM, kind=kind, claimed=True))
    (moved,) = differences(reference, with_log(document(events), log(events))).values()
    assert (moved.code, moved.grounds) == ("explain.program-before-image", Grounds.LOGGED)
    assert f"what the log calls {kind}, and what may be an EFI program" in moved.sentence


@pytest.mark.attack("A21")
def test_a_program_before_an_image_that_moved_as_well_is_told():
    events = inserted(events_of(image(osrel=b"ID=other\n")), 2, dataclasses.replace(PROGRAM, claimed=True))
    moved = differences(image(), with_log(document(events), log(events)))
    assert list(moved) == ["explain.section", "explain.more-programs"]
    assert "3 EFI programs ran and 2 were expected" in moved["explain.more-programs"].sentence
    assert r"\EFI\other.efi" in moved["explain.more-programs"].sentence
    assert moved["explain.more-programs"].grounds is Grounds.LOGGED


@pytest.mark.parametrize("step", [CALL, event_over(4, EventType.SEPARATOR, b"\xff" * 4, "")])
def test_a_register_that_moved_is_told_even_where_nothing_explains_it(reference, step):
    events = inserted(events_of(image()), 2, step)
    found = explain(reference, with_log(document(events), log(events)))
    assert [(each.code, each.pcrs) for each in found.gated] == [("explain.unexplained", (4,))]


@pytest.mark.attack("A21")
def test_sections_by_the_word_of_a_stub_that_moved_are_no_proof_of_anything_else():
    events = [*events_of(image(text=RETURN_SUCCESS + b"\xcc"))]
    (moved,) = differences(image(), with_log(document(events), log(events))).values()
    assert (moved.code, moved.grounds) == ("explain.stub", Grounds.INFERRED)
    assert "by what the stub that ran measured into PCR 11" in moved.sentence
