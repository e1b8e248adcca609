# SPDX-License-Identifier: Apache-2.0
"""Drivers, added inputs, Secure Boot, and the registers that nobody gates on."""

import dataclasses

import pytest
from tests.unit.measure.explain.boots import (
    PCRS,
    differences,
    digest,
    document,
    events_of,
    image,
    inserted,
    log,
    with_pcrs,
)
from tests.unit.measure.test_secure_boot import OTHER, OURS, esl, keys, signed

from strongroom.formats.event_log import parse_event_log
from strongroom.formats.pcrs import ZERO_SHA384, PcrDigests, PcrIndex
from strongroom.measure.events import Event, EventType, event_over, replay
from strongroom.measure.explain.account import (
    account_of_document,
    account_of_image,
    account_of_log,
    of_events,
    with_log,
)
from strongroom.measure.explain.compare import explain
from strongroom.measure.explain.difference import Component, Grounds
from strongroom.measure.secure_boot import switch_event

LINE = event_over(12, EventType.IPL, b"q", "'init=/bin/sh'", subject="command-line")
CREDENTIAL = event_over(12, EventType.IPL, b"c", "the stub's credentials", subject="credential")
EXTENSION = event_over(13, EventType.IPL, b"e", "the stub's extensions", subject="extension")
DRIVER = event_over(2, EventType.DRIVER, b"d", r"the log claims: \EFI\driver.efi", subject="driver.efi")


def seen_with(*new, place=0):
    events = inserted(events_of(image()), place, *new)
    return document(events), with_log(document(events), log(events))


@pytest.mark.attack("B1")
@pytest.mark.attack("B2")
@pytest.mark.attack("B3")
@pytest.mark.parametrize(
    ("event", "from_value", "from_log", "component"),
    [
        (LINE, "explain.added-input", "explain.command-line", Component.COMMAND_LINE),
        (CREDENTIAL, "explain.added-input", "explain.credential", Component.CREDENTIAL),
        (EXTENSION, "explain.extension", "explain.extension", Component.EXTENSION),
    ],
)
def test_what_was_added_from_outside_is_told_and_named_by_the_log(event, from_value, from_log, component):
    values, enriched = seen_with(event)
    guess = differences(image(), values)
    assert list(guess) == [from_value]
    assert guess[from_value].grounds is Grounds.INFERRED
    named = differences(image(), enriched)
    assert list(named) == [from_log]
    assert (named[from_log].component, named[from_log].grounds) == (component, Grounds.PROVEN)
    assert event.about in named[from_log].sentence


def test_a_command_line_and_a_credential_are_two_differences():
    _, enriched = seen_with(LINE, CREDENTIAL)
    assert list(differences(image(), enriched)) == ["explain.command-line", "explain.credential"]


def test_what_a_reference_had_and_the_boot_lacks_is_told():
    recorded, with_events = seen_with(LINE)
    assert "in the image nothing did" in differences(recorded, image())["explain.added-input"].sentence
    assert "not: 'init=/bin/sh'" in differences(with_events, image())["explain.command-line"].sentence


def test_two_unknown_inputs_differ():
    one = with_pcrs(image(), pcr12=digest("one"))
    other = with_pcrs(image(), pcr12=digest("other"))
    assert "others in" in differences(one, other)["explain.added-input"].sentence


@pytest.mark.attack("B20")
def test_a_driver_before_the_image_is_told_and_named_by_the_log():
    values, enriched = seen_with(DRIVER, place=0)
    assert "at least one EFI driver" in differences(image(), values)["explain.driver"].sentence
    named = differences(image(), enriched)["explain.driver"]
    assert r"\EFI\driver.efi" in named.sentence
    assert (named.grounds, named.subject) == (Grounds.PROVEN, "driver.efi")
    back = differences(enriched, image())["explain.driver"]
    assert "was not" in back.sentence
    assert back.subject == "driver.efi"


