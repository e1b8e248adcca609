# SPDX-License-Identifier: Apache-2.0
"""Which section of the image moved."""

import dataclasses

import pytest
from tests.images import make_pe, make_uki
from tests.unit.measure.explain.boots import differences, document, events_of, image, log, with_pcrs

from strongroom.formats.measurements import encode_measurements, parse_measurements
from strongroom.measure.events import EventType, event_over
from strongroom.measure.explain.account import account_of_measurements, with_image, with_log
from strongroom.measure.explain.compare import explain
from strongroom.measure.explain.difference import Component, Grounds
from strongroom.measure.predict import measure_image

CHANGES = {
    ".linux": make_pe([(".text", b"\xcc")]),
    ".initrd": b"another initrd",
    ".cmdline": b"quiet init=/bin/sh roothash=" + b"cd" * 32,
    ".osrel": b"ID=other\n",
}


def file(**changes):
    measured = measure_image(make_uki(**changes), secure_boot=None)
    return account_of_measurements("the file", parse_measurements(encode_measurements(measured)))


def changed(name):
    return {name[1:]: CHANGES[name]}


@pytest.mark.parametrize("name", CHANGES)
def test_between_two_images_the_section_is_named(name):
    moved = differences(image(), image(**changed(name)))
    assert moved["explain.section"].subject == name
    assert moved["explain.section"].component is Component.SECTION
    assert moved["explain.section"].grounds is Grounds.PROVEN
    assert set(moved) <= {"explain.section", "explain.kernel-inputs"}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("reference", [file, image])
def test_the_log_of_a_boot_names_the_section_that_moved(reference, name):
    events = events_of(image(**changed(name)))
    seen = with_log(document(events), log(events))
    assert differences(reference(), seen)["explain.section"].subject == name


def test_a_log_ends_where_the_system_begins_and_is_believed_all_the_same():
    logged = events_of(image(**changed(".osrel")))
    phases = [event_over(11, EventType.IPL, word, "") for word in (b"enter-initrd", b"leave-initrd", b"sysinit")]
    seen = with_log(document([*logged, *phases]), log(logged))
    assert differences(file(), seen)["explain.section"].subject == ".osrel"


@pytest.mark.parametrize("name", CHANGES)
def test_a_file_of_measurements_stands_in_for_the_image(name):
    assert differences(file(), image(**changed(name)))["explain.section"].subject == name


@pytest.mark.attack("A21")
def test_sections_of_a_log_that_does_not_replay_are_not_used():
    events = events_of(image(**changed(".initrd")))
    seen = with_log(document(events), log([event for event in events if event.pcr != 11]))
    assert list(differences(file(), seen)) == ["explain.image"]


@pytest.mark.parametrize(("name", "narrowed"), [(".linux", "neither of them moved"), (".initrd", "PCR 9 moved")])
def test_from_values_alone_pcr9_tells_kernel_from_inputs(name, narrowed):
    moved = differences(image(), document(events_of(image(**changed(name)))))
    assert moved["explain.image"].grounds is Grounds.INFERRED
    assert narrowed in moved["explain.image"].sentence
    assert "cannot be told from the values alone" in moved["explain.image"].sentence


def test_a_changed_command_line_is_told_word_by_word():
    sentence = differences(image(cmdline=b"a b c"), image(cmdline=b"a c d"))["explain.section"].sentence
    assert "without 'b' and with 'd'" in sentence
    assert "root hash" not in sentence


def test_a_changed_root_hash_is_another_root_file_system():
    sentence = differences(image(), image(**changed(".cmdline")))["explain.section"].sentence
    assert "'init=/bin/sh'" in sentence
    assert "another root file system" in sentence


def test_spacing_is_a_difference_too():
    moved = differences(image(cmdline=b"a b"), image(cmdline=b"a  b"))
    assert "other spacing" in moved["explain.section"].sentence


def test_order_is_a_difference_even_where_the_words_are_too_many_to_be_aligned():
    words = [b"w%d" % number for number in range(600)]
    moved = differences(image(cmdline=b" ".join(words)), image(cmdline=b" ".join(words[::-1])))
    assert "another order" in moved["explain.section"].sentence


def test_changed_lines_of_os_release_are_shown():
    sentence = differences(image(osrel=b"ID=a\nX=1\n"), image(osrel=b"ID=b\nX=1\n"))["explain.section"].sentence
    assert "without 'ID=a' and with 'ID=b'" in sentence