def test_other_drivers_and_none_at_all_are_told_apart():
    one, other = with_pcrs(image(), pcr2=digest("one")), with_pcrs(image(), pcr2=digest("other"))
    assert "other EFI drivers" in differences(one, other)["explain.driver"].sentence
    nothing = with_pcrs(image(), pcr2=ZERO_SHA384)
    assert "no measured boot" in differences(with_pcrs(image(), pcr2=digest("x")), nothing)["explain.driver"].sentence


# --- Secure Boot ------------------------------------------------------------------------------------------------------


def secure(**changes):
    return account_of_image("the signed image", signed(OURS), secure_boot=keys(**changes))


def test_secure_boot_off_is_told_variable_by_variable_when_both_know_their_events():
    found = explain(secure(), log(events_of(image()))).differences
    moved = {each.subject: each for each in found if each.component is Component.SECURE_BOOT}
    assert "is off in the log" in moved["SecureBoot"].sentence
    assert {"SecureBoot", "PK", "db", "authority"} <= set(moved)
    back = {each.subject: each.sentence for each in explain(log(events_of(image())), secure()).differences}
    assert "is on in the signed image" in back["SecureBoot"]


@pytest.mark.parametrize(("name", "variable"), [("pk", "PK"), ("kek", "KEK"), ("db", "db"), ("dbx", "dbx")])
def test_a_changed_variable_is_named(name, variable):
    moved = differences(secure(), secure(**{name: esl(OTHER) if name == "dbx" else esl(OURS, OTHER)}))
    assert moved["explain.secure-boot-keys"].subject == variable


@pytest.mark.attack("A21")
@pytest.mark.parametrize(
    "others",
    [
        pytest.param((), id="none"),
        pytest.param((switch_event(on=True), switch_event(on=True)), id="twice"),
        pytest.param((event_over(7, EventType.VARIABLE, b"?", "variable SecureBoot", subject="SecureBoot"),), id="odd"),
    ],
)
def test_a_state_is_told_only_where_one_took_the_place_of_the_other(others):
    without = [event for event in events_of(image()) if event.subject != "SecureBoot"]
    other = log(inserted(without, 0, *others) if others else without)
    for reference, seen in ((image(), other), (other, image())):
        moved = differences(reference, seen)
        assert "explain.secure-boot-state" not in moved
        assert "variable SecureBoot" in moved["explain.secure-boot-event"].sentence


def test_from_values_alone_the_state_is_told_where_it_shows():
    off, on = with_pcrs(image()), with_pcrs(image(), pcr7=digest("on"))
    other = with_pcrs(image(), pcr7=digest("other"))
    assert "Secure Boot is on" in differences(off, on)["explain.secure-boot"].sentence
    assert "Secure Boot is off" in differences(on, off)["explain.secure-boot"].sentence
    assert "its keys" in differences(on, other)["explain.secure-boot"].sentence


def test_an_event_of_no_known_name_is_told():
    odd = event_over(7, EventType.ACTION, b"UEFI Debug Mode", "UEFI debug mode")
    moved = differences(image(), log(inserted(events_of(image()), 1, odd)))
    assert "UEFI debug mode was measured too" in moved["explain.secure-boot-event"].sentence


# --- the rest ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phases", [("enter-initrd",), ("enter-initrd", "leave-initrd", "sysinit", "ready")])
def test_a_system_that_went_on_is_told_from_another_image(phases):
    extra = [event_over(11, EventType.IPL, word.encode(), "") for word in phases]
    moved = differences(image(), document([*events_of(image()), *extra]))
    assert list(moved) == ["explain.boot-phase"]
    assert ", ".join(phases) in moved["explain.boot-phase"].sentence


def test_an_unknown_measurement_in_pcr11_is_told():
    moved = differences(image(), with_pcrs(image(), pcr11=digest("x")))
    assert moved["explain.payload"].grounds is Grounds.INFERRED


def all_registers(**changes: bytes):
    values = {index: digest(str(index)) for index in range(24)}
    return account_of_document("a document", PcrDigests.of(values | {int(n[3:]): v for n, v in changes.items()}))


@pytest.mark.parametrize("index", [0, 1, 3, 5, 6, 8, 9, 10, 14, 15, 16, 17, 23])
def test_every_other_register_has_a_sentence_and_gates_nothing(index):
    found = explain(all_registers(), all_registers(**{f"pcr{index}": digest("changed")}))
    (moved,) = found.differences
    assert moved.pcrs == (index,)
    assert len(moved.sentence) > 20
    assert found.gated == ()


def test_what_came_and_went_in_other_registers_is_listed_and_counted():
    attempts = [Event(PcrIndex(5), EventType.ACTION, digest(str(n)), f"attempt {n}") for n in range(3)]
    pcrs = (*PCRS, PcrIndex(5))
    before, after = [*events_of(image()), attempts[0]], [*events_of(image()), attempts[1], attempts[2], attempts[2]]
    one = of_events("one log", before, replay(before, pcrs=pcrs))
    other = of_events("other log", after, replay(after, pcrs=pcrs))
    assert differences(one, other)["explain.partition-table"].details == (
        "only in one log: attempt 0",
        "only in other log: attempt 1",
        "only in other log: attempt 2 (2 times)",
    )


def test_what_a_log_alone_calls_a_thing_is_founded_on_the_log():
    _, enriched = seen_with(dataclasses.replace(CREDENTIAL, claimed=True))
    assert differences(image(), enriched)["explain.credential"].grounds is Grounds.LOGGED


def test_gated_differences_come_first_and_are_named_so():
    found = explain(all_registers(), all_registers(pcr1=digest("x"), pcr12=digest("y"), pcr4=digest("z")))
    assert [each.pcrs[0] for each in found.differences] == [4, 12, 1]
    assert [each.pcrs[0] for each in found.gated] == [4, 12]


@pytest.mark.attack("A21")
def test_a_log_alone_is_vouched_for_by_nobody():
    assert any("vouched for by nobody" in note for note in explain(image(), log(events_of(image()))).notes)


def test_genuine_documents_of_one_image_differ_only_where_instances_do(genuine_vectors):
    from strongroom.formats.attestation_document import parse_nitrotpm_document, unverified_claims

    def genuine(start):
        (path,) = (genuine_vectors / "documents").glob(f"nitrotpm-lockboot-i-{start}*")
        return account_of_document(start, unverified_claims(parse_nitrotpm_document(path.read_bytes())).pcrs)

    found = explain(genuine("030a1f233f"), genuine("01cfb38322"))
    assert [each.pcrs for each in found.differences] == [(1,), (10,)]
    assert found.gated == ()


@pytest.mark.attack("A21")
@pytest.mark.parametrize(
    ("pcr", "kind", "code"),
    [
        (7, EventType.AUTHORITY, "explain.secure-boot-authority"),
        (7, EventType.VARIABLE, "explain.secure-boot-event"),
        (11, EventType.IPL, "explain.boot-phase"),
    ],
)
def test_what_a_log_alone_says_is_never_proven(pcr, kind, code):
    event = Event(PcrIndex(pcr), kind, digest("anything"), "of our vendor (so the log says)", "", claimed=True)
    events = inserted(events_of(image()), 2, event)
    (moved,) = differences(image(), with_log(document(events), log(events))).values()
    assert (moved.code, moved.grounds) == (code, Grounds.LOGGED)
    assert "(so the log says)" in moved.sentence


def test_genuine_logs_are_explained_by_what_is_known_of_them(genuine_vectors):
    def genuine(name):
        return account_of_log(name, parse_event_log((genuine_vectors / "event-logs" / name).read_bytes()))

    found = explain(genuine("gotpmtools-ubuntu-2104-no-dbx.bin"), genuine("gotpmtools-ubuntu-2404-amd-sevsnp.bin"))
    secure_boot = [each for each in found.differences if each.component is Component.SECURE_BOOT]
    assert [(each.code, each.subject) for each in secure_boot] == [("explain.secure-boot-keys", "dbx")]
    assert secure_boot[0].sentence.endswith("variable dbx: 371 hashes")
    (programs,) = [each for each in found.differences if 4 in each.pcrs]
    assert any("shimx64.efi" in row for row in programs.details)