def test_long_changes_are_cut_and_counted():
    words = b" ".join(b"w%d" % number for number in range(20))
    assert "and 12 more" in differences(image(cmdline=b"x"), image(cmdline=b"x " + words))["explain.section"].sentence


def test_where_only_one_side_is_text_it_is_quoted():
    events = events_of(image(**changed(".cmdline")))
    sentence = differences(file(), with_log(document(events), log(events)))["explain.section"].sentence
    assert "it is 'quiet roothash=AbAb" in sentence


def test_added_and_missing_sections_are_told():
    added = differences(image(), image(splash=b"BM"))
    assert "was added" in added["explain.section"].sentence
    missing = differences(image(splash=b"BM"), image())
    assert "is missing" in missing["explain.section"].sentence


def test_a_section_that_the_stub_does_not_measure_is_not_missed_in_a_log():
    events = events_of(image(uname=b"6.1"))
    assert differences(image(uname=b"6.1"), log(events)) == {}


def test_a_section_that_the_stub_measures_is_missed_in_a_log():
    reference = image(splash=b"BM")
    without = log(events_of(image()))
    assert differences(reference, without)["explain.section"].subject == ".splash"


def test_a_file_of_aws_tells_only_that_it_is_another_image():
    aws = account_of_measurements("the file", parse_measurements(AWS_FILE))
    moved = differences(aws, image())
    assert list(moved) == ["explain.image"]
    assert "the file does not say" in moved["explain.image"].sentence


AWS_FILE = (
    b'{"Measurements": {"HashAlgorithm": "SHA384 { ... }", "PCR4": "' + b"4a" * 48 + b'", "PCR7": "'
    b"98441c7f7625d10058c47683aec486ce311c633235eb555593a7ee791121e3578ae72d04ecef661f272d59058b77af35"
    b'", "PCR12": "' + b"00" * 48 + b'"}}'
)


def test_what_a_file_left_out_is_noted():
    notes = explain(account_of_measurements("the file", parse_measurements(AWS_FILE)), image()).notes
    assert any("PCR2 was not given" in note for note in notes)


def test_facts_that_are_no_digests_say_nothing():
    measured = measure_image(make_uki(), secure_boot=None)
    text = encode_measurements(measured).replace(measured.strongroom.uki_digest.encode(), b"none of that kind")
    account = account_of_measurements("the file", parse_measurements(text))
    assert account.parts.uki is None
    assert 4 not in account.events


def altered(**facts):
    measured = measure_image(make_uki(), secure_boot=None)
    return dataclasses.replace(measured, strongroom=dataclasses.replace(measured.strongroom, **facts))


def test_sections_that_contradict_the_files_own_pcr11_are_not_used():
    sections = tuple((name, "00" * 48) for name in (".linux", ".cmdline"))
    hostile = account_of_measurements("the file", altered(sections=sections))
    assert differences(hostile, image(**changed(".cmdline"))).keys() >= {"explain.image"}
    beside_its_image = with_image(hostile, image(), recorded="the document")
    for account in (hostile, beside_its_image):
        assert any("do not lead to its own PCR 11" in note for note in explain(account, image()).notes)
    assert file().notes == ()


def test_a_command_line_that_is_not_the_measured_one_is_not_quoted():
    hostile = account_of_measurements("the file", altered(command_line="quiet and harmless"))
    sentence = differences(hostile, image(**changed(".cmdline")))["explain.section"].sentence
    assert "harmless" not in sentence
    assert file().parts.texts == {".cmdline": "quiet roothash=" + "Ab" * 32}


@pytest.mark.parametrize("end", [b"\n", b"\0", b"\n\0"])
def test_what_closes_a_command_line_is_no_part_of_it(end):
    assert file(cmdline=b"quiet" + end).parts.texts == {".cmdline": "quiet"}


def test_two_images_by_digest_differ_for_certain():
    text = encode_measurements(measure_image(make_uki(**changed(".linux")), secure_boot=None))
    bare = parse_measurements(text[: text.index(b'    "sections"')].rstrip().rstrip(b",") + b"\n  }\n}\n")
    moved = differences(image(), account_of_measurements("the file", bare))
    assert moved["explain.image"].grounds is Grounds.PROVEN


def test_a_register_that_one_side_does_not_know_is_said():
    short = with_pcrs(image())
    found = explain(image(), short)
    assert found.unknown == ()
    assert explain(file(), log([])).unknown == ()
